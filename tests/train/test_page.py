"""The picture of a run shows what metrics.jsonl holds."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowcoder import jsonl
from knowcoder.errors import DataError
from knowcoder.train.page import HEIGHT, MOST_POINTS, WIDTH, Summary, charts, summary, ticks, training_page

finite = st.floats(-1e9, 1e9)


@given(st.lists(st.tuples(finite, st.none() | finite), min_size=1, max_size=50))
def test_curves_stay_in_their_frame_and_skip_what_is_no_number(values) -> None:
    lines = [{"step": step, "loss": loss, "fill": fill} for step, (loss, fill) in enumerate(values, 1)]
    found = charts(lines)
    assert found[0].curves[0].last == values[-1][0]
    assert len(found) == 1 + any(fill is not None for _, fill in values)
    for chart in found:
        assert len(chart.upward) >= 2
        (curve,) = chart.curves
        for x, y in [*curve.points, *((0, y) for y, _ in chart.upward), *((x, 0) for x, _ in chart.across)]:
            assert 0 <= x <= WIDTH
            assert 0 <= y <= HEIGHT


def test_a_short_run_that_learns_nothing_has_plain_axes() -> None:
    (f1,) = charts([{"step": step, "f1": 0.0} for step in (1, 2)])
    assert [value for _, value in f1.upward][:2] == [0.0, 0.25]
    assert [step for _, step in f1.across] == [0.0, 1.0, 2.0]


@given(finite, finite, st.integers(2, 6))
def test_ticks_are_few_even_and_hold_the_values(one: float, other: float, count: int) -> None:
    low, high = sorted((one, other))
    found = ticks(low, high, count)
    distance = found[1] - found[0]
    assert found[0] <= low + distance / 1e3
    assert high - distance / 1e3 <= found[-1]
    assert 2 <= len(found) <= count + 3
    assert all(b - a == pytest.approx(distance, rel=1e-3) for a, b in pairwise(found))


def test_long_runs_are_thinned() -> None:
    lines = [{"step": step, "loss": 1 / step, "learning_rate": float("nan")} for step in range(1, 10 * MOST_POINTS)]
    (chart,) = charts(lines)
    assert len(chart.curves[0].points) <= MOST_POINTS
    assert not chart.curves[0].dots
    assert chart.low == 1 / (10 * MOST_POINTS - 1)


def test_scores_and_losses_of_the_kinds_share_a_chart_and_their_colours(tmp_path: Path) -> None:
    lines: list[dict[str, Any]] = [{"step": 1, "loss": 2.0, "loss_ED": 1.0, "loss_NER": 3.0, "seconds": 90.0}]
    lines += [{"step": 2, "f1": 0.5, "f1_NER": 0.25, "f1_ED": 0.75, "evaluate_seconds": 5.0}]
    lines += [{"step": 3, "f1": 0.5, "f1_NER": 0.5, "f1_ED": 0.5, "evaluate_seconds": 5.0}]
    f1, loss, kinds = charts(lines)
    assert [(curve.name, curve.last) for curve in f1.curves] == [("mean", 50.0), ("NER", 50.0), ("ED", 50.0)]
    (x, low), (end, high) = f1.curves[1].dots
    assert (x, end) == (pytest.approx(WIDTH * 2 / 3), WIDTH)
    assert low > high  # upwards is less
    assert [(curve.name, curve.last) for curve in kinds.curves] == [("ED", 1.0), ("NER", 3.0)]
    assert [curve.colour for curve in f1.curves] == [0, 1, 2]
    assert [curve.colour for curve in kinds.curves] == [2, 1]
    assert len(loss.curves) == 1
    assert summary(lines) == Summary(3, 2.0, (0.5, 2), 100.0)
    jsonl.write(tmp_path / "metrics.jsonl", lines)
    page = training_page(tmp_path / "metrics.jsonl")
    assert "1 min 40 s" in page
    assert page.count('<th scope="row">') == 2


def test_losses_on_held_out_rows_share_a_chart_too() -> None:
    lines: list[dict[str, Any]] = [{"step": 2, "loss": 2.0}, {"step": 2, "eval_loss": 3.0, "eval_loss_NER": 4.0}]
    loss, held_out = charts(lines)
    assert [(curve.name, curve.last) for curve in held_out.curves] == [("mean", 3.0), ("NER", 4.0)]
    assert held_out.title == "Loss on held-out rows"
    assert [curve.colour for curve in held_out.curves] == [0, 1]
    assert loss.title == "Loss"


def test_the_page_names_the_quantities_and_escapes_the_facts(tmp_path: Path) -> None:
    metrics = tmp_path / "metrics.jsonl"
    jsonl.write(metrics, [{"step": s, "loss": 3.0 - s, "trained_tokens_per_second": 5.0} for s in (1, 2)])
    page = training_page(metrics, facts={"command": "a <b> c"})
    assert page.count("<polyline") == 2
    assert "Trained tokens/second" in page
    assert "a &lt;b&gt; c" in page
    assert "<script" not in page
    assert "://" not in page


@pytest.mark.parametrize(("line", "message"), [(None, "no steps"), ({"loss": 1.0}, ":1: no number under 'step'")])
def test_what_is_no_record_of_a_run_is_refused(tmp_path: Path, line: dict | None, message: str) -> None:
    metrics = tmp_path / "metrics.jsonl"
    jsonl.write(metrics, [line] if line else [])
    with pytest.raises(DataError, match=message):
        training_page(metrics)
