"""Checkpoints of pre-training: seconds to save, what writing in the background saves, seconds to resume.

    python scripts/bench/elastic.py [--hidden 512] [--steps 24]

Runs `pretrain` on a model with random weights and rows of random tokens, in processes of its own: once with
`save_in_background=false` and once with true, saving every sixth step; then resumed by as many processes and by two
stages. What a save holds up is the time of the training loop in saving and in naming what is written; beside it stands
a plain copy of the same bytes with `sync`.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from datasets import Dataset
from transformers import LlamaConfig, LlamaForCausalLM

from knowcoder import jsonl
from knowcoder.artefact import Manifest
from knowcoder.config import PretrainConfig
from knowcoder.packing.pack import ROWS
from knowcoder.train import checkpoints

LENGTH, EVERY = 64, 6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hidden", type=int, default=512)
    parser.add_argument("--steps", type=int, default=24)
    parser.add_argument("--rank", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.rank:
        rank(Path(given.rank))
        return
    with tempfile.TemporaryDirectory() as name:
        measure(Path(name), given.hidden, given.steps)


def measure(folder: Path, hidden: int, steps: int) -> None:
    """Print the table."""
    prepare(folder, hidden)
    found = {}
    for name, background in (("waiting", False), ("in the background", True)):
        keys = {"output": str(folder / name), "steps": steps, "save_in_background": background}
        found[name] = run(folder, 1, keys)
    last = checkpoints.steps(folder / "waiting")[-1]
    size = sum(path.stat().st_size for path in last.iterdir())
    copying = copied_in(last, folder / "copy")
    print(f"\ncheckpoint of {size / 1e6:,.0f} MB; a plain copy with sync takes {copying:.2f} s")
    base = found["waiting"]
    for name, times in found.items():
        held, written = held_up(times), statistics.median(times["written"])
        calm, busy = step_seconds(folder / name)
        print(
            f"{name:<18} holds up {held:6.2f} s a save {held / held_up(base):.3f}   written after {written:6.2f} s, "
            f"{copying / written:.2f} of the copy's rate   a step meanwhile {busy / calm:.2f} times as long"
        )
    print()
    for name, processes, pp in (("resumed as it was", 1, 1), ("resumed by two stages", 2, 2)):
        shutil.copytree(folder / "waiting", folder / name)
        for path in checkpoints.steps(folder / name)[-1:]:  # so that there is something left to do
            checkpoints.remove(path)
        keys = {"output": str(folder / name), "steps": steps, "resume": True, "parallel": {"pp": pp}}
        times = run(folder, processes, keys)
        print(f"{name:<22} checked in {times['last'][0]:5.2f} s, loaded in {times['load'][0]:6.2f} s")


def prepare(folder: Path, hidden: int) -> None:
    """Write a model and its data."""
    config = LlamaConfig(
        hidden_size=hidden,
        intermediate_size=hidden * 11 // 4,
        num_hidden_layers=6,
        num_attention_heads=8,
        num_key_value_heads=8,
        vocab_size=8192,
    )
    LlamaForCausalLM(config).save_pretrained(folder / "model")
    ids = np.random.default_rng(0).integers(3, 8192, (64, LENGTH)).tolist()
    table = {"input_ids": ids, "position_ids": [list(range(LENGTH))] * 64, "labels": ids, "kind": [["random"]] * 64}
    Dataset.from_dict(table).save_to_disk(str(folder / "data" / ROWS))
    Manifest("packed", "complete", facts={"max_length": LENGTH, "pad_token_id": 0}).save(folder / "data")


def run(folder: Path, processes: int, keys: dict[str, Any]) -> dict[str, list[float]]:
    """Train and return the seconds of every call of the saver."""
    plan = folder / "plan.json"
    settings = {"model": str(folder / "model"), "data": str(folder / "data"), "global_batch": 8, "micro_batch": 4}
    plan.write_text(json.dumps(settings | {"precision": "fp32", "log_every": 1, "save_every": EVERY} | keys))
    words = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run(
        [*words, __file__, f"--rank={plan}"], env=environment, check=True, stdout=subprocess.DEVNULL, stderr=None
    )
    times: dict[str, list[float]] = json.loads((folder / "times.json").read_text())
    return times


def rank(plan: Path) -> None:
    """Train as one rank; the first one writes down how long what took."""
    from knowcoder.train import pretrain
    from knowcoder.train.saver import Saver

    config = msgspec.json.decode(plan.read_bytes(), type=PretrainConfig)
    times: dict[str, list[float]] = defaultdict(list)
    inside, begun = [0], [0.0]

    def timed(name: str) -> Callable[..., Any]:
        plain: Callable[..., Any] = getattr(Saver, name)

        def call(*arguments: Any, **settings: Any) -> Any:
            started = time.perf_counter()
            if name == "save":
                begun[0] = started
            inside[0] += 1
            result = plain(*arguments, **settings)
            inside[0] -= 1
            if not inside[0]:  # saving waits for what is still being written
                times[name].append(time.perf_counter() - started)
            return result

        return call

    for name in ("save", "finish", "last", "load"):
        setattr(Saver, name, timed(name))
    commit = checkpoints.commit

    def committed(*arguments: Any) -> None:
        commit(*arguments)
        times["written"].append(time.perf_counter() - begun[0])

    checkpoints.commit = committed
    pretrain.pretrain(config, Path(config.output))
    if os.environ["RANK"] == "0":
        (plan.parent / "times.json").write_text(json.dumps(times))


def held_up(times: dict[str, list[float]]) -> float:
    """Seconds of the training loop per save; the last one is left out, since nothing can hide it."""
    return (sum(times["save"][:-1]) + sum(times["finish"][:-1])) / (len(times["save"]) - 1)


def step_seconds(run_dir: Path) -> tuple[float, float]:
    """The middle of the seconds of steps far from a save, and of the step after one."""
    lines = list(jsonl.read(run_dir / "metrics.jsonl", dict[str, Any]))[1:]
    calm = [line["seconds"] for line in lines if line["step"] % EVERY in (0, EVERY - 1)]
    busy = [line["seconds"] for line in lines if line["step"] % EVERY == 1]
    return statistics.median(calm), statistics.median(busy)


def copied_in(source: Path, target: Path) -> float:
    started = time.perf_counter()
    shutil.copytree(source, target)
    for path in target.iterdir():
        with open(path, "rb") as file:
            os.fsync(file.fileno())
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
