"""The loss of both phases: of every trained token, to be divided by how many the whole step has."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.functional import cross_entropy

#: Logits that stand in memory at a time, in fp32 128 MB: a head is as fast on so many tokens as on all.
LOGITS_AT_ONCE = 1 << 25


def chunked_loss(
    logits_of: Callable[[torch.Tensor], torch.Tensor],
    hidden: torch.Tensor,
    targets: torch.Tensor,
    vocabulary: int,
    parameters: Iterable[nn.Parameter],
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the sum of the cross entropies in fp32, and each without a gradient; logits stand in memory in chunks.

    Where there is more than one chunk, its gradients are taken while its logits are there, so that nothing is computed
    twice. The sum is differentiable also where there is no token at all.

    Args:
        logits_of: from hidden states [tokens, width] to logits [tokens, vocabulary], each token by itself.
        hidden: [tokens, width], of the positions that predict a trained token only.
        targets: [tokens], those tokens.
        parameters: those of `logits_of`.
    """
    size = max(1, LOGITS_AT_ONCE // vocabulary)
    if len(targets) <= size or not torch.is_grad_enabled():
        chunks = zip(hidden.split(size), targets.split(size), strict=True)
        losses = torch.cat([token_losses(logits_of(part), wanted) for part, wanted in chunks])
        return losses.sum(), losses.detach()
    trained = [parameter for parameter in parameters if parameter.requires_grad]
    total, losses = _Chunked.apply(logits_of, size, targets, hidden, *trained)
    return total, losses


class _Chunked(torch.autograd.Function):
    """The sum of the losses of all tokens, whose gradients are known when it is."""

    @staticmethod
    def forward(
        ctx: Any,
        logits_of: Callable[[torch.Tensor], torch.Tensor],
        size: int,
        targets: torch.Tensor,
        hidden: torch.Tensor,
        *parameters: nn.Parameter,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Take loss and gradients chunk by chunk; those of the parameters are added up in fp32 at least."""
        gradient = torch.empty_like(hidden)
        sums = [torch.zeros_like(p, dtype=torch.promote_types(p.dtype, torch.float32)) for p in parameters]
        losses = []
        for part, wanted, place in zip(hidden.split(size), targets.split(size), gradient.split(size), strict=True):
            leaf = part.detach().requires_grad_()
            with torch.enable_grad():
                chunk = token_losses(logits_of(leaf), wanted)
                of_leaf, *of_parameters = torch.autograd.grad(chunk.sum(), [leaf, *parameters])
            place.copy_(of_leaf)
            for total, found in zip(sums, of_parameters, strict=True):
                total += found
            losses.append(chunk.detach())
        ctx.save_for_backward(gradient, *sums)
        ctx.dtypes = [parameter.dtype for parameter in parameters]
        joined = torch.cat(losses)
        ctx.mark_non_differentiable(joined)
        return joined.sum(), joined

    @staticmethod
    def backward(ctx: Any, *upstream: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        """Scale the gradients."""
        gradient, *sums = ctx.saved_tensors
        scale = upstream[0]
        scaled = [(total * scale).to(dtype) for total, dtype in zip(sums, ctx.dtypes, strict=True)]
        return None, None, None, gradient * scale.to(gradient.dtype), *scaled


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
