"""Numbers of papers, to stand beside a column of the same profile on the same benchmark."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from knowcoder import jsonl
from knowcoder.schema.concepts import Task


@dataclass(frozen=True, slots=True)
class Published:
    """A row of a paper's table.

    Attributes:
        setting: how the model had been trained, such as "zero-shot".
        profile: the rules by which the row was scored.
        source: the paper and its table.
        f1: benchmark -> F1 in percent.
    """

    system: str
    setting: str
    task: Task
    profile: str
    source: str
    f1: dict[str, float]


@cache
def _rows() -> list[Published]:
    rows: list[Published] = jsonl.read_json(Path(__file__).with_name("published.json"), list[Published])
    return rows


def published_for(profile: str, task: Task, benchmarks: Collection[str]) -> list[Published]:
    """The rows of a profile and a task that have a number for one of the benchmarks."""
    rows = [row for row in _rows() if (row.profile, row.task) == (profile, task)]
    return [row for row in rows if not row.f1.keys().isdisjoint(benchmarks)]
