"""How long every piece of a pipeline takes, measured on this machine with data of the run."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

from knowcoder.train.pipeline import HeadLoss, HeadPiece, Message, Piece, Skeleton, body_types

_ROUNDS = 4


def seconds_of_pieces(skeleton: Skeleton, batch: dict[str, torch.Tensor]) -> list[float]:
    """Return the seconds that a forward and a backward pass of each piece take.

    One piece at a time stands in memory, with random weights; of layers of one kind, the last is measured.

    Args:
        batch: a micro-batch, as `PackedRows.batch` returns it.
    """
    device = skeleton.device
    batch = {name: tensor.to(device) for name, tensor in batch.items()}
    ids, positions = batch["input_ids"], batch["position_ids"]
    loss = HeadLoss(skeleton)
    kinds = body_types(skeleton.map)
    of_layers = {_kind(skeleton, number): number for number in range(1, len(kinds) - 1)}

    def measure(piece: Piece, message: Message) -> float:
        def work() -> None:
            if isinstance(piece, HeadPiece):
                loss.put((batch["trained"], batch["targets"], 1.0))
            output = piece(message)
            (output[0] if isinstance(output, tuple) else output).float().sum().backward()

        return best_seconds(work, device)

    def ready(piece: Piece) -> Piece:
        with torch.no_grad():
            for parameter in piece.parameters():
                parameter.normal_(std=0.02)
        return piece.to(device)

    embedding = ready(kinds[0](skeleton, 0))
    message = embedding((ids, positions))[0].detach().requires_grad_(), positions
    by_kind = {kind: measure(ready(kinds[number](skeleton, number)), message) for kind, number in of_layers.items()}
    return [
        measure(embedding, (ids, positions)),
        *(by_kind[_kind(skeleton, number)] for number in range(1, len(kinds) - 1)),
        measure(ready(kinds[-1](skeleton, len(kinds) - 1)), message),
        measure(ready(HeadPiece(skeleton, len(kinds), loss)), message),
    ]


def _kind(skeleton: Skeleton, number: int) -> str:
    """Return what tells a layer from others: its tensors, and what it attends to."""
    types = getattr(skeleton.causal.config, "layer_types", None)
    return f"{skeleton.map.shapes[number]} {types[number - 1] if types else ''}"


def best_seconds(work: Callable[[], object], device: torch.device, rounds: int = _ROUNDS) -> float:
    """Return the seconds of the quickest of several rounds of `work`, the device waited for."""
    best = float("inf")
    for _ in range(rounds):
        start = time.perf_counter()
        work()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        best = min(best, time.perf_counter() - start)
    return best
