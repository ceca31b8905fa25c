"""The report: metrics and mistakes of one or several systems as one self-contained HTML page.

The page needs no network and no server. Numbers are rendered here; the browser of errors is data in a script
tag, drawn a page of rows at a time, so that its size does not slow it down.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
import msgspec
from markupsafe import Markup

from knowcoder.schema.concepts import TASKS, Task
from knowcoder.score.metrics import Metrics, Score
from knowcoder.score.mistakes import KINDS, Item, Mistake

WORST_CLASSES = 12  # classes drawn per task; the table below holds them all


@dataclass(frozen=True, slots=True)
class System:
    """A set of predictions by name. Systems without mistakes are shown in the tables and charts alone."""

    name: str
    metrics: Metrics
    mistakes: Sequence[Mistake] = field(default=())


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a chart or table: a score for each system, None where it has none."""

    label: str
    scores: tuple[Score | None, ...]


def render_report(systems: Sequence[System], title: str = "Scores", facts: Mapping[str, str] | None = None) -> str:
    """Write the page.

    Args:
        systems: the headline system first; all were scored on the same gold.
        facts: what the reader needs to know of the run (hashes, versions, command), shown at the end.
    """
    tasks = [task for task in TASKS if any(task in system.metrics.tasks for system in systems)]
    page = _template().render(
        title=title,
        systems=systems,
        tasks=tasks,
        kinds=KINDS,
        facts=facts or {},
        methods=any("class_methods" in numbers.columns for s in systems for numbers in s.metrics.tasks.values()),
        by_task=[Row(task, _scores(systems, task, "columns", "strict")) for task in tasks],
        by_source={task: _rows(systems, task, "by_source") for task in tasks},
        by_group={task: _rows(systems, task, "by_group") for task in tasks},
        by_class={task: _rows(systems, task, "by_class") for task in tasks},
        worst={task: _worst(_rows(systems, task, "by_class")) for task in tasks},
        data=embed(_browser_data(systems)),
    )
    return page


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = lambda share: f"{100 * share:.1f}"
    return environment.get_template("report.html.jinja")


def _scores(systems: Sequence[System], task: Task, part: str, name: str) -> tuple[Score | None, ...]:
    """The score of one name in one part ("columns", "by_source" ...) of a task's metrics, for each system."""
    found = (system.metrics.tasks.get(task) for system in systems)
    return tuple(getattr(numbers, part).get(name) if numbers else None for numbers in found)


def _rows(systems: Sequence[System], task: Task, part: str) -> list[Row]:
    """A row for every name that a part has in any system; none where the only name is empty."""
    tasks = [system.metrics.tasks[task] for system in systems if task in system.metrics.tasks]
    names = sorted({name for numbers in tasks for name in getattr(numbers, part)})
    return [] if names == [""] else [Row(name, _scores(systems, task, part, name)) for name in names]


def _worst(rows: Sequence[Row]) -> list[Row]:
    """The classes that cost the headline system most (wrong and missed answers together), with its score alone."""
    costs = [(row.scores[0].fp + row.scores[0].fn, row) for row in rows if row.scores[0]]
    ordered = sorted(costs, key=lambda cost: (-cost[0], cost[1].label))
    return [Row(row.label, row.scores[:1]) for cost, row in ordered[:WORST_CLASSES] if cost]


def _browser_data(systems: Sequence[System]) -> dict[str, Any]:
    """The mistakes, each sentence once: rows refer to it by its place."""
    places: dict[tuple[str, str], int] = {}
    sentences: list[list[str]] = []
    errors = []
    for system in systems:
        rows = []
        for mistake in system.mistakes:
            key = (mistake.source, mistake.id)
            if key not in places:
                places[key] = len(sentences)
                sentences.append([mistake.id, mistake.source, mistake.group, mistake.text])
            kind = KINDS.index(mistake.kind)
            items = [_compact(mistake.gold), _compact(mistake.predicted)]
            rows.append([places[key], mistake.task, kind, *items, mistake.detail])
        errors.append(rows)
    return {"kinds": KINDS, "systems": [s.name for s in systems], "sentences": sentences, "errors": errors}


def _compact(item: Item | None) -> list[Any] | None:
    if item is None:
        return None
    return [item.type, [[part.part, part.text, part.start, part.end] for part in item.parts]]


def embed(value: Any) -> Markup:
    """JSON that can stand inside a script element: no character in it can end the element or begin markup."""
    text = msgspec.json.encode(value).decode()
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704 - the characters that HTML sees are escaped just above
