"""What is looked at before a gradient is used: whether loss and gradient are finite, and whether the loss jumps.

The same small exchange between the ranks carries what they must agree on at every step: being asked to stop, and
whether a checkpoint is still being written.
"""

from __future__ import annotations

import math
import statistics
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
import torch.distributed as dist

from knowcoder.config import PretrainConfig
from knowcoder.train.saver import Saver
from knowcoder.train.stopping import StopSignal

WINDOW = 64  # losses that a spike is measured by
FEWEST = 16  # losses without which nothing is called a spike
MOST_SKIPPED = 10  # steps in a row: more is no accident
_OF_NORMAL = 1.4826  # a normal distribution's standard deviation is so many times its median absolute deviation
_LEAST_DEVIATION = 1e-3  # of the median, so that a loss that stands still has no spikes


@dataclass(frozen=True)
class Verdict:
    """What becomes of a step.

    Attributes:
        action: "take", "skip" or "stop". why: what is odd about it, if anything.
    """

    action: str = "take"
    why: str = ""


class LossWatch:
    """Judges steps by their loss and gradient, in order; the same figures have the same verdicts."""

    def __init__(self, config: PretrainConfig, recent: Iterable[float] = ()) -> None:
        self._config = config
        self._recent = deque(recent, WINDOW)
        self._in_a_row = 0

    @property
    def recent(self) -> list[float]:
        """The losses that a spike is measured by."""
        return list(self._recent)

    def judge(self, loss: float, finite_gradient: bool) -> Verdict:
        """Return what becomes of the next step."""
        why, action = "", "take"
        if not math.isfinite(loss):
            why, action = f"its loss is {loss}", self._config.non_finite
        elif not finite_gradient:
            why, action = "its gradient is not finite", self._config.non_finite
        elif (away := self._deviations(loss)) > self._config.spike > 0:
            why = f"its loss, {loss:.4g}, is a spike: {away:.3g} deviations above the last ones"
            action = {"log": "take"}.get(self._config.on_spike, self._config.on_spike)
        if action == "take":
            self._recent.append(loss)
            self._in_a_row = 0
        else:
            self._in_a_row += 1
            if self._in_a_row > MOST_SKIPPED:
                why, action = f"{why}; {MOST_SKIPPED} steps before it were skipped", "stop"
        return Verdict(action, why)

    def _deviations(self, loss: float) -> float:
        if len(self._recent) < FEWEST:
            return 0.0
        median = statistics.median(self._recent)
        spread = _OF_NORMAL * statistics.median(abs(other - median) for other in self._recent)
        return (loss - median) / max(spread, _LEAST_DEVIATION * abs(median), 1e-12)


class StepGuard:
    """Stands between the gradient of every step and the optimizer.

    Attributes:
        verdict: of the last step; `verdict.action` is the same on all ranks.
        loss: of the last step, over all ranks.
        stop_asked: whether a rank was asked to stop. writing: whether a rank still writes a checkpoint.
    """

    def __init__(self, engine: Any, watch: LossWatch, saver: Saver, stop: StopSignal, fp16: bool) -> None:
        self.verdict, self.loss = Verdict(), math.nan
        self.stop_asked = self.writing = False
        self._engine, self._watch, self._saver, self._stop, self._fp16 = engine, watch, saver, stop, fp16
        self._take = engine._take_model_step
        engine._take_model_step = self._guarded

    @property
    def recent(self) -> list[float]:
        """The losses that a spike is measured by."""
        return self._watch.recent

    def _guarded(self, *arguments: Any) -> None:
        engine, gradients = self._engine, _gradients(self._engine.optimizer)
        # With fp16 the engine itself skips steps with too large gradients, until it has found a scale.
        bad = not self._fp16 and not _finite(gradients)
        share = engine.total_loss / (engine.micro_batches * engine.dp_world_size) if engine.is_last_stage() else 0.0
        flags = [float(share), float(bad), float(self._stop.asked), float(self._saver.writing)]
        exchanged = torch.tensor(flags, dtype=torch.float64, device=engine.device)
        dist.all_reduce(exchanged)
        self.loss, bad_ranks, stop, writing = exchanged.tolist()
        self.stop_asked, self.writing = stop > 0, writing > 0
        self.verdict = self._watch.judge(self.loss, not bad_ranks)
        if self.verdict.action != "take":  # the engine throws away a step whose gradient is not finite
            for gradient in gradients:
                gradient.fill_(math.inf)
        self._take(*arguments)


def _gradients(optimizer: Any) -> list[torch.Tensor]:
    """Return this rank's gradients, summed over micro-batches and data-parallel ranks."""
    if hasattr(optimizer, "fp32_groups_gradient_flat_partition"):  # bf16
        return list(optimizer.fp32_groups_gradient_flat_partition)
    return [gradient for group in optimizer.averaged_gradients.values() for gradient in group or ()]


def _finite(gradients: list[torch.Tensor]) -> bool:
    norms = torch._foreach_norm(gradients)
    return bool(torch.stack(norms).isfinite().all()) if norms else True
