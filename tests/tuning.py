"""Small runs of instruction tuning, for tests: in this process, or as a script on two."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import msgspec
import torch
from safetensors.torch import load_file

from knowcoder.config import SftConfig
from knowcoder.train.sft import sft
from tests.distributed import run_ranks
from tests.small_models import save_small_model

STEPS = 6
LENGTH = 48


def save_model(folder: Path, model_type: str = "llama", **changes: Any) -> Path:
    return save_small_model(folder, model_type, num_hidden_layers=2, tie_word_embeddings=True, **changes)


def settings(model: Path, data: Path, output: Path, **keys: Any) -> SftConfig:
    usual: dict[str, Any] = {
        "tuning": "full",
        "steps": STEPS,
        "global_batch": 8,
        "micro_batch": 2,
        "learning_rate": 1e-2,
        "precision": "fp32",
        "log_every": 1,
        "save_every": 1000,
    }
    return SftConfig(output=str(output), model=str(model), data=str(data), **{**usual, **keys})


def run(settings: SftConfig) -> dict[str, Any]:
    return sft(settings, Path(settings.output))


def losses(folder: Path) -> list[float]:
    return [json.loads(line)["loss"] for line in (folder / "metrics.jsonl").read_text().splitlines()]


def weights(folder: Path, name: str = "model") -> dict[str, torch.Tensor]:
    return load_file(folder / f"{name}.safetensors")


def run_on_two(settings: SftConfig) -> None:
    """Run under torchrun with two processes over gloo; this file is the script."""
    settings_file = Path(settings.output).with_suffix(".json")
    settings_file.write_bytes(msgspec.json.encode(settings))
    run_ranks(2, Path(__file__), str(settings_file))


def facts_of_two(output: Path) -> dict[str, Any]:
    facts: dict[str, Any] = json.loads(output.with_suffix(".facts.json").read_text())
    return facts


if __name__ == "__main__":
    given = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=SftConfig)
    made = sft(given, Path(given.output))
    if os.environ["RANK"] == "0":
        Path(sys.argv[1]).with_suffix(".facts.json").write_text(json.dumps(made))
