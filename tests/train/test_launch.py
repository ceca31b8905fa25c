"""Ranks are started by the verb itself or by a cluster's launcher; the printed command is the one that runs."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from knowcoder import artefact, jsonl
from knowcoder.config import ClusterConfig, ParallelConfig, PretrainConfig
from knowcoder.errors import ConfigError
from knowcoder.train import launch
from tests.distributed import ROOT, run_ranks
from tests.packed import save_packed
from tests.small_models import save_small_model


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> PretrainConfig:
    folder = tmp_path_factory.mktemp("launch")
    return PretrainConfig(
        model=str(save_small_model(folder / "model")),
        data=str(save_packed(folder / "data")),
        output=str(folder / "run"),
        steps=2,
        global_batch=8,
        micro_batch=2,
        precision="fp32",
        parallel=ParallelConfig(pp=2, processes=2),
    )


def test_the_printed_command_is_the_one_that_runs(config: PretrainConfig, capsys: pytest.CaptureFixture[str]) -> None:
    run_dir = Path(config.output)
    run_dir.mkdir(parents=True)
    launch.start("pretrain", _dry(config), run_dir)
    words = shlex.split(capsys.readouterr().out)
    jsonl.write_json(run_dir / launch.RESOLVED, artefact.plain(config))
    environment = os.environ | {"DS_ACCELERATOR": "cpu", "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    facts = jsonl.read_json(run_dir / launch.FACTS)
    assert (facts["steps"], facts["pp"], facts["dp"]) == (2, 2, 1)
    assert (run_dir / "latest").read_text() == "step2"


@pytest.mark.parametrize("processes", [1, 2])
def test_what_a_rank_finds_wrong_is_said_once_and_the_output_stays_free(
    processes: int, config: PretrainConfig, tmp_path: Path
) -> None:
    words = [f"model={config.model}", f"data={config.data}", f"output={tmp_path / 'run'}", "precision=fp32"]
    words += ["optimizer=muon", "tuning=lora", "steps=1", "global_batch=2", "micro_batch=1"]
    words += [f"parallel.processes={processes}"]
    done = _command("sft", *words)
    assert done.returncode == 2
    assert done.stderr.startswith("knowcoder sft: error: optimizer=muon is for tuning=full")
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_what_is_found_wrong_inside_the_run_is_one_line_too(config: PretrainConfig, tmp_path: Path) -> None:
    short = save_small_model(tmp_path / "short", max_position_embeddings=16)
    words = [f"model={short}", f"data={config.data}", f"output={tmp_path / 'run'}", "global_batch=4", "parallel.pp=2"]
    done = _command("pretrain", *words)
    assert done.returncode == 2
    lines = [line for line in done.stderr.splitlines() if line and "step/s]" not in line]
    assert lines == [
        f"knowcoder pretrain: error: model={short}: the data has rows of 32 tokens, the model takes 16: "
        "pack shorter rows"
    ]


def test_a_training_verb_prints_nothing_that_libraries_say(config: PretrainConfig, tmp_path: Path) -> None:
    words = [f"model={config.model}", f"data={config.data}", f"output={tmp_path / 'run'}", "precision=fp32"]
    words += ["tuning=lora", "lora.rank=2", "steps=1", "global_batch=2", "micro_batch=1"]
    done = _command("sft", *words)
    assert done.returncode == 0, done.stderr
    assert not re.search("warn|deprecat|accelerator|Loading|[Ww]riting", done.stdout + done.stderr)
    assert done.stdout.splitlines()[-1].startswith(f"{tmp_path / 'run'}: tuning lora, 1 steps")
    assert artefact.require(tmp_path / "run", "adapter", key="adapter").facts["engine"] == "PeftModelForCausalLM"


def test_keys_that_do_not_go_together_are_refused_before_anything_is_written() -> None:
    settings = PretrainConfig(global_batch=6, micro_batch=4, parallel=ParallelConfig(pp=2, processes=2))
    with pytest.raises(ConfigError, match="global_batch=6 is not a multiple"):
        launch.check(settings)


def _command(*words: str) -> subprocess.CompletedProcess[str]:
    """The command as a user gives it, without settings that would hide anything."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DS_")}
    environment |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""}
    words = (sys.executable, "-m", "knowcoder.cli", *words)
    return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=120)


def _dry(config: PretrainConfig) -> PretrainConfig:
    return msgspec.convert(artefact.plain(config) | {"dry_run": True}, PretrainConfig)


def test_ranks_started_from_outside_make_one_artefact(config: PretrainConfig, tmp_path: Path) -> None:
    plan_file = tmp_path / "config.json"
    settings = artefact.plain(config) | {"output": str(tmp_path / "joined")}
    plan_file.write_text(json.dumps(settings))
    run_ranks(2, Path(__file__).with_name("ranks_join.py"), str(plan_file))
    manifest = artefact.require(tmp_path / "joined", "pretrain", key="checkpoint")
    assert manifest is not None
    assert manifest.facts["steps"] == 2


def test_one_command_starts_no_other_machines() -> None:
    settings = PretrainConfig(parallel=ParallelConfig(pp=2, processes=2), cluster=ClusterConfig(nodes=2))
    with pytest.raises(ConfigError, match=r"cluster\.nodes=2: this command starts processes on this machine alone"):
        launch.check(settings)


def test_processes_need_a_gpu_each_where_there_are_any(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = PretrainConfig(global_batch=16, micro_batch=1, cluster=ClusterConfig(gpus=8))
    launch.check(settings)
    monkeypatch.setattr(launch, "_gpus", lambda: 4)
    with pytest.raises(ConfigError, match="8 processes for 4 GPUs here"):
        launch.check(settings)


def test_stages_must_divide_processes() -> None:
    with pytest.raises(ConfigError, match=r"parallel\.pp=2 does not divide 3"):
        launch.processes(PretrainConfig(parallel=ParallelConfig(pp=2, processes=3)))
