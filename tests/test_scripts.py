"""The launchers: what they say they would start, on one machine, on several, and under Slurm."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from knowcoder import artefact, jsonl
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
    assert command[1:3] == ["-m", "knowcoder.train.torchrun"]
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


def test_a_hostfile_starts_every_machine_by_its_name(tmp_path: Path) -> None:
    """What is printed reaches each machine and gives, there, the command that its own call would print."""
    hosts = tmp_path / "hosts"
    hosts.write_text("# the rack on the left\nnode-a slots=8\n\nnode-b slots=4\n")
    words = ["--dry-run", "model=a model", "data=b", "output=c"]
    lines = call("bash", "scripts/pretrain.sh", *words, HOSTFILE=str(hosts)).splitlines()
    assert len(lines) == 2
    for number, (line, name, slots) in enumerate(zip(lines, ("node-a", "node-b"), (8, 4), strict=True)):
        *remote, host, command = shlex.split(line)
        assert remote == ["ssh", "-tt", "-o", "BatchMode=yes"]
        assert host == name
        said = call("bash", "-c", command.replace("launch.sh pretrain", "launch.sh pretrain --dry-run"))
        wanted = {"--nnodes=2", f"--node-rank={number}", f"--nproc-per-node={slots}", "--master-addr=node-a"}
        assert wanted <= set(shlex.split(said))
        assert shlex.split(said)[-3:] == words[1:]


def test_a_machine_that_fails_ends_the_others(tmp_path: Path) -> None:
    hosts = tmp_path / "hosts"
    hosts.write_text("good slots=1\nbad slots=1\n")
    play(tmp_path / "reach", "[[ $1 == bad ]] && exit 7; exec sleep 600")
    done = launch({"HOSTFILE": str(hosts), "REMOTE_SHELL": str(tmp_path / "reach")}, "model=a")
    assert done.returncode == 7


@pytest.mark.parametrize("text", ["", "node-a\n", "node-a slots=8 node-b\n"])
def test_a_hostfile_that_is_none_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "hosts").write_text(text)
    done = launch({"HOSTFILE": str(tmp_path / "hosts")}, "--dry-run", "model=a")
    assert done.returncode == 2
    assert done.stderr.startswith(str(tmp_path / "hosts"))


def launch(settings: dict[str, str], *words: str) -> subprocess.CompletedProcess[str]:
    """`pretrain.sh` with its exit code."""
    command = ["bash", "scripts/pretrain.sh", *words]
    environment = {name: value for name, value in os.environ.items() if name not in CLUSTER} | settings
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_two_machines_train_together_and_save_when_told_to_stop(tmp_path: Path) -> None:
    """Two clones of the project on the loopback, each its own working folder, and one output that both see.

    After some steps both get the signal with which Slurm warns of the end of a job's time.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    words = [f"model={save_small_model(tmp_path / 'model')}", f"data={save_packed(tmp_path / 'data')}"]
    words += [f"output={tmp_path / 'run'}", "parallel.pp=2", "steps=100000", "global_batch=4", "micro_batch=2"]
    words += ["precision=fp32", "log_every=2", "save_every=100000"]
    environment = os.environ | {"NNODES": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "PROCESSES": "1"}
    environment |= {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "CUDA_VISIBLE_DEVICES": ""}
    machines = []
    for number in ("0", "1"):
        clone = tmp_path / f"machine {number}"
        clone.mkdir()
        shutil.copytree(ROOT / "scripts", clone / "scripts")
        for name in ("knowcoder", "configs"):
            (clone / name).symlink_to(ROOT / name)
        own = environment | {"NODE_RANK": number}
        command = ["bash", "scripts/pretrain.sh", *words]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT}
        machines.append(subprocess.Popen(command, cwd=clone, env=own, text=True, **pipes))
    metrics = tmp_path / "run" / "metrics.jsonl"
    latest = time.monotonic() + 240
    try:
        while not metrics.is_file() and all(machine.poll() is None for machine in machines):
            assert time.monotonic() < latest, "no step was trained"
            time.sleep(0.2)
        for machine in machines:
            machine.send_signal(signal.SIGUSR1)
        said = [machine.communicate(timeout=240)[0] for machine in machines]
    finally:
        for machine in machines:
            machine.kill()
    assert [machine.returncode for machine in machines] == [128 + signal.SIGUSR1] * 2, said
    step = (tmp_path / "run" / "latest").read_text()
    assert all(f"told to stop; step {step.removeprefix('step')} is saved" in text for text in said)
    assert (tmp_path / "run" / step / "state.json").is_file()
    manifest = artefact.read_manifest(tmp_path / "run")
    assert manifest is not None
    assert manifest.state == "running"
    assert jsonl.read_json(tmp_path / "run" / "run.json")["processes"] == 2
    assert {path.name for path in (tmp_path / "run" / "logs").iterdir()} == {"rank-000.log", "rank-001.log"}


SLURM = {"SLURM_JOB_ID": "20013", "SLURM_JOB_NUM_NODES": "2", "SLURM_JOB_NODELIST": "node[7-8]", "PROCESSES": "8"}
SLURM |= {"SLURM_SUBMIT_DIR": str(ROOT)}


@pytest.fixture
def cluster(tmp_path: Path) -> dict[str, str]:
    """Two machines, played by two small programs: `srun` starts the task of each, one after the other."""
    play(
        tmp_path / "scontrol",
        '[[ $* == "show hostnames node[7-8]" ]] && printf "node7\\nnode8\\n"; '
        '[[ $1 == requeue ]] && echo "$2" >>"$0.requeued"; true',
    )
    play(
        tmp_path / "srun",
        'while [[ $1 == --* ]]; do shift; done; [[ -z ${ENDS:-} ]] || exit "$ENDS"; '
        'for SLURM_NODEID in 0 1; do export SLURM_NODEID; "$@" </dev/null; done',
    )
    play(tmp_path / "sbatch", 'printf "%s\n" "$@"')
    return SLURM | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}


@pytest.mark.parametrize("verb", ["pretrain", "sft"])
def test_slurm_starts_the_launcher_once_per_machine(verb: str, cluster: dict[str, str]) -> None:
    """Every machine gets the same call and its own number; a job that was put back resumes."""
    words = ["--dry-run", "model=a model", "data=b", "output=c", "global_batch=4"]
    lines = call("bash", f"scripts/slurm/{verb}.sbatch", *words, **cluster).splitlines()
    assert len(lines) == 2
    for number, line in enumerate(lines):
        command = shlex.split(line)
        assert {"--nnodes=2", f"--node-rank={number}", "--nproc-per-node=8", "--master-addr=node7"} <= set(command)
        assert "--master-port=20013" in command
        assert command[-5:] == [verb, *words[1:]]
    lines = call("bash", f"scripts/slurm/{verb}.sbatch", *words, SLURM_RESTART_COUNT="1", **cluster).splitlines()
    assert [shlex.split(line)[-1] for line in lines] == ["resume=true"] * 2


@pytest.mark.parametrize(("code", "requeued"), [(0, False), (1, False), (75, True), (138, True), (143, True)])
def test_slurm_puts_a_job_that_was_told_to_stop_back(
    code: int, requeued: bool, cluster: dict[str, str], tmp_path: Path
) -> None:
    words = ["bash", "scripts/slurm/pretrain.sbatch", "model=a"]
    environment = os.environ | cluster | {"ENDS": str(code) if code else ""}
    if not code:
        words.insert(2, "--dry-run")
    done = subprocess.run(words, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code
    assert (tmp_path / "scontrol.requeued").is_file() == requeued


GRID = ["learning_rate=1e-4,3e-4", "model=/models/a,/models/b", "style=[x,y]", "data=d", "output=sweep"]


def test_a_sweep_runs_every_point_of_its_grid_once() -> None:
    lines = call("bash", "scripts/sweep.sh", "--dry-run", "sft", *GRID).splitlines()
    found = [shlex.split(line) for line in lines]
    assert all(words[:5] == ["bash", "scripts/launch.sh", "sft", "style=[x,y]", "data=d"] for words in found)
    points = [
        [f"learning_rate={rate}", f"model=/models/{model}", f"output=sweep/learning_rate={rate}_model={model}"]
        for rate in ("1e-4", "3e-4")
        for model in "ab"
    ]
    assert [words[5:] for words in found] == points
    for number, line in enumerate(lines):  # each alone, as a task of an array job runs it
        assert call("bash", "scripts/sweep.sh", "--dry-run", "--point", str(number), "sft", *GRID) == f"{line}\n"


def test_a_sweep_is_one_array_job(cluster: dict[str, str]) -> None:
    settings = cluster | {"SBATCH_OPTIONS": "--gpus-per-node=8 --time=1:00:00"}
    words = call("bash", "scripts/sweep.sh", "--slurm", "sft", *GRID, **settings).splitlines()
    options = ["--array=0-3", "--gpus-per-node=8", "--time=1:00:00"]
    assert words == [*options, "scripts/slurm/sweep.sbatch", "sft", *GRID]


def test_a_run_of_a_sweep_is_an_ordinary_run(tmp_path: Path) -> None:
    words = ["world", "seed=1,2", "sentences=200", f"output={tmp_path}"]
    call("bash", "scripts/sweep.sh", *words)
    assert {path.name for path in tmp_path.iterdir()} == {"seed=1", "seed=2"}
    artefact.require(tmp_path / "seed=2" / "corpus", "corpus", key="corpus")
    again = subprocess.run(
        ["bash", "scripts/sweep.sh", *words], cwd=ROOT, capture_output=True, text=True, timeout=120, check=False
    )
    assert again.returncode == 1
    assert "2 of 2 runs failed" in again.stderr


def play(path: Path, text: str) -> None:
    path.write_text(f"#!/usr/bin/env bash\n{text}\n")
    path.chmod(0o755)
