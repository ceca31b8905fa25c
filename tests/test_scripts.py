"""The launchers: what they say they would start, on one machine, on several, and under Slurm."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.distributed import ROOT
from tests.packed import save_packed
from tests.small_models import save_small_model

CLUSTER = {"NNODES": "2", "NODE_RANK": "1", "MASTER_ADDR": "first.example", "PROCESSES": "4"}


def call(*words: str, **environment: str) -> str:
    clean = {name: value for name, value in os.environ.items() if name not in CLUSTER}
    done = subprocess.run(words, cwd=ROOT, env=clean | environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(("verb", "layout"), [("pretrain", "parallel.pp=2"), ("sft", "parallel.processes=2")])
def test_one_machine_starts_its_own_processes(verb: str, layout: str, tmp_path: Path) -> None:
    words = [f"model={save_small_model(tmp_path / 'a model')}", f"data={save_packed(tmp_path / 'data')}"]
    said = call("bash", f"scripts/{verb}.sh", "--dry-run", *words, f"output={tmp_path / 'run'}", layout)
    command = shlex.split(said)
    assert command[1:] == [
        *("-m", "knowcoder.train.torchrun", "--standalone", "--nproc-per-node=2"),
        *("-m", "knowcoder.train.rank", verb, f"{tmp_path}/run/resolved.json"),
    ]
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("verb", ["pretrain", "sft"])
def test_several_machines_meet_at_the_first(verb: str, tmp_path: Path) -> None:
    words = ["model=a model", "data=b", f"output={tmp_path / 'run'}"]
    command = shlex.split(call("bash", f"scripts/{verb}.sh", "--dry-run", *words, **CLUSTER))
    assert command[1:3] == ["-m", "torch.distributed.run"]
    assert {"--nnodes=2", "--node-rank=1", "--nproc-per-node=4", "--master-addr=first.example"} <= set(command)
    assert command[-5:] == ["knowcoder.cli", verb, *words]
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("verb", ["pretrain", "sft"])
def test_a_machine_that_lacks_its_place_is_refused(verb: str) -> None:
    environment = {name: value for name, value in os.environ.items() if name not in CLUSTER} | {"NNODES": "2"}
    words = ["bash", f"scripts/{verb}.sh", "--dry-run"]
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "set NODE_RANK to the number of this machine" in done.stderr


def test_slurm_starts_the_launcher_once_per_node(tmp_path: Path) -> None:
    """With a cluster of two nodes played by two small programs: every node gets the same call and its own number."""
    play(tmp_path / "scontrol", '[[ $* == "show hostnames node[7-8]" ]] && printf "node7\\nnode8\\n"')
    play(tmp_path / "srun", 'shift; for SLURM_NODEID in 0 1; do export SLURM_NODEID; "$@" </dev/null; done')
    slurm = {"SLURM_JOB_ID": "20013", "SLURM_JOB_NUM_NODES": "2", "SLURM_JOB_NODELIST": "node[7-8]"}
    slurm |= {"SLURM_SUBMIT_DIR": str(ROOT), "PATH": f"{tmp_path}:{os.environ['PATH']}", "PROCESSES": "8"}
    words = ["--dry-run", "model=a model", "data=b", "output=c", "parallel.pp=4"]
    lines = call("bash", "scripts/slurm/pretrain.sbatch", *words, **slurm).splitlines()
    assert len(lines) == 2
    for number, line in enumerate(lines):
        command = shlex.split(line)
        assert {"--nnodes=2", f"--node-rank={number}", "--nproc-per-node=8", "--master-addr=node7"} <= set(command)
        assert "--master-port=20013" in command
        assert command[-5:] == ["pretrain", *words[1:]]


def play(path: Path, text: str) -> None:
    path.write_text(f"#!/usr/bin/env bash\n{text}\n")
    path.chmod(0o755)
