"""The loss of both phases: a sum over trained tokens, to be divided by how many the whole step has."""

from __future__ import annotations

import torch
from torch.nn.functional import cross_entropy


def token_loss(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Return the sum of the cross entropies in fp32, differentiable also where there is no token at all.

    Args:
        logits: [tokens, vocabulary], of the positions that predict a trained token only.
        targets: [tokens], those tokens.
    """
    return cross_entropy(logits.float(), targets, reduction="sum")
