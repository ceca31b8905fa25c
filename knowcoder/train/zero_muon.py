"""Muon for matrices beside AdamW for the rest, under ZeRO-1.

ZeRO-1 hands an optimizer one flat piece of all parameters of a group, which cuts matrices anywhere. Momentum works on
flat pieces; only orthogonalising needs whole matrices, for which the pieces are gathered once per step.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.distributed as dist

_MOMENTUM = 0.95
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 5


class ZeroMuon(torch.optim.Optimizer):
    """Muon where a group has `muon=True`, else AdamW.

    Every group has the state `exp_avg`, `exp_avg_sq` and `step`, because ZeRO restores all groups as it does the first;
    Muon's second average is empty.
    """

    def __init__(self, groups: list[dict[str, Any]], betas: tuple[float, float]) -> None:
        super().__init__(groups, {"muon": False, "betas": betas, "eps": 1e-8})
        # The parameters themselves: the engine may still change their number format.
        self._matrices = [p for g in self.param_groups if g["muon"] for p in g["params"]]
        self._shapes = [tuple(matrix.shape) for matrix in self._matrices]
        self._rank, self._size = 0, 1
        self._group: dist.ProcessGroup | None = None

    def bind(self, group: dist.ProcessGroup) -> None:
        """Learn, after ZeRO has cut the parameters, which piece this rank holds, and check that it is the expected one.

        Raises:
            RuntimeError: the flat parameters are not the matrices one after the other.
        """
        self._group, self._rank, self._size = group, dist.get_rank(group), dist.get_world_size(group)
        for flat in (g["params"][0] for g in self.param_groups if g["muon"]):
            for matrix, piece, part in zip(self._matrices, *self._pieces(flat), strict=True):
                if not torch.equal(flat.detach()[piece].to(matrix.dtype), matrix.detach().flatten()[part]):
                    raise RuntimeError("ZeRO has laid the parameters out in another way than Muon expects")
        self._matrices = []

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Update this rank's piece of every group."""
        for group in self.param_groups:
            for flat in group["params"]:
                if flat.grad is not None and flat.numel():
                    (self._muon if group["muon"] else self._adamw)(flat, group)
        return closure() if closure is not None else None

    def _adamw(self, flat: torch.Tensor, group: dict[str, Any]) -> None:
        state = self.state[flat]
        if not state:
            state.update(step=0, exp_avg=torch.zeros_like(flat), exp_avg_sq=torch.zeros_like(flat))
        state["step"] += 1
        beta1, beta2 = group["betas"]
        state["exp_avg"].lerp_(flat.grad, 1 - beta1)
        state["exp_avg_sq"].mul_(beta2).addcmul_(flat.grad, flat.grad, value=1 - beta2)
        flat.mul_(1 - group["lr"] * group["weight_decay"])
        scale = (1 - beta2 ** state["step"]) ** 0.5
        denominator = (state["exp_avg_sq"].sqrt() / scale).add_(group["eps"])
        flat.addcdiv_(state["exp_avg"], denominator, value=-group["lr"] / (1 - beta1 ** state["step"]))

    def _muon(self, flat: torch.Tensor, group: dict[str, Any]) -> None:
        state = self.state[flat]
        if not state:
            state.update(step=0, exp_avg=torch.zeros_like(flat), exp_avg_sq=flat.new_zeros(0))
        state.setdefault("exp_avg_sq", flat.new_zeros(0))  # not in a checkpoint of another cut
        state["step"] += 1
        state["exp_avg"].lerp_(flat.grad, 1 - _MOMENTUM)
        update = self._gathered(flat.grad.lerp(state["exp_avg"], _MOMENTUM))
        flat.mul_(1 - group["lr"] * group["weight_decay"])
        offset = 0
        for shape, piece, part in zip(self._shapes, *self._pieces(flat), strict=True):
            size = shape[0] * shape[1]
            if piece.stop > piece.start:
                direction = orthogonalized(update[offset : offset + size].view(shape)).flatten()[part]
                flat[piece].add_(direction.to(flat.dtype), alpha=-group["lr"] * max(1, shape[0] / shape[1]) ** 0.5)
            offset += size

    def _pieces(self, flat: torch.Tensor) -> tuple[list[slice], list[slice]]:
        """Return, for every matrix, where its part lies in this rank's flat piece, and which part that is."""
        start, offset = self._rank * flat.numel(), 0
        pieces, parts = [], []
        for rows, columns in self._shapes:
            low = min(max(offset, start), start + flat.numel())
            high = min(max(offset + rows * columns, start), start + flat.numel())
            pieces.append(slice(low - start, high - start))
            parts.append(slice(low - offset, high - offset) if high > low else slice(0, 0))
            offset += rows * columns
        return pieces, parts

    def _gathered(self, piece: torch.Tensor) -> torch.Tensor:
        if self._size == 1:
            return piece
        whole = [torch.empty_like(piece) for _ in range(self._size)]
        dist.all_gather(whole, piece, group=self._group)
        return torch.cat(whole)


def orthogonalized(matrix: torch.Tensor) -> torch.Tensor:
    """Return a matrix with the same directions and singular values near 1, in bf16.

    Five Newton-Schulz steps (K. Jordan and others, "Muon", 2024), as `torch.optim.Muon` takes them.
    """
    a, b, c = _COEFFICIENTS
    tall = matrix.shape[0] > matrix.shape[1]
    x = (matrix.T if tall else matrix).bfloat16()
    x = x / x.norm().clamp(min=1e-7)
    for _ in range(_ITERATIONS):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.T if tall else x
