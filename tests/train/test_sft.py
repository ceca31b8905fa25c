"""Instruction tuning: the same numbers as plain transformers, however the work is divided or cut off."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import msgspec
import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from knowcoder.config import LoraConfig, SftConfig
from knowcoder.errors import ConfigError, ModelError
from knowcoder.train.adapter import check_adapter
from knowcoder.train.attention import use_packed_attention
from knowcoder.train.rows import PackedRows, StepBatches
from knowcoder.train.schedule import rate_factor
from knowcoder.train.sft import sft
from knowcoder.train.trainer import TrainedPositions
from tests.packed import save_packed
from tests.small_models import SMALL, save_small_model

STEPS = 6
LENGTH = 48


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_packed(tmp_path_factory.mktemp("data"), max_length=LENGTH)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("model"))


def save_model(folder: Path, model_type: str = "llama", **changes: Any) -> Path:
    return save_small_model(folder, model_type, num_hidden_layers=2, tie_word_embeddings=True, **changes)


def config(model: Path, data: Path, output: Path, **keys: Any) -> SftConfig:
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
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "DS_ACCELERATOR": "cpu"}
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", __file__, str(settings_file)]
    done = subprocess.run([sys.executable, *command], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr[-3000:]


@pytest.mark.parametrize("model_type", ["llama", "qwen3"])
@pytest.mark.parametrize("packed", [False, True])
def test_loss_is_that_of_plain_transformers(model_type: str, packed: bool, tmp_path: Path, data: Path) -> None:
    """One document at a time, whole, without packing: that is what a packed row must give."""
    model = AutoModelForCausalLM.from_pretrained(save_model(tmp_path, model_type))
    rows = PackedRows(data)
    total, count = torch.tensor(0.0), 0
    for index in range(4):
        ids, positions, labels = rows.row(index)
        starts = [*(positions == 0).nonzero()[0].tolist(), len(ids)]
        for start, end in pairwise(starts):
            document = torch.tensor(ids[start:end])[None].long()
            target = torch.tensor(labels[start:end])[None].long()
            trained = int((target[:, 1:] != -100).sum())
            if trained:
                total = total + model(input_ids=document, labels=target).loss * trained
                count += trained
    plain = torch.autograd.grad(total, list(model.parameters()))
    if packed:
        assert use_packed_attention(model)
    batch = rows.batch([0, 1, 2, 3])
    logits = TrainedPositions(model).logits(model, batch, batch["trained"])
    ours = torch.nn.functional.cross_entropy(logits, batch["targets"], reduction="sum")
    assert logits.shape == (count, SMALL["vocab_size"])
    assert (ours - total).abs().item() / count < 1e-6
    for one, other in zip(torch.autograd.grad(ours, list(model.parameters())), plain, strict=True):
        assert torch.allclose(one, other, atol=1e-4, rtol=1e-4)


def test_attention_in_half_precision_is_the_masked_one(tmp_path: Path, data: Path) -> None:
    """Half precision takes another path than fp32: it may differ by no more than the model's own kernel does."""
    batch = PackedRows(data).batch([0, 1])
    model = AutoModelForCausalLM.from_pretrained(save_model(tmp_path))

    def gradient(half: bool) -> torch.Tensor:
        model.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=half):
            logits = TrainedPositions(model).logits(model, batch, batch["trained"])
            torch.nn.functional.cross_entropy(logits.float(), batch["targets"]).backward()
        return torch.cat([p.grad.flatten() for n, p in model.named_parameters() if "self_attn" in n])

    exact, own = gradient(False), gradient(True)
    assert use_packed_attention(model)
    ours = gradient(True)
    assert (ours - exact).norm() < 1.5 * (own - exact).norm()
    assert (own - exact).norm() < 0.1 * exact.norm()


def test_a_run_is_the_plain_loop(model: Path, data: Path, tmp_path: Path) -> None:
    settings = config(model, data, tmp_path / "run")
    facts = run(settings)
    rows = PackedRows(data)
    batches = StepBatches(rows, STEPS, 8, 8, settings.seed, 0, 1)
    reference = AutoModelForCausalLM.from_pretrained(model)
    groups = [
        {"params": [p for p in reference.parameters() if p.ndim >= 2], "weight_decay": settings.weight_decay},
        {"params": [p for p in reference.parameters() if p.ndim < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, betas=(settings.beta1, settings.beta2))
    expected = []
    for step, indices in enumerate(batches):
        for group in optimizer.param_groups:
            group["lr"] = settings.learning_rate * rate_factor(step, settings)
        batch = rows.batch(indices)
        hidden = reference.model(batch["input_ids"], position_ids=batch["position_ids"], use_cache=False)[0]
        logits = reference.lm_head(hidden).flatten(0, 1)[batch["trained"]]
        loss = torch.nn.functional.cross_entropy(logits, batch["targets"])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(reference.parameters(), settings.clip)
        optimizer.step()
        expected.append(loss.item())
    assert losses(tmp_path / "run") == pytest.approx(expected, abs=1e-5)
    assert facts["trained_tokens"] == sum(batches.trained_tokens(step) for step in range(STEPS))


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
    run(config(model, data, tmp_path / "whole", steps=20, save_every=5, keep_last=3, **keys))
    kept = sorted(path.name for path in (tmp_path / "whole" / "checkpoints").iterdir())
    assert kept == ["checkpoint-10", "checkpoint-15", "checkpoint-20"]
    resumed = tmp_path / "resumed"
    shutil.copytree(tmp_path / "whole/checkpoints/checkpoint-10", resumed / "checkpoints/checkpoint-10")
    run(config(model, data, resumed, steps=20, resume=True, **keys))
    name = "adapter_model" if "tuning" in keys else "model"
    whole, again = weights(tmp_path / "whole", name), weights(resumed, name)
    assert whole.keys() == again.keys()
    assert all(torch.equal(whole[key], again[key]) for key in whole)
    assert losses(resumed) == losses(tmp_path / "whole")[10:]


@pytest.mark.parametrize("keys", [{"deepspeed": "none"}, {"deepspeed": "zero2"}], ids=["ddp", "zero2"])
def test_two_processes_are_one(keys: dict[str, Any], model: Path, data: Path, tmp_path: Path) -> None:
    run(config(model, data, tmp_path / "one"))
    run_on_two(config(model, data, tmp_path / "two", **keys))
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), abs=2e-5)
    one, two = weights(tmp_path / "one"), weights(tmp_path / "two")
    assert all(torch.allclose(one[name], two[name], atol=1e-3) for name in one)
    facts = json.loads((tmp_path / "two.facts.json").read_text())
    assert facts["engine"] == ("DistributedDataParallel" if keys["deepspeed"] == "none" else "DeepSpeedEngine")


def test_adapter_under_zero3_is_whole(model: Path, data: Path, tmp_path: Path) -> None:
    lora = {"tuning": "lora", "lora": LoraConfig(rank=4, alpha=8.0, dropout=0.0)}
    run_on_two(config(model, data, tmp_path / "two", deepspeed="zero3", **lora))
    adapted = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(model), tmp_path / "two")
    check_adapter(tmp_path / "two", adapted)
    saved = weights(tmp_path / "two", "adapter_model")
    assert len(saved) == 2 * 7 * 2  # two halves for seven matrices in two layers
    run(config(model, data, tmp_path / "one", **lora))
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), abs=1e-4)


@pytest.mark.parametrize("model_type", ["llama", "qwen3"])
def test_the_adapter_is_a_plain_one(model_type: str, data: Path, tmp_path: Path) -> None:
    base = save_model(tmp_path / "base", model_type)
    run(config(base, data, tmp_path / "run", tuning="lora", steps=2))
    plain = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), tmp_path / "run").eval()
    ids = torch.arange(4, 4 + LENGTH)[None]
    last = tmp_path / "run/checkpoints/checkpoint-2"
    ours = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), last).eval()
    assert torch.equal(plain(input_ids=ids).logits, ours(input_ids=ids).logits)
    with plain.disable_adapter():
        untouched = plain(input_ids=ids).logits
    assert not torch.allclose(untouched, plain(input_ids=ids).logits)
    assert (tmp_path / "run" / "knowcoder.json").is_file()
    names = weights(tmp_path / "run", "adapter_model").keys()
    assert all(".layers." in name for name in names), "embeddings and head are left alone"


def test_the_model_is_a_plain_one(model: Path, data: Path, tmp_path: Path) -> None:
    run(config(model, data, tmp_path / "run", steps=2))
    trained = AutoModelForCausalLM.from_pretrained(tmp_path / "run")
    assert trained.config._attn_implementation == "sdpa"
    assert trained.generate(torch.tensor([[1, 5]]), max_new_tokens=4, min_new_tokens=4).shape == (1, 6)
    last = weights(tmp_path / "run/checkpoints/checkpoint-2")
    assert all(torch.equal(tensor, last[name]) for name, tensor in weights(tmp_path / "run").items())
    assert not (tmp_path / "run/training_args.bin").exists()


def test_what_cannot_be_is_said(model: Path, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with pytest.raises(ConfigError, match="muon"):
        run(config(model, data, out, optimizer="muon", deepspeed="zero1"))
    with pytest.raises(ConfigError, match="muon"):
        run(config(model, data, out, optimizer="muon", tuning="lora"))
    with pytest.raises(ConfigError, match="global_batch=7"):
        run(config(model, data, out, global_batch=7))
    with pytest.raises(ModelError, match="rows of 48 tokens, the model takes 32"):
        run(config(save_model(tmp_path / "short", max_position_embeddings=32), data, out))
    with pytest.raises(ModelError, match="nowhere"):
        run(config(tmp_path / "nowhere", data, out))


def test_a_step_without_trained_tokens_changes_nothing_and_ends_nothing(
    model: Path, data: Path, tmp_path: Path
) -> None:
    rows = PackedRows(data)
    empty = next(seed for seed in range(1000) if not StepBatches(rows, 1, 2, 1, seed, 0, 1).trained_tokens(0))
    run(config(model, data, tmp_path / "run", steps=1, global_batch=2, micro_batch=1, seed=empty, weight_decay=0.0))
    assert losses(tmp_path / "run") == [0.0]
    before, after = weights(model), weights(tmp_path / "run")
    assert all(torch.equal(before[name], after[name]) for name in before)


if __name__ == "__main__":
    given = msgspec.json.decode(Path(sys.argv[1]).read_bytes(), type=SftConfig)
    made = sft(given, Path(given.output))
    if os.environ["RANK"] == "0":
        Path(sys.argv[1]).with_suffix(".facts.json").write_text(json.dumps(made))
