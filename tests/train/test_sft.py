"""Instruction tuning: the same numbers as plain transformers, however the work is divided or cut off."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM

from knowcoder.errors import ConfigError, ModelError
from knowcoder.train.attention import use_packed_attention
from knowcoder.train.rows import PackedRows, StepBatches
from knowcoder.train.schedule import rate_factor
from knowcoder.train.trainer import TrainedPositions
from tests.small_models import SMALL
from tests.tuning import STEPS, losses, run, save_model, settings, weights


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
    chosen = settings(model, data, tmp_path / "run")
    facts = run(chosen)
    rows = PackedRows(data)
    batches = StepBatches(rows, STEPS, 8, 8, chosen.seed, 0, 1)
    reference = AutoModelForCausalLM.from_pretrained(model)
    groups = [
        {"params": [p for p in reference.parameters() if p.ndim >= 2], "weight_decay": chosen.weight_decay},
        {"params": [p for p in reference.parameters() if p.ndim < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, betas=(chosen.beta1, chosen.beta2))
    expected = []
    for step, indices in enumerate(batches):
        for group in optimizer.param_groups:
            group["lr"] = chosen.learning_rate * rate_factor(step, chosen)
        batch = rows.batch(indices)
        hidden = reference.model(batch["input_ids"], position_ids=batch["position_ids"], use_cache=False)[0]
        logits = reference.lm_head(hidden).flatten(0, 1)[batch["trained"]]
        loss = torch.nn.functional.cross_entropy(logits, batch["targets"])
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(reference.parameters(), chosen.clip)
        optimizer.step()
        expected.append(loss.item())
    assert losses(tmp_path / "run") == pytest.approx(expected, abs=1e-5)
    assert facts["trained_tokens"] == sum(batches.trained_tokens(step) for step in range(STEPS))


def test_the_model_is_a_plain_one(model: Path, data: Path, tmp_path: Path) -> None:
    run(settings(model, data, tmp_path / "run", steps=2))
    trained = AutoModelForCausalLM.from_pretrained(tmp_path / "run")
    assert trained.config._attn_implementation == "sdpa"
    assert trained.generate(torch.tensor([[1, 5]]), max_new_tokens=4, min_new_tokens=4).shape == (1, 6)
    last = weights(tmp_path / "run/checkpoints/checkpoint-2")
    assert all(torch.equal(tensor, last[name]) for name, tensor in weights(tmp_path / "run").items())
    assert not (tmp_path / "run/training_args.bin").exists()


def test_what_cannot_be_is_said(model: Path, data: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with pytest.raises(ConfigError, match="muon"):
        run(settings(model, data, out, optimizer="muon", deepspeed="zero1"))
    with pytest.raises(ConfigError, match="muon"):
        run(settings(model, data, out, optimizer="muon", tuning="lora"))
    with pytest.raises(ConfigError, match="global_batch=7"):
        run(settings(model, data, out, global_batch=7))
    with pytest.raises(ModelError, match="rows of 48 tokens, the model takes 32"):
        run(settings(save_model(tmp_path / "short", max_position_embeddings=32), data, out))
    with pytest.raises(ModelError, match="nowhere"):
        run(settings(tmp_path / "nowhere", data, out))


def test_a_step_without_trained_tokens_changes_nothing_and_ends_nothing(
    model: Path, data: Path, tmp_path: Path
) -> None:
    rows = PackedRows(data)
    empty = next(seed for seed in range(1000) if not StepBatches(rows, 1, 2, 1, seed, 0, 1).trained_tokens(0))
    run(settings(model, data, tmp_path / "run", steps=1, global_batch=2, micro_batch=1, seed=empty, weight_decay=0.0))
    assert losses(tmp_path / "run") == [0.0]
    before, after = weights(model), weights(tmp_path / "run")
    assert all(torch.equal(before[name], after[name]) for name in before)
