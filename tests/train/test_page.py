"""The picture of a run shows what metrics.jsonl holds."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowcoder import jsonl
from knowcoder.errors import DataError
from knowcoder.train.page import HEIGHT, MOST_POINTS, WIDTH, curves, training_page

finite = st.floats(-1e9, 1e9)


@given(st.lists(st.tuples(finite, st.none() | finite), min_size=1, max_size=50))
def test_curves_stay_in_their_frame_and_skip_what_is_no_number(values) -> None:
    lines = [{"step": step, "loss": loss, "fill": fill} for step, (loss, fill) in enumerate(values, 1)]
    found = {curve.name: curve for curve in curves(lines)}
    assert found["loss"].last == values[-1][0]
    assert len(found) == 1 + any(fill is not None for _, fill in values)
    for curve in found.values():
        for x, y in (map(float, point.split(",")) for point in curve.points.split()):
            assert 0 <= x <= WIDTH
            assert 0 <= y <= HEIGHT


def test_long_runs_are_thinned() -> None:
    lines = [{"step": step, "loss": 1 / step, "learning_rate": float("nan")} for step in range(1, 10 * MOST_POINTS)]
    (loss,) = curves(lines)
    assert len(loss.points.split()) <= MOST_POINTS
    assert loss.last_step == 10 * MOST_POINTS - 1


def test_the_page_names_the_quantities_and_escapes_the_facts(tmp_path: Path) -> None:
    metrics = tmp_path / "metrics.jsonl"
    jsonl.write(metrics, [{"step": s, "loss": 3.0 - s, "trained_tokens_per_second": 5.0} for s in (1, 2)])
    page = training_page(metrics, facts={"command": "a <b> c"})
    assert page.count("<polyline") == 2
    assert "trained tokens/second" in page
    assert "a &lt;b&gt; c" in page
    assert "<script" not in page
    assert "://" not in page


@pytest.mark.parametrize(("line", "message"), [(None, "no steps"), ({"loss": 1.0}, ":1: no number under 'step'")])
def test_what_is_no_record_of_a_run_is_refused(tmp_path: Path, line: dict | None, message: str) -> None:
    metrics = tmp_path / "metrics.jsonl"
    jsonl.write(metrics, [line] if line else [])
    with pytest.raises(DataError, match=message):
        training_page(metrics)
