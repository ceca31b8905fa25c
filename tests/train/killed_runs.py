"""A run that is killed again and again: `python killed_runs.py PLAN.json`, in one process that forks the ranks.

The plan names the run's keys and its attempts. An attempt has a topology and, but for the last, a place where one rank
kills itself: "step" N, before the Nth step of the attempt; "file" N, before the Nth operation on the run's files since
its first save began; or a part of a path, before the Nth operation on a file with it. What became of every attempt is
written beside the plan.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
import traceback
from collections import Counter
from pathlib import Path
from typing import Any

import deepspeed  # noqa: F401  what takes long is imported once, before the forks
import msgspec

from knowcoder.config import PretrainConfig
from knowcoder.train import pretrain, writer
from knowcoder.train.saver import Saver

_OPERATIONS = {"os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate"}


def main(plan_path: str) -> None:
    plan = json.loads(Path(plan_path).read_text())
    reports = []
    for number, attempt in enumerate(plan["attempts"]):
        keys = plan["keys"] | {"resume": number > 0, "parallel": {"pp": attempt["pp"]}}
        reports.append(attempt | {"codes": run(keys, attempt)})
        Path(plan_path).with_suffix(".report.json").write_text(json.dumps(reports))
        if not any(reports[-1]["codes"]):
            break


def run(keys: dict[str, Any], attempt: dict[str, Any]) -> list[int]:
    """Run all ranks of an attempt and return their exit codes, negative for the signal that ended them."""
    world = attempt["pp"] * attempt["dp"]
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    ranks = [_fork(keys, attempt, rank, world, port) for rank in range(world)]
    codes: dict[int, int] = {}
    deadline = time.monotonic() + 240
    while len(codes) < world:
        for rank in set(ranks) - codes.keys():
            done, status = os.waitpid(rank, os.WNOHANG)
            if done:
                codes[rank] = os.waitstatus_to_exitcode(status)
                deadline = min(deadline, time.monotonic() + (60 if not codes[rank] else 10))
        if time.monotonic() > deadline:  # as a launcher ends the ranks that are left
            for rank in set(ranks) - codes.keys():
                os.kill(rank, signal.SIGKILL)
            deadline += 240
        time.sleep(0.02)
    return [codes[rank] for rank in ranks]


def _fork(keys: dict[str, Any], attempt: dict[str, Any], rank: int, world: int, port: int) -> int:
    sys.stdout.flush()
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        numbers = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": world, "LOCAL_WORLD_SIZE": world}
        os.environ |= {name: str(value) for name, value in numbers.items()}
        os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
        config = msgspec.convert(keys, PretrainConfig)
        if attempt.get("rank") == rank:
            _kill_at(attempt["at"], attempt["count"], config.output)
        pretrain.pretrain(config, Path(config.output))
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def _kill_at(at: str, count: int, run_dir: str) -> None:
    left = count
    saving = False

    def pass_by() -> None:
        nonlocal left
        left -= 1
        if left == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    if at == "step":
        train_step = pretrain._Run._train_step

        def counted(self: pretrain._Run, *arguments: Any) -> None:
            pass_by()
            train_step(self, *arguments)

        pretrain._Run._train_step = counted
        return
    save, write = Saver.save, writer._Hashed.write
    writes: Counter[int] = Counter()

    def begin(self: Saver, *arguments: Any) -> None:
        nonlocal saving
        saving = True
        save(self, *arguments)

    def write_counted(self: writer._Hashed, data: bytes) -> int:
        writes[id(self)] += 1
        if writes[id(self)] == 5 and at == "file":  # in the middle of a file, which is written in dozens of parts
            pass_by()
        return write(self, data)

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        path = str(arguments[0]) if saving and arguments else ""
        ours = path.startswith(run_dir) or (event == "os.remove" and not path.startswith("/"))
        if not ours or path.endswith((".log", "metrics.jsonl")) or not (at == "file" or at in path):
            return
        if event in _OPERATIONS or (event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR)):
            pass_by()

    Saver.save, writer._Hashed.write = begin, write_counted
    sys.addaudithook(audit)


if __name__ == "__main__":
    main(sys.argv[1])
