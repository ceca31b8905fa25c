"""The loss of a step is the mean over its trained tokens, however they lie in rows, micro-batches and chunks."""

from __future__ import annotations

import random

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from knowcoder.train import loss as loss_module
from knowcoder.train.loss import chunked_loss, token_losses
from tests.train.pieces import Outcome, PackedBatch, TwoStages, assert_same, family_model, whole

ROWS, LENGTH, WIDTH, VOCABULARY = 8, 24, 8, 40


@given(st.integers(0, 60), st.integers(1, 70), st.floats(1.0, 5.0))
@settings(max_examples=40, deadline=None)
def test_chunks_equal_all_logits_at_once(tokens: int, chunk: int, cap: float) -> None:
    torch.manual_seed(tokens)
    head = torch.nn.Linear(WIDTH, VOCABULARY).double()
    hidden = torch.randn(tokens, WIDTH, dtype=torch.float64, requires_grad=True)
    targets = torch.randint(VOCABULARY, (tokens,))

    def logits(part: torch.Tensor) -> torch.Tensor:
        assert len(part) <= max(chunk, 1)
        return cap * torch.tanh(head(part) / cap)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loss_module, "LOGITS_AT_ONCE", chunk * VOCABULARY)
        total, found = chunked_loss(logits, hidden, targets, VOCABULARY, head.parameters())
    inputs = [hidden, *head.parameters()]
    gradients = torch.autograd.grad(total * 3, inputs)
    expected = token_losses(cap * torch.tanh(head(hidden) / cap), targets)
    assert torch.equal(found, expected)
    assert torch.equal(total, expected.sum())
    for one, other in zip(
        gradients, torch.autograd.grad(expected.sum() * 3, [hidden, *head.parameters()]), strict=True
    ):
        assert torch.allclose(one, other, rtol=1e-5, atol=1e-6)


@given(st.integers(0, 999), st.sampled_from([1, 2, 4, 8]))
@settings(max_examples=12, deadline=None)
def test_micro_batches_and_ranks_equal_the_whole_batch(seed: int, rows: int) -> None:
    """Every row has its own share of trained tokens, and some have none; so do some micro-batches, then."""
    batch = PackedBatch.random(ROWS)
    rng = random.Random(seed)
    shares = [rng.choice([0.0, 0.1, 1.0]) for _ in range(ROWS)]
    shares[rng.randrange(ROWS)] = 1.0
    kept = torch.tensor([rng.random() < shares[place // LENGTH] for place in batch.places.tolist()])
    batch.places, batch.targets = batch.places[kept], batch.targets[kept]
    expected = whole(MODEL, batch)
    count = ROWS // rows  # micro-batches over all ranks, by which the engine divides
    factor = count / len(batch.targets)
    total, gradients = 0.0, {name: torch.zeros_like(g) for name, g in expected.gradients.items()}
    for start in range(0, ROWS, rows):
        inside = (batch.places >= start * LENGTH) & (batch.places < (start + rows) * LENGTH)
        part = PackedBatch(
            batch.ids[start : start + rows],
            batch.positions[start : start + rows],
            batch.places[inside] - start * LENGTH,
            batch.targets[inside],
        )
        found = STAGES.run(part, 3, factor=factor)
        total += found.loss
        for name, gradient in found.gradients.items():
            gradients[name] += gradient
    assert total / count == pytest.approx(expected.loss, rel=1e-6)
    means = {name: gradient / count for name, gradient in gradients.items()}
    assert_same(Outcome(expected.logits, total / count, means), expected, 2e-6)


def test_a_step_without_any_trained_token_has_a_loss_and_gradients_of_nothing() -> None:
    batch = PackedBatch.random()
    nothing = PackedBatch(batch.ids, batch.positions, batch.places[:0], batch.targets[:0])
    found = STAGES.run(nothing, 3, factor=1.0)
    assert found.loss == 0.0
    assert found.gradients
    assert not any(gradient.any() for gradient in found.gradients.values())


MODEL = family_model("qwen3")
STAGES = TwoStages(MODEL)
