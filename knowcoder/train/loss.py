"""The loss of both phases: a sum over trained tokens, to be divided by how many the whole step has."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch.nn.functional import cross_entropy


def token_loss(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the sum of the cross entropies in fp32, differentiable also where there is no token at all.

    Args:
        logits: [tokens, vocabulary], of the positions that predict a trained token only.
        targets: [tokens], those tokens.
    """
    return token_losses(logits, targets).sum()


def token_losses(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the cross entropy of every token in fp32; arguments as of `token_loss`."""
    return cross_entropy(logits.float(), targets, reduction="none")


class LossByKind:
    """The mean loss of each kind of sample since the last `take`, over all ranks."""

    def __init__(self, kinds: Sequence[str]) -> None:
        self._kinds = kinds
        self._sums: torch.Tensor | None = None

    def add(self, kinds: torch.Tensor, losses: torch.Tensor) -> None:
        """Count tokens: the number of each one's kind, and its loss; both of shape [tokens]."""
        if self._sums is None:
            self._sums = torch.zeros(2, len(self._kinds), device=losses.device)
        self._sums[0].index_add_(0, kinds, losses.detach())
        self._sums[1].index_add_(0, kinds, torch.ones_like(losses))

    def take(self) -> dict[str, float]:
        """Return `loss_KIND` of every kind that was trained, and begin anew; all ranks must call it."""
        if self._sums is None:
            return {}
        if dist.is_initialized():
            dist.all_reduce(self._sums)
        losses, tokens = self._sums.tolist()
        self._sums = None
        return {
            f"loss_{kind}": loss / count for kind, loss, count in zip(self._kinds, losses, tokens, strict=True) if count
        }
