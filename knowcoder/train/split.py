"""How the layers of a model are divided over the stages of a pipeline."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise

from knowcoder.checkpoint.mapping import PieceMap
from knowcoder.errors import ConfigError

PARAMETERS, TIME = "parameters", "time"


def stage_bounds(mapping: PieceMap, stages: int, split: str, seconds: Sequence[float] = ()) -> list[int]:
    """Return the first piece of every stage, and the number of pieces.

    Args:
        split: `parameters` balances what each stage holds, embedding and head included; `time` balances `seconds`; a
            list in brackets gives the layers of each stage.
        seconds: for `time`, what each piece takes.

    Raises:
        ConfigError: fewer layers than stages, or a list that is none, or does not divide the layers over the stages.
    """
    if stages > mapping.num_layers:
        raise ConfigError(f"parallel.pp={stages}: the model has only {mapping.num_layers} layers to cut")
    if split == PARAMETERS:
        return balanced(held(mapping), stages)
    if split == TIME:
        return balanced(seconds, stages)
    layers = _given(split, stages, mapping.num_layers)
    return [0, *(1 + sum(layers[:stage]) for stage in range(1, stages)), len(mapping.modules)]


def layers_of(bounds: Sequence[int]) -> list[int]:
    """Return the number of layers of each stage, of bounds as `stage_bounds` returns them."""
    edges = [1, *bounds[1:-1], bounds[-1] - 2]
    return [end - start for start, end in pairwise(edges)]


def held(mapping: PieceMap) -> list[int]:
    """Count the parameters that every piece holds; the stage of a tied head has a copy of the embedding."""
    sizes = mapping.sizes()
    if mapping.tied:
        sizes[-1] = sizes[0]
    return sizes


def balanced(costs: Sequence[float], stages: int) -> list[int]:
    """Return bounds of runs of pieces, each with at least one layer, of which the dearest costs least.

    Args:
        costs: of every piece: the embedding, the layers, the last norm and the head.
    """
    before = [0.0]
    for cost in costs:
        before.append(before[-1] + cost)
    # For every place where the stages so far can end: cost of the dearest one, sum of squares to break ties, bounds.
    found: dict[int, tuple[float, float, list[int]]] = {0: (0.0, 0.0, [0])}
    for stage in range(1, stages + 1):
        ends = range(2, len(costs) - 2) if stage < stages else [len(costs)]
        found = {
            end: min(
                (max(worst, before[end] - before[start]), squares + (before[end] - before[start]) ** 2, [*bounds, end])
                for start, (worst, squares, bounds) in found.items()
                if start < end
            )
            for end in ends
            if min(found) < end
        }
    return found[len(costs)][2]


def _given(split: str, stages: int, layers: int) -> list[int]:
    try:
        numbers = json.loads(split)
    except ValueError:
        numbers = None
    if not isinstance(numbers, list) or not all(type(number) is int and number > 0 for number in numbers):
        raise ConfigError(f"parallel.split={split}: must be {PARAMETERS}, {TIME} or a list of layers such as [2,3]")
    if len(numbers) != stages or sum(numbers) != layers:
        raise ConfigError(
            f"parallel.split={split}: must divide the model's {layers} layers over parallel.pp={stages} stages"
        )
    return numbers
