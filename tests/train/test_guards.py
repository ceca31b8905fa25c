"""What is odd about a step is seen in its loss and gradient, and nothing is seen in a calm run."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowcoder.config import PretrainConfig
from knowcoder.train.guards import FEWEST, MOST_SKIPPED, WINDOW, LossWatch, Verdict

CALM = st.lists(st.floats(2.0, 2.2), min_size=FEWEST, max_size=2 * WINDOW)


def watched(losses: list[float], **keys: object) -> LossWatch:
    watch = LossWatch(PretrainConfig(**keys))  # type: ignore[arg-type]
    for loss in losses:
        watch.judge(loss, finite_gradient=True)
    return watch


@given(CALM, st.floats(50, 1e6))
def test_a_loss_far_above_the_last_ones_is_a_spike(losses: list[float], loss: float) -> None:
    assert watched(losses, on_spike="skip").judge(loss, True).action == "skip"
    assert watched(losses, on_spike="stop").judge(loss, True).action == "stop"
    noted = watched(losses).judge(loss, True)
    assert noted.action == "take"
    assert "spike" in noted.why
    assert watched(losses, spike=0, on_spike="skip").judge(loss, True) == Verdict()


@given(st.floats(1, 10), st.floats(0.5, 1.0), st.integers(1, 3 * WINDOW), st.randoms())
def test_a_falling_loss_with_noise_has_no_spike(first: float, ratio: float, count: int, rng: object) -> None:
    watch = LossWatch(PretrainConfig(on_spike="stop", spike=100.0))
    for step in range(count):
        noise = 1 + 0.02 * rng.random()  # type: ignore[attr-defined]
        assert watch.judge(first * (0.1 + ratio**step) * noise, True) == Verdict()


@given(CALM)
def test_a_loss_that_falls_is_no_spike(losses: list[float]) -> None:
    assert watched(losses, on_spike="stop").judge(0.0, True) == Verdict()


@pytest.mark.parametrize("loss", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("policy", ["skip", "stop"])
def test_what_is_no_number_follows_the_policy(loss: float, policy: str) -> None:
    watch = watched([], non_finite=policy)
    assert watch.judge(loss, True).action == policy
    assert watch.judge(1.0, finite_gradient=False).action == policy
    assert watch.judge(1.0, True) == Verdict()
    assert watch.recent == [1.0]


def test_skipping_has_an_end() -> None:
    watch = watched([], non_finite="skip")
    verdicts = [watch.judge(math.nan, True).action for _ in range(MOST_SKIPPED + 1)]
    assert verdicts == ["skip"] * MOST_SKIPPED + ["stop"]


@given(CALM, st.lists(st.floats(0.1, 1e3), max_size=30))
def test_a_resumed_watch_judges_as_the_unbroken_one(before: list[float], after: list[float]) -> None:
    whole = watched(before, on_spike="skip")
    resumed = LossWatch(PretrainConfig(on_spike="skip"), whole.recent)
    for loss in after[:MOST_SKIPPED]:
        assert whole.judge(loss, True) == resumed.judge(loss, True)
