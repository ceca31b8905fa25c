"""The loss of both phases: of every trained token, to be divided by how many the whole step has."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.distributed as dist
from torch.nn.functional import cross_entropy
from torch.utils.checkpoint import checkpoint

#: Logits that stand in memory at a time, in fp32 128 MB: a head is as fast on so many tokens as on all.
LOGITS_AT_ONCE = 1 << 25


def chunked_losses(
    logits_of: Callable[[torch.Tensor], torch.Tensor], hidden: torch.Tensor, targets: torch.Tensor, vocabulary: int
) -> torch.Tensor:
    """Return the cross entropy of every token in fp32, without the logits of all of them at once.

    Where they need more than one chunk, each chunk's logits are dropped and made anew in the backward pass. The result
    is differentiable also where there is no token at all.

    Args:
        logits_of: from hidden states [tokens, width] to logits [tokens, vocabulary].
        hidden: [tokens, width], of the positions that predict a trained token only.
        targets: [tokens], those tokens.
    """
    size = max(1, LOGITS_AT_ONCE // vocabulary)
    if len(targets) <= size:
        return token_losses(logits_of(hidden), targets)

    def losses(part: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
        return token_losses(logits_of(part), wanted)

    chunks = zip(hidden.split(size), targets.split(size), strict=True)
    return torch.cat([checkpoint(losses, *chunk, use_reentrant=False, preserve_rng_state=False) for chunk in chunks])


def token_losses(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the cross entropy of every token in fp32, of logits [tokens, vocabulary] and targets [tokens]."""
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
