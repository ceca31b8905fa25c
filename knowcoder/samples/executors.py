"""Who builds the shards: this process, or workers that datatrove starts here, on Ray, or as Slurm jobs.

datatrove brings completion marks, logs and the ways of three schedulers; workers share a file system.
"""

from __future__ import annotations

import logging
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import msgspec
from tqdm import tqdm

from knowcoder import jsonl
from knowcoder.config import SamplesConfig, keys_of, value_of
from knowcoder.errors import ArtefactError, ConfigError
from knowcoder.samples.build import Builder
from knowcoder.samples.shards import Shards

LOGS = "logs"
_logger = logging.getLogger(__name__)


def run(settings: SamplesConfig, shards: Shards, builder: Builder) -> None:
    """Make the shards that are missing.

    Raises:
        ConfigError: an executor is asked for that is not installed.
        ArtefactError: workers have left shards out; their logs say why.
    """
    missing = shards.missing()
    if settings.executor == "local" and (settings.workers == 1 or len(missing) < 2):
        for number in tqdm(missing, desc="samples", unit=" shard", disable=None):
            shards.make(number, builder)
        return
    if settings.executor == "slurm" and shutil.which("sbatch") is None:
        raise ConfigError("executor=slurm: there is no sbatch here; start it where jobs are submitted")
    if missing:
        try:
            _datatrove(settings, shards).run()
        except subprocess.CalledProcessError as error:  # a job failed: its shard is missing, and its log says why
            _logger.warning("%s ended with code %d", error.cmd[0], error.returncode)
    if left := shards.missing():
        logs = shards.output / LOGS
        raise ArtefactError(
            f"output={shards.output}: {len(left)} of {len(shards.units)} shards are missing; see {logs}, and "
            "continue with resume=true"
        )


def slurm_script(settings: SamplesConfig, shards: Shards) -> str:
    """The script of the job array that ``executor=slurm`` would submit.

    Raises:
        ConfigError: another executor is asked for, or datatrove is not installed.
    """
    if settings.executor != "slurm":
        raise ConfigError(f"dry_run=true shows the script of executor=slurm; this is executor={settings.executor}")
    return str(_slurm(settings, shards).script())


@dataclass(frozen=True, slots=True, repr=False)
class Task:
    """What a worker does: the shard of its rank. Holds plain text only, since datatrove pickles it."""

    settings: str
    shards: Shards

    def __repr__(self) -> str:  # what datatrove logs for every shard
        return f"samples of {len(self.shards.units)} shards"

    def __call__(self, data: object, rank: int, world_size: int) -> None:
        os.environ["TOKENIZERS_PARALLELISM"] = "false"  # there are as many workers as processors already
        self.shards.make(rank, _builder(self.settings))


@lru_cache(maxsize=1)
def _builder(settings: str) -> Builder:
    return Builder(msgspec.json.decode(settings, type=SamplesConfig))


def _datatrove(settings: SamplesConfig, shards: Shards) -> Any:
    if settings.executor == "slurm":
        return _slurm(settings, shards)
    try:
        from datatrove.executor import LocalPipelineExecutor, RayPipelineExecutor
    except ImportError as error:
        raise ConfigError(_NOT_INSTALLED.format(what=f"workers={settings.workers}")) from error
    same = _common(settings, shards)
    if settings.executor == "local":
        return LocalPipelineExecutor(**same, workers=settings.workers)
    try:
        import ray
    except ImportError as error:
        raise ConfigError(_NOT_INSTALLED.format(what="executor=ray")) from error
    if not ray.is_initialized():  # joins the cluster that RAY_ADDRESS names; else a local one of this many workers
        here = "RAY_ADDRESS" not in os.environ
        ray.init(num_cpus=settings.workers if here else None, include_dashboard=False, log_to_driver=False)
    return RayPipelineExecutor(**same, workers=settings.workers, mem_per_cpu_gb=settings.cluster.memory)


def _slurm(settings: SamplesConfig, shards: Shards) -> Any:
    try:
        from knowcoder.samples.slurm import SlurmArray
    except ImportError as error:
        raise ConfigError(_NOT_INSTALLED.format(what="executor=slurm")) from error
    if not settings.cluster.partition:
        raise ConfigError("executor=slurm: give cluster.partition=")
    cluster = settings.cluster
    return SlurmArray(
        **_common(settings, shards),
        workers=settings.workers,
        time=cluster.time,
        partition=cluster.partition,
        mem_per_cpu_gb=cluster.memory,
        env_command=cluster.setup or None,
        qos=None,
        job_name="knowcoder-samples",
        sbatch_args={"wait": ""},  # `sbatch` comes back when the array has ended, so the shards can be joined
    )


def _common(settings: SamplesConfig, shards: Shards) -> dict[str, Any]:
    there = _absolute(settings)
    output = Path(there.output)
    task = Task(jsonl.dumps(there), replace(shards, output=output))
    return {"pipeline": [task], "tasks": len(shards.units), "logging_dir": str(output / LOGS)}


def _absolute(settings: SamplesConfig) -> SamplesConfig:
    """The same configuration for a worker that starts in another folder."""
    changes: dict[str, Any] = {"output": str(Path(settings.output).resolve())}
    for key in keys_of(SamplesConfig):
        if key.is_input and (value := value_of(settings, key.name)):
            changes[key.name] = [_resolved(path) for path in value] if isinstance(value, list) else _resolved(value)
    return replace(settings, **changes)


def _resolved(path: str) -> str:
    return str(Path(path).resolve()) if Path(path).exists() else path  # a tokenizer may be a name on the hub


_NOT_INSTALLED = (
    "{what} needs datatrove, and on Ray ray; " + f"install them: {sys.executable} -m pip install knowcoder[cluster]"
)
