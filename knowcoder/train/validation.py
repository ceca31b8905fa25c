"""The loss on rows that are not trained on, by kind of sample."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from knowcoder.errors import ConfigError
from knowcoder.train.pipeline import HeadLoss
from knowcoder.train.rows import PackedRows

_OF_TOKENS = ("trained", "targets", "kinds")


class Validation:
    """Held-out rows, every one of which is seen once whatever the number of stages and ranks.

    Raises:
        ConfigError: its rows are longer than those that are trained on.
    """

    def __init__(self, folder: Path, max_length: int, micro_batch: int, dp_rank: int, dp: int) -> None:
        self.rows = PackedRows(folder)
        if self.rows.max_length > max_length:
            raise ConfigError(
                f"eval_data={folder}: has rows of {self.rows.max_length} tokens, data has rows of {max_length}; pack "
                "both with the same max_length"
            )
        self.rows.max_length = max_length  # stages exchange messages of one shape
        self._micro_batch, self._dp_rank, self._dp = micro_batch, dp_rank, dp
        self._count = -(-len(self.rows) // (micro_batch * dp))
        self._kinds: list[torch.Tensor] = []
        self._sums = torch.zeros(0)

    def measure(self, engine: Any, loss: HeadLoss) -> dict[str, float]:
        """Return `eval_loss` over all tokens to be predicted, and `eval_loss_KIND`; all ranks must call it."""
        self._kinds, self._sums = [], torch.zeros(2, len(self.rows.kinds), dtype=torch.float64, device=engine.device)
        loss.observe = self._add
        try:
            engine.eval_batch(
                self._micro_batches(engine, loss), reduce_output=None, bcast_loss=False, num_micro_batches=self._count
            )
        finally:
            loss.observe = None
        dist.all_reduce(self._sums)
        losses, tokens = self._sums.tolist()
        named = zip(self.rows.kinds, losses, tokens, strict=True)
        return {"eval_loss": sum(losses) / max(1, sum(tokens))} | {
            f"eval_loss_{kind}": total / count for kind, total, count in named if count
        }

    def _micro_batches(self, engine: Any, loss: HeadLoss) -> Iterator[tuple[Any, Any]]:
        for number in range(self._count):
            start = (number * self._dp + self._dp_rank) * self._micro_batch
            own = list(range(len(self.rows)))[start : start + self._micro_batch]
            batch = self.rows.batch([*own, *[0] * (self._micro_batch - len(own))])
            counted = batch["trained"] < len(own) * self.rows.max_length  # not what only fills the shape
            if engine.is_last_stage():
                places, targets, kinds = (batch[name][counted].to(engine.device) for name in _OF_TOKENS)
                loss.put((places, targets, 1.0))
                self._kinds.append(kinds)
            yield (batch["input_ids"], batch["position_ids"]), ()

    def _add(self, losses: torch.Tensor) -> None:
        kinds = self._kinds.pop(0)
        self._sums[0].index_add_(0, kinds, losses.double())
        self._sums[1].index_add_(0, kinds, torch.ones_like(losses, dtype=torch.float64))
