"""The picture of a training run: every quantity of metrics.jsonl over the steps, as one self-contained HTML page."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

import knowcoder.score.report
from knowcoder import jsonl
from knowcoder.errors import DataError

MOST_POINTS = 400  # drawn per curve; more are averaged in runs, since a screen cannot show them
WIDTH, HEIGHT = 640, 150  # of the plotting area, in units of the drawing
#: Quantities that are named otherwise than by their key.
NAMES = {"grad_norm": "gradient norm", "fill": "fill (share of positions that hold tokens)"}


@dataclass(frozen=True, slots=True)
class Curve:
    """One quantity over the steps.

    Attributes:
        points: the polyline, scaled to WIDTH by HEIGHT.
        low, high, last: of all steps, not only of the points drawn.
    """

    name: str
    points: str
    first_step: int
    last_step: int
    low: float
    high: float
    last: float


def training_page(metrics: str | Path, title: str = "Training", facts: Mapping[str, str] | None = None) -> str:
    """Draw the curves of a metrics.jsonl: loss, learning rate, throughput, whatever numbers its lines hold.

    Raises:
        DataError: a line is no JSON object, has no ``step``, or there is no line.
    """
    lines: list[dict[str, Any]] = list(jsonl.read(metrics, dict[str, Any]))
    if not lines:
        raise DataError(f"{metrics}: holds no steps; the run ended before the first one was logged")
    lacking = next((number for number, line in enumerate(lines, 1) if not _is_number(line.get("step"))), None)
    if lacking:
        raise DataError(f"{metrics}:{lacking}: no number under 'step'; the lines of a training run have one")
    return _template().render(title=title, facts=facts or {}, curves=curves(lines), width=WIDTH, height=HEIGHT)


def curves(lines: Sequence[Mapping[str, Any]]) -> list[Curve]:
    """A curve for every quantity that has a finite number in at least one line, in the order of the lines' keys."""
    names = dict.fromkeys(key for line in lines for key in line if key != "step")
    found = []
    for name in names:
        values = [(line["step"], float(line[name])) for line in lines if _is_number(line.get(name))]
        if values:
            found.append(_curve(name, values))
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _curve(name: str, values: Sequence[tuple[int, float]]) -> Curve:
    low, high = min(value for _, value in values), max(value for _, value in values)
    first, last = values[0][0], values[-1][0]
    points = " ".join(
        f"{_share(step, first, last) * WIDTH:.1f},{(1 - _share(value, low, high)) * HEIGHT:.1f}"
        for step, value in _thinned(values)
    )
    name = NAMES.get(name, name.replace("_per_", "/").replace("_", " "))
    return Curve(name, points, first, last, low, high, values[-1][1])


def _share(value: float, low: float, high: float) -> float:
    return (value - low) / (high - low) if high > low else 0.5


def _thinned(values: Sequence[tuple[int, float]]) -> Iterable[tuple[float, float]]:
    """At most MOST_POINTS points, each the mean of as many neighbours as any other."""
    run = -(-len(values) // MOST_POINTS)
    for start in range(0, len(values), run):
        some = values[start : start + run]
        yield sum(step for step, _ in some) / len(some), sum(value for _, value in some) / len(some)


def _template() -> jinja2.Template:
    folders = [Path(__file__).parent, Path(knowcoder.score.report.__file__).parent]  # the report's style is ours too
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(folders),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["short"] = lambda number: f"{number:.4g}"
    return environment.get_template("page.html.jinja")
