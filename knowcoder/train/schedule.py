"""The learning rate over the steps of a run, for both training phases."""

from __future__ import annotations

import math

from knowcoder.config import TrainConfig


def rate_factor(step: int, config: TrainConfig) -> float:
    """Return the share of the peak learning rate with which update `step` (0-based) is made.

    A linear rise over `warmup_ratio` of the steps, then a cosine or a line down to `min_learning_rate_ratio`, which the
    last update has.
    """
    warmup = math.ceil(config.warmup_ratio * config.steps)
    if step < warmup:
        return (step + 1) / warmup
    progress = min(1.0, (step - warmup) / max(1, config.steps - 1 - warmup))
    fall = progress if config.schedule == "linear" else (1 - math.cos(math.pi * progress)) / 2
    return 1 - (1 - config.min_learning_rate_ratio) * fall
