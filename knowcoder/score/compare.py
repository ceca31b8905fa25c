"""Two systems on the same gold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from knowcoder.errors import DataError
from knowcoder.schema.concepts import TASKS, Task
from knowcoder.score.bootstrap import Counts, f1_difference, f1_of
from knowcoder.score.match import COLUMNS, Example, pair, row_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Strict F1 of two systems on the same sentences, by paired bootstrap.

    Attributes:
        difference: second minus first, with its 95 % interval.
        p_value: two-sided; see :func:`knowcoder.score.bootstrap.f1_difference`.
    """

    first: float
    second: float
    difference: float
    interval: tuple[float, float]
    p_value: float


def compare(first: Sequence[Example], second: Sequence[Example], seed: int = 1) -> dict[Task, Difference]:
    """Test two systems on the same gold, task by task, by paired bootstrap on strict F1.

    Raises:
        DataError: the two were not scored on the same sentences.
    """
    if any([e.sentence.id for e in _of(first, task)] != [e.sentence.id for e in _of(second, task)] for task in TASKS):
        raise DataError("compare: the two predictions cover other sentences or tasks; predict both on the same corpus")
    tasks = [task for task in TASKS if _of(first, task)]
    return {task: _difference(_strict(first, task), _strict(second, task), seed) for task in tasks}


def _of(examples: Sequence[Example], task: Task) -> list[Example]:
    """The examples of a task, ordered by sentence."""
    return sorted((e for e in examples if e.task == task), key=lambda example: example.sentence.id)


def _strict(examples: Sequence[Example], task: Task) -> Counts:
    rule = COLUMNS[task]["strict"]
    keys = [(rule(example.gold), rule(example.predicted)) for example in _of(examples, task)]
    return np.array([row_of(gold, pair(gold, predicted, task)) for gold, predicted in keys], dtype=np.int64)


def _difference(first: Counts, second: Counts, seed: int) -> Difference:
    difference, interval, p_value = f1_difference(first, second, seed)
    whole = f1_of(np.stack([first.sum(axis=0), second.sum(axis=0)]))
    return Difference(
        first=float(whole[0]), second=float(whole[1]), difference=difference, interval=interval, p_value=p_value
    )
