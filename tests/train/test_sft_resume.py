"""A run of instruction tuning that is cut off, torn or told to stop ends as the unbroken one does."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from knowcoder.config import LoraConfig
from knowcoder.errors import StoppedError
from tests.distributed import ROOT
from tests.tuning import losses, run, settings, weights


@pytest.mark.parametrize(
    "keys",
    [
        {"precision": "bf16"},
        {"optimizer": "muon", "gradient_checkpointing": True},
        {"tuning": "lora", "lora": LoraConfig(rank=4, alpha=8.0, dropout=0.5)},
    ],
    ids=["adamw", "muon", "lora"],
)
def test_cut_off_and_resumed_is_unbroken(keys: dict[str, Any], model: Path, data: Path, tmp_path: Path) -> None:
    run(settings(model, data, tmp_path / "whole", steps=20, save_every=5, keep_last=3, **keys))
    kept = sorted(path.name for path in (tmp_path / "whole" / "checkpoints").iterdir())
    assert kept == ["checkpoint-10", "checkpoint-15", "checkpoint-20"]
    resumed = tmp_path / "resumed"
    shutil.copytree(tmp_path / "whole/checkpoints/checkpoint-10", resumed / "checkpoints/checkpoint-10")
    run(settings(model, data, resumed, steps=20, resume=True, **keys))
    name = "adapter_model" if "tuning" in keys else "model"
    whole, again = weights(tmp_path / "whole", name), weights(resumed, name)
    assert whole.keys() == again.keys()
    assert all(torch.equal(whole[key], again[key]) for key in whole)
    assert losses(resumed) == losses(tmp_path / "whole")[10:]


def test_a_torn_checkpoint_is_left_out(
    model: Path, data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keys = {"steps": 8, "save_every": 2, "keep_last": 9}
    whole = tmp_path / "whole"
    run(settings(model, data, whole, **keys))
    torn = tmp_path / "torn"
    shutil.copytree(whole / "checkpoints", torn / "checkpoints")
    shutil.rmtree(torn / "checkpoints/checkpoint-8")
    with open(torn / "checkpoints/checkpoint-6/optimizer.pt", "r+b") as file:
        file.truncate(100)
    (torn / "checkpoints/checkpoint-4/rng_state.pth").unlink()
    (torn / "checkpoints/.partial/checkpoint-8").mkdir(parents=True)
    run(settings(model, data, torn, resume=True, **keys))
    assert losses(torn) == losses(whole)[2:]
    assert all(torch.equal(weights(whole)[name], weights(torn)[name]) for name in weights(whole))
    said = capsys.readouterr().out
    assert "checkpoint-6 is not whole and is left out: optimizer.pt has 100 bytes instead of" in said
    assert "checkpoint-4 is not whole and is left out: rng_state.pth is missing" in said
    left = sorted(path.name for path in (torn / "checkpoints").iterdir())
    assert left == ["checkpoint-2", "checkpoint-4", "checkpoint-6", "checkpoint-8"]


def test_a_run_that_is_told_to_stop_saves_and_goes_on(model: Path, data: Path, tmp_path: Path) -> None:
    keys = {"steps": 20, "tuning": "lora", "lora": LoraConfig(rank=4, alpha=8.0, dropout=0.5)}
    run(settings(model, data, tmp_path / "whole", **keys))
    stopped = tmp_path / "stopped"

    def tell() -> None:
        while not (stopped / "metrics.jsonl").is_file() or len(losses(stopped)) < 3:
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    messenger = threading.Thread(target=tell)
    messenger.start()
    with pytest.raises(StoppedError, match="continue with resume=true") as caught:
        run(settings(model, data, stopped, **keys))
    messenger.join()
    (saved,) = (stopped / "checkpoints").iterdir()
    assert f"step {saved.name.removeprefix('checkpoint-')} is saved" in str(caught.value)
    assert not (stopped / "adapter_model.safetensors").exists()
    facts = run(settings(model, data, stopped, resume=True, **keys))
    assert facts["steps"] == 20
    one, other = (weights(tmp_path / name, "adapter_model") for name in ("whole", "stopped"))
    assert all(torch.equal(one[name], other[name]) for name in one)
    assert losses(stopped) == losses(tmp_path / "whole")


@pytest.mark.slow
def test_two_ranks_are_told_through_the_command(model: Path, data: Path, tmp_path: Path) -> None:
    output = tmp_path / "run"
    words = [f"model={model}", f"data={data}", f"output={output}", "tuning=full", "precision=fp32", "steps=100000"]
    words += ["global_batch=4", "micro_batch=2", "log_every=1", "parallel.processes=2", "deepspeed=zero2"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "CUDA_VISIBLE_DEVICES": ""}
    started = subprocess.Popen(
        [sys.executable, "-m", "knowcoder.cli", "sft", *words], env=environment, stderr=subprocess.PIPE, text=True
    )
    deadline = time.monotonic() + 120
    while not (output / "metrics.jsonl").is_file() or len(losses(output)) < 3:
        assert started.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.1)
    started.send_signal(signal.SIGUSR1)
    _, said = started.communicate(timeout=60)
    (saved,) = (output / "checkpoints").iterdir()
    step = int(saved.name.removeprefix("checkpoint-"))
    assert started.returncode == 75
    assert said.splitlines()[-1].endswith(f"told to stop; step {step} is saved, continue with resume=true")
    assert json.loads((output / "manifest.json").read_text())["state"] == "running"
