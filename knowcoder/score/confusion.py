"""Which kinds of error each class meets, and which classes are taken for each other."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from knowcoder.schema.concepts import Task
from knowcoder.score.metrics import Score
from knowcoder.score.mistakes import KINDS, Mistake

MOST = 20  # classes in a matrix


@dataclass(frozen=True, slots=True)
class Matrix:
    """Counts by row and column: the classes that meet the most errors, and how many classes are not shown."""

    rows: tuple[str, ...]
    columns: tuple[str, ...]
    counts: dict[tuple[str, str], int]
    hidden: int

    @property
    def most(self) -> int:
        return max(self.counts.values(), default=0)


def kinds_by_class(mistakes: Iterable[Mistake], task: Task) -> Matrix:
    """Errors by class and kind. An error between two classes stands in the rows of both."""
    counts: Counter[tuple[str, str]] = Counter()
    costs: Counter[str] = Counter()
    for mistake in mistakes:
        if mistake.task == task:
            counts.update((name, mistake.kind) for name in _classes(mistake))
            costs.update(_classes(mistake))
    rows, hidden = _worst(costs)
    kinds = {kind for _, kind in counts}
    return Matrix(rows, tuple(kind for kind in KINDS if kind in kinds), dict(counts), hidden)


def confused_classes(mistakes: Iterable[Mistake], task: Task, right: Mapping[str, Score]) -> Matrix:
    """Gold class (row) against predicted class (column) of answers that are right but for their class.

    Args:
        right: scores by class, whose true positives are the diagonal.
    """
    counts: Counter[tuple[str, str]] = Counter(
        (mistake.gold.type, mistake.predicted.type)
        for mistake in mistakes
        if mistake.task == task and mistake.kind == "type" and mistake.gold and mistake.predicted
    )
    confused: Counter[str] = Counter()
    for (one, other), number in counts.items():
        confused.update({one: number, other: number})
    names, hidden = _worst(confused)
    diagonal = {(name, name): right[name].tp for name in names if name in right}
    return Matrix(names, names, {**counts, **diagonal}, hidden)


def _classes(mistake: Mistake) -> set[str]:
    return {item.type for item in (mistake.gold, mistake.predicted) if item}


def _worst(costs: Mapping[str, int]) -> tuple[tuple[str, ...], int]:
    """The names that cost most, in alphabetical order, and how many there are beside them."""
    ordered = sorted(costs, key=lambda name: (-costs[name], name))
    return tuple(sorted(ordered[:MOST])), max(0, len(ordered) - MOST)
