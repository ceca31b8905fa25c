"""Who starts the ranks: a training verb that needs several processes starts itself again under torchrun."""

from __future__ import annotations

import ctypes
import hashlib
import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from knowcoder import artefact, jsonl
from knowcoder.codec.model_card import ModelCard
from knowcoder.config import PretrainConfig, SftConfig
from knowcoder.errors import ConfigError, KnowcoderError, StoppedError, TrainingError
from knowcoder.train.order import accumulation

RESOLVED = "resolved.json"
#: What the ranks found out, for the manifest.
FACTS = "facts.json"
_MISTAKE = "mistake-{}.txt"
_STOPPED = "stopped.txt"
_PR_SET_PDEATHSIG = 1


def is_rank() -> bool:
    """Say whether this process was started as one of the ranks of a run."""
    return "RANK" in os.environ


def rank() -> int:
    """Return this process's rank; 0 where there is only one."""
    return int(os.environ.get("RANK", "0"))


def world_size() -> int:
    """Return how many ranks there are."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def stages_of(config: PretrainConfig | SftConfig) -> int:
    """Return into how many stages the layers are cut."""
    return config.parallel.pp if isinstance(config, PretrainConfig) else 1


def per_machine(config: PretrainConfig | SftConfig) -> int:
    """Return how many processes to start on a machine: as said, else one per GPU, else one per stage."""
    stages = -(-stages_of(config) // config.cluster.nodes)
    return config.parallel.processes or config.cluster.gpus or _gpus() or stages


def processes(config: PretrainConfig | SftConfig) -> int:
    """Return how many processes there are on all machines.

    Raises:
        ConfigError: the stages cannot be dealt out over so many processes.
    """
    stages = stages_of(config)
    count = config.cluster.nodes * per_machine(config)
    if count % stages:
        raise ConfigError(
            f"parallel.pp={stages} does not divide {count} processes; give a multiple as parallel.processes"
        )
    return count


def check(config: PretrainConfig | SftConfig) -> None:
    """Raise where keys do not go together, before anything is written.

    Raises:
        ConfigError: processes do not make whole pipelines, or rows whole micro-batches; there are fewer GPUs than
            processes, or other machines are wanted.
    """
    if config.cluster.nodes > 1:
        raise ConfigError(
            f"cluster.nodes={config.cluster.nodes}: this command starts processes on this machine alone; "
            "scripts/launch.sh says how to start several, knowcoder plan takes the key"
        )
    count, gpus = processes(config), _gpus()
    if 0 < gpus < count:
        raise ConfigError(f"{count} processes for {gpus} GPUs here; lower parallel.processes or cluster.gpus")
    accumulation(config.global_batch, config.micro_batch, count // stages_of(config))


def command(count: int, verb: str, run_dir: Path) -> list[str]:
    """Return the command that starts `count` ranks of a verb from the configuration in `run_dir`."""
    rank_words = ["-m", "knowcoder.train.rank", verb, str(run_dir / RESOLVED)]
    if count == 1:
        return [sys.executable, *rank_words]
    torchrun = [sys.executable, "-m", "knowcoder.train.torchrun", "--standalone", f"--nproc-per-node={count}"]
    return [*torchrun, *rank_words]


def start(verb: str, config: PretrainConfig | SftConfig, run_dir: Path) -> None:
    """Start the ranks of a training verb (pretrain or sft) and wait for them.

    With `dry_run` the command is printed instead.

    Raises:
        TrainingError: a rank failed; with what it said, if that was for the user. StoppedError: they were told to stop.
    """
    words = command(processes(config), verb, run_dir)
    if config.dry_run:
        print(shlex.join(words))
        return
    jsonl.write_json(run_dir / RESOLVED, artefact.plain(config))
    for old in _mistakes(run_dir):
        old.unlink()
    (run_dir / _STOPPED).unlink(missing_ok=True)
    code = _wait(subprocess.Popen(words, env=_environment(processes(config))))
    if mistakes := _mistakes(run_dir):
        text = mistakes[0].read_text()
        if not _has_checkpoint(run_dir):
            _clear(run_dir)
        raise TrainingError(text)
    if (run_dir / _STOPPED).is_file():
        raise StoppedError((run_dir / _STOPPED).read_text())
    if code:
        raise TrainingError(f"{verb} ended with exit code {code}; see {run_dir}/logs, then continue with resume=true")


def end_with_parent() -> None:
    """Let this process end when the one that started it is gone, so that a killed run goes on nowhere (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)


def say_end(run_dir: Path, error: KnowcoderError) -> None:
    """Leave what ended this rank for `start`, which says it once for all ranks."""
    name = _STOPPED if isinstance(error, StoppedError) else _MISTAKE.format(rank())
    (run_dir / name).write_text(str(error))


def _mistakes(run_dir: Path) -> list[Path]:
    return sorted(run_dir.glob(_MISTAKE.format("*")))


def _has_checkpoint(run_dir: Path) -> bool:
    return (run_dir / "latest").is_file() or any(run_dir.glob("checkpoints/checkpoint-*"))


def _clear(run_dir: Path) -> None:
    """Remove the traces of a run that trained nothing, so that the mended command can have the same output."""
    for path in run_dir.iterdir():
        if path.is_dir():
            shutil.rmtree(path)
        elif path.name != artefact.MANIFEST:
            path.unlink()


def join(verb: str, kind: str, config: PretrainConfig | SftConfig, inputs: dict[str, str]) -> None:
    """Run a training verb as one of the ranks that torchrun or srun has started with the verb's own command line.

    Rank 0 makes the run folder and closes the artefact; the others wait until the folder is made.
    """
    import torch.distributed as dist

    end_with_parent()
    run_dir = Path(config.output)
    store, number, count = next(dist.rendezvous("env://"))
    if number != 0:
        _seen(store, number, run_dir)
        work(verb)(config, run_dir)
        return
    with artefact.working(run_dir, kind, config, inputs) as output:
        jsonl.write_json(run_dir / RESOLVED, artefact.plain(config))
        _seen_by_all(store, count, run_dir)
        output.manifest.facts = work(verb)(config, run_dir)
        save_card(config)


def _seen(store: Any, number: int, run_dir: Path) -> None:
    """Say whether this rank has the run's folder before it, once it is made, and wait for what rank 0 makes of that.

    Raises:
        ConfigError: some rank has another folder under this name.
    """
    made = store.get("run folder").decode()
    found = run_dir / RESOLVED
    here = found.is_file() and hashlib.sha256(found.read_bytes()).hexdigest() == made
    store.set(f"folder of {number}", "" if here else f"rank {number} on {socket.gethostname()}")
    if others := store.get("folders").decode():
        raise ConfigError(_other_folder(run_dir, others))


def _seen_by_all(store: Any, count: int, run_dir: Path) -> None:
    """Tell the ranks that the run's folder is made, and check that all have it before them.

    Raises:
        ConfigError: some rank has another folder under this name.
    """
    store.set("run folder", hashlib.sha256((run_dir / RESOLVED).read_bytes()).hexdigest())
    answers = [store.get(f"folder of {number}").decode() for number in range(1, count)]
    others = ", ".join(answer for answer in answers if answer)
    store.set("folders", others)
    if others:
        (run_dir / RESOLVED).unlink()
        raise ConfigError(_other_folder(run_dir, others))


def _other_folder(run_dir: Path, others: str) -> str:
    return f"output={run_dir}: is another folder for {others}; give one that all machines see under the same path"


def work(verb: str) -> Callable[[Any, Path], dict[str, Any]]:
    """Return the function that trains one rank of a verb."""
    if verb == "pretrain":
        from knowcoder.train.pretrain import pretrain

        return pretrain
    from knowcoder.train.sft import sft

    return sft


def save_card(config: PretrainConfig | SftConfig) -> None:
    """Let the trained model carry how its data was written, so that it is asked in the same way."""
    if (card := _card_of(config.data)) is not None:
        card.save(Path(config.output))


def card_of(data: str) -> ModelCard:
    """Return how packed data was written; the defaults where it does not say."""
    return _card_of(data) or ModelCard()


def _card_of(data: str) -> ModelCard | None:
    manifest = artefact.read_manifest(data)
    if manifest is None or "card" not in manifest.facts:
        return None
    return msgspec.convert(manifest.facts["card"], ModelCard)


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
    """Wait for the ranks, handing an interruption or an order to stop on to them so that none is left behind."""
    handlers: dict[int, Any] = {}
    if threading.current_thread() is threading.main_thread():
        for number in (signal.SIGTERM, signal.SIGUSR1):
            handlers[number] = signal.signal(number, lambda *_: ranks.terminate())
    try:
        return ranks.wait()
    except KeyboardInterrupt:
        ranks.send_signal(signal.SIGINT)
        ranks.wait()
        raise
    finally:
        for signal_number, handler in handlers.items():
            signal.signal(signal_number, handler)
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
