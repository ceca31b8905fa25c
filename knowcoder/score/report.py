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
from knowcoder.score.compare import Difference
from knowcoder.score.confusion import confused_classes, kinds_by_class
from knowcoder.score.metrics import Metrics, Score
from knowcoder.score.mistakes import KINDS, Item, Mistake
from knowcoder.score.published import Published, published_for
from knowcoder.score.relax import RULES, Profile

WORST_CLASSES = 12  # classes drawn per task; the table below holds them all


@dataclass(frozen=True, slots=True)
class System:
    """A set of predictions by name. Systems without mistakes are shown in the tables and charts alone."""

    name: str
    metrics: Metrics
    mistakes: Sequence[Mistake] = field(default=())


@dataclass(frozen=True, slots=True)
class Comparison:
    """A test of two systems, by their names."""

    first: str
    second: str
    tasks: Mapping[Task, Difference]


@dataclass(frozen=True, slots=True)
class ProfileTable:
    """F1 of a task under a profile, by source, beside the numbers of papers."""

    task: Task
    rules: tuple[str, ...]
    rows: tuple[Row, ...]
    published: tuple[Published, ...]


#: Column -> what it compares, for those that are no relaxations.
_COLUMNS = {
    "strict_offsets": "the places of the texts must be right too",
    "identification": "the place without the class (arguments: without the role)",
    "entity_types": "the classes of head and tail must be right too",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a chart or table: a score for each system, None where it has none."""

    label: str
    scores: tuple[Score | None, ...]


def render_report(
    systems: Sequence[System],
    title: str = "Scores",
    facts: Mapping[str, str] | None = None,
    comparisons: Sequence[Comparison] = (),
    profiles: Sequence[Profile] = (),
) -> str:
    """Write the page.

    Args:
        systems: the headline system first; all were scored on the same gold.
        facts: what the reader needs to know of the run (hashes, versions, command), shown at the end.
        comparisons: tests between systems.
        profiles: those that the systems were scored by, with the numbers of papers beside them.
    """
    tasks = [task for task in TASKS if any(task in system.metrics.tasks for system in systems)]
    mistakes = systems[0].mistakes if systems else ()
    page = _template().render(
        title=title,
        systems=systems,
        tasks=tasks,
        kinds=KINDS,
        facts=facts or {},
        comparisons=comparisons,
        profiles=[(profile, _profile_tables(systems, profile)) for profile in profiles],
        columns=_column_names(systems),
        meanings=_COLUMNS | RULES,
        by_kind={task: kinds_by_class(mistakes, task) for task in tasks},
        confused={task: confused_classes(mistakes, task, _classes(systems[0], task)) for task in tasks},
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
    environment.filters["signed"] = lambda share: f"{100 * share:+.1f}"
    environment.filters["words"] = lambda name: name.replace("_", " ")
    return environment.get_template("report.html.jinja")


def _column_names(systems: Sequence[System]) -> list[str]:
    """The columns beside strict that any task has, in their order."""
    every = [name for s in systems for numbers in s.metrics.tasks.values() for name in numbers.columns]
    order = [*_COLUMNS, *RULES]
    return sorted({name for name in every if name != "strict"}, key=order.index)


def _classes(system: System, task: Task) -> Mapping[str, Score]:
    numbers = system.metrics.tasks.get(task)
    return numbers.by_class if numbers else {}


def _profile_tables(systems: Sequence[System], profile: Profile) -> list[ProfileTable]:
    tables = []
    for task, rules in profile.rules.items():
        numbers = [system.metrics.tasks[task] for system in systems if task in system.metrics.tasks]
        found = [one.profiles.get(profile.name) for one in numbers]
        sources = sorted({source for scored in found if scored for source in scored.by_source})
        if sources:
            rows = tuple(
                Row(source, tuple(scored.by_source.get(source) if scored else None for scored in found))
                for source in sources
            )
            tables.append(ProfileTable(task, rules, rows, tuple(published_for(profile.name, task, sources))))
    return tables


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
