"""Who starts the ranks: a training verb that needs several processes starts itself again under torchrun."""

from __future__ import annotations

import os
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from knowcoder import artefact, jsonl
from knowcoder.codec.model_card import ModelCard
from knowcoder.config import PretrainConfig, SftConfig
from knowcoder.errors import ConfigError

RESOLVED = "resolved.json"
#: What the ranks found out, for the manifest.
FACTS = "facts.json"


def is_rank() -> bool:
    """Say whether this process was started as one of the ranks of a run."""
    return "RANK" in os.environ


def rank() -> int:
    """Return this process's rank; 0 where there is only one."""
    return int(os.environ.get("RANK", "0"))


def processes(config: PretrainConfig | SftConfig) -> int:
    """Return how many processes to start on this machine: as said, else one per GPU, else one per stage.

    Raises:
        ConfigError: the stages cannot be dealt out over so many processes.
    """
    stages = config.parallel.pp if isinstance(config, PretrainConfig) else 1
    count: int = config.parallel.processes or _gpus() or stages
    if count % stages:
        raise ConfigError(
            f"parallel.pp={stages} does not divide {count} processes; give a multiple as parallel.processes"
        )
    return count


def command(count: int, verb: str, run_dir: Path) -> list[str]:
    """Return the command that starts `count` ranks of a verb from the configuration in `run_dir`."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
    return [*torchrun, "-m", "knowcoder.train.rank", verb, str(run_dir / RESOLVED)]


def start(verb: str, config: PretrainConfig | SftConfig, run_dir: Path) -> int:
    """Start the ranks of a training verb (pretrain or sft) and wait for them.

    With `dry_run` the command is printed instead.

    Returns:
        The exit code: 0, or that of the first rank that failed.
    """
    words = command(processes(config), verb, run_dir)
    if config.dry_run:
        print(shlex.join(words))
        return 0
    jsonl.write_json(run_dir / RESOLVED, artefact.plain(config))
    return _wait(subprocess.Popen(words, env=_environment(processes(config))))


def join(verb: str, kind: str, config: PretrainConfig | SftConfig, inputs: dict[str, str]) -> int:
    """Run a training verb as one of the ranks that torchrun or srun has started with the verb's own command line.

    Rank 0 makes the run folder and closes the artefact; the others wait until the folder is made.
    """
    import torch.distributed as dist

    run_dir = Path(config.output)
    store, number, _ = next(dist.rendezvous("env://"))
    if number != 0:
        store.wait(["run folder"])
        del store
        work(verb)(config, run_dir)
        return 0
    with artefact.working(run_dir, kind, config, inputs) as output:
        store.set("run folder", "made")
        del store
        jsonl.write_json(run_dir / RESOLVED, artefact.plain(config))
        output.manifest.facts = work(verb)(config, run_dir)
        save_card(config)
    return 0


def work(verb: str) -> Callable[[Any, Path], dict[str, Any]]:
    """Return the function that trains one rank of a verb."""
    if verb == "pretrain":
        from knowcoder.train.pretrain import pretrain

        return pretrain
    from knowcoder.train.sft import sft

    return sft


def save_card(config: PretrainConfig | SftConfig) -> None:
    """Let the trained model carry how its data was written, so that it is asked in the same way."""
    manifest = artefact.read_manifest(config.data)
    if manifest is not None and "card" in manifest.facts:
        msgspec.convert(manifest.facts["card"], ModelCard).save(Path(config.output))


def single() -> None:
    """Make this process the only rank of a run, where nobody started it as a rank."""
    if is_rank():
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    alone: dict[str, Any] = {
        "RANK": 0,
        "LOCAL_RANK": 0,
        "WORLD_SIZE": 1,
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
    }
    os.environ.update({name: str(value) for name, value in alone.items()})


def _wait(ranks: subprocess.Popen[bytes]) -> int:
    """Wait for the ranks, handing an interruption on to them so that none is left behind."""
    try:
        return ranks.wait()
    except KeyboardInterrupt:
        ranks.send_signal(signal.SIGINT)
        ranks.wait()
        raise
    finally:
        if ranks.poll() is None:
            ranks.terminate()
            ranks.wait()


def _environment(count: int) -> dict[str, str]:
    # Ranks that each take all cores wait for one another in every parallel region.
    threads = max(1, (os.cpu_count() or 1) // count)
    return {"OMP_NUM_THREADS": str(threads), "TOKENIZERS_PARALLELISM": "false"} | os.environ


def _gpus() -> int:
    import torch

    return torch.cuda.device_count()
