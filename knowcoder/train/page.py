"""The picture of a training run: every quantity of metrics.jsonl over the steps, as one self-contained HTML page."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2

import knowcoder.score.report
from knowcoder import jsonl
from knowcoder.errors import DataError

MOST_POINTS = 400  # drawn per curve; more are averaged in runs, since a screen cannot show them
WIDTH, HEIGHT = 440, 170  # of the plotting area, in units of the drawing
_DOTTED = 40  # a curve of no more points shows where they are
#: Charts that are named otherwise than by their key.
NAMES = {
    "f1": "Strict F1 on held-out sentences, per cent",
    "loss_": "Loss by kind of sample",
    "eval_loss": "Loss on held-out rows",
    "grad_norm": "Gradient norm",
    "fill": "Share of positions that hold tokens",
}
_FIRST = ("f1", "loss", "eval_loss", "loss_")
_TIMES = ("seconds", "evaluate_seconds")  # told in the summary
_Line = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Curve:
    """One quantity over the steps.

    Attributes:
        colour: its number; a task has the same one in every chart.
        points: scaled to WIDTH by HEIGHT.
        last: the last value, as the axis shows it.
    """

    name: str
    colour: int
    points: Sequence[tuple[float, float]]
    last: float

    @property
    def path(self) -> str:
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in self.points)

    @property
    def dots(self) -> Sequence[tuple[float, float]]:
        return self.points if len(self.points) <= _DOTTED else ()


@dataclass(frozen=True, slots=True)
class Chart:
    """Curves over one pair of axes.

    Attributes:
        low, high: of all values, not only of the points drawn.
        across, upward: ticks of the axes: place in the drawing, and what stands there.
    """

    title: str
    curves: Sequence[Curve]
    low: float
    high: float
    across: Sequence[tuple[float, float]]
    upward: Sequence[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Summary:
    """The run in a few figures; None where it was not measured."""

    steps: int
    loss: float | None
    best: tuple[float, int] | None = field(default=None)
    seconds: float = 0.0


def training_page(metrics: str | Path, title: str = "Training", facts: Mapping[str, str] | None = None) -> str:
    """Draw a metrics.jsonl: loss, F1, learning rate, throughput, whatever numbers its lines hold.

    Raises:
        DataError: a line is no JSON object, has no ``step``, or there is no line.
    """
    lines: list[dict[str, Any]] = list(jsonl.read(metrics, dict[str, Any]))
    if not lines:
        raise DataError(f"{metrics}: holds no steps; the run ended before the first one was logged")
    lacking = next((number for number, line in enumerate(lines, 1) if not _is_number(line.get("step"))), None)
    if lacking:
        raise DataError(f"{metrics}:{lacking}: no number under 'step'; the lines of a training run have one")
    return _template().render(
        title=title,
        facts=facts or {},
        summary=summary(lines),
        charts=charts(lines),
        evaluations=[line for line in lines if _is_number(line.get("f1"))],
        width=WIDTH,
        height=HEIGHT,
    )


def summary(lines: Sequence[_Line]) -> Summary:
    """Say how far the run came, how well, and in what time."""
    losses = [float(line["loss"]) for line in lines if _is_number(line.get("loss"))]
    scores = [(float(line["f1"]), line["step"]) for line in lines if _is_number(line.get("f1"))]
    spent = sum(float(line[name]) for line in lines for name in _TIMES if _is_number(line.get(name)))
    # The first of equals, which is the one that is kept.
    best = max(scores, key=lambda score: (score[0], -score[1]), default=None)
    return Summary(max(line["step"] for line in lines), losses[-1] if losses else None, best, spent)


def charts(lines: Sequence[_Line]) -> list[Chart]:
    """A chart for every quantity with a finite number in at least one line; one for the F1s, one for the kinds' losses.

    What a run is judged by comes first, the rest in the order of the lines' keys.
    """
    quantities: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for name in dict.fromkeys(key for line in lines for key in line if key not in ("step", *_TIMES)):
        scale = 100.0 if name.partition("_")[0] == "f1" else 1.0
        values = [(line["step"], scale * float(line[name])) for line in lines if _is_number(line.get(name))]
        if values:
            head, _, part = name.removeprefix("eval_").partition("_")
            if name.startswith("eval_loss"):
                quantities.setdefault("eval_loss", {})[part or "mean"] = values
                continue
            chart = "f1" if head == "f1" else "loss_" if head == "loss" and part else name
            quantities.setdefault(chart, {})[part or "mean" if chart in ("f1", "loss_") else name] = values
    order = [*(name for name in _FIRST if name in quantities), *(name for name in quantities if name not in _FIRST)]
    end = max(line["step"] for line in lines)
    kinds = [
        name
        for name in dict.fromkeys(name for chart in _FIRST for name in quantities.get(chart, {}))
        if name not in ("mean", "loss")
    ]
    colours = {kind: number for number, kind in enumerate(kinds, 1)}
    return [_chart(NAMES.get(name, _words(name)), quantities[name], colours, end) for name in order]


def _words(key: str) -> str:
    words = key.replace("_per_", "/").replace("_", " ")
    return words[:1].upper() + words[1:]


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _chart(
    title: str, quantities: Mapping[str, Sequence[tuple[float, float]]], colours: Mapping[str, int], end: float
) -> Chart:
    every = [value for values in quantities.values() for _, value in values]
    low, high = min(every), max(every)
    upward = ticks(low, high, 4)
    begin = min(0.0, *(step for values in quantities.values() for step, _ in values))

    def across(step: float) -> float:
        return _share(step, begin, end) * WIDTH

    def up(value: float) -> float:
        return (1 - _share(value, upward[0], upward[-1])) * HEIGHT

    found = [
        Curve(name, colours.get(name, 0), [(across(s), up(v)) for s, v in _thinned(values)], values[-1][1])
        for name, values in quantities.items()
    ]
    steps = [step for step in ticks(begin, end, 5) if begin <= step <= end and step == round(step)]
    return Chart(title, found, low, high, [(across(s), s) for s in steps], [(up(v), v) for v in upward])


def ticks(low: float, high: float, count: int) -> list[float]:
    """About `count` round numbers from `low` or a little below it to `high` or a little above, at equal distances."""
    size = max(abs(low), abs(high))
    spread = high - low
    if spread <= max(1e-9 * size, 1e-30):  # one value, up to rounding
        spread = size if size > 1e-30 else 1.0
    rough = spread / count
    unit = 10.0 ** math.floor(math.log10(rough))
    distance = next(unit * factor for factor in (1, 2, 2.5, 5, 10, 20) if unit * factor >= rough * 0.999)
    first, last = math.floor(low / distance + 1e-9), math.ceil(high / distance - 1e-9)
    return [number * distance for number in range(first, max(last, first + 1) + 1)]


def _share(value: float, low: float, high: float) -> float:
    return min(1.0, max(0.0, (value - low) / (high - low))) if high > low else 0.5


def _thinned(values: Sequence[tuple[float, float]]) -> Iterable[tuple[float, float]]:
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
    environment.filters |= {"short": _short, "percent": lambda share: f"{100 * share:.1f}", "time": _time}
    return environment.get_template("page.html.jinja")


def _short(number: float) -> str:
    """Four digits, thousands set apart, powers of ten only where there is no shorter way."""
    if number == int(number) and abs(number) < 1e7:
        return f"{int(number):,}"
    return f"{number:,.0f}" if 1e4 <= abs(number) < 1e7 else f"{number:.4g}"


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{seconds:.1f} s"
