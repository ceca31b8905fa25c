"""A run that is told to stop saves and says how to go on; it goes on with other stages, and says when it is done."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from knowcoder import artefact, cli, jsonl
from knowcoder.train import checkpoints
from tests.distributed import ROOT
from tests.packed import save_packed
from tests.small_models import save_small_model

STEPS = 100


def begin(words: list[str]) -> subprocess.Popen[str]:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "DS_ACCELERATOR": "cpu"}
    command = [sys.executable, "-m", "knowcoder.cli", *words]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)


def lines(run_dir: Path) -> int:
    metrics = run_dir / "metrics.jsonl"
    return metrics.read_bytes().count(b"\n") if metrics.is_file() else 0


def test_stop_go_on_and_be_done(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = save_small_model(tmp_path / "model", hidden_size=16, num_hidden_layers=2)
    run_dir = tmp_path / "run"
    words = [f"model={model}", f"data={save_packed(tmp_path / 'data')}", f"output={run_dir}", f"steps={STEPS}"]
    words = ["pretrain", *words, "precision=fp32", "global_batch=8", "micro_batch=4", "save_every=1000", "log_every=1"]
    started = begin([*words, "parallel.pp=2", "parallel.processes=2"])
    try:
        deadline = time.monotonic() + 180
        while lines(run_dir) < 3:
            assert started.poll() is None, started.communicate()[1]
            assert time.monotonic() < deadline
            time.sleep(0.02)
        started.send_signal(signal.SIGUSR1)
        _, said = started.communicate(timeout=180)
    finally:
        started.kill()
        started.wait()
    assert started.returncode == 75, said
    (saved,) = checkpoints.steps(run_dir)
    step = checkpoints.read_state(saved).step
    assert 3 <= step < STEPS
    assert f"told to stop; step {step} is saved, continue with resume=true" in said
    manifest = artefact.read_manifest(run_dir)
    assert manifest is not None
    assert manifest.state == "running"

    goes_on = begin([*words, "parallel.processes=1", "resume=true"])
    assert goes_on.communicate(timeout=240)[1] is not None
    assert goes_on.returncode == 0
    assert artefact.require(run_dir, "pretrain", key="model").facts["steps"] == STEPS
    logged = [line["step"] for line in jsonl.read(run_dir / "metrics.jsonl", dict[str, Any])]
    assert logged == list(range(1, STEPS + 1))

    assert cli.main([*words, "parallel.processes=1", "resume=true"]) == 0
    assert "complete already, nothing to resume" in capsys.readouterr().out
