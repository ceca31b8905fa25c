"""Figures of a run: rates and shares, model FLOPs utilisation, waiting for data, and a rank that falls behind."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from knowcoder.train.arithmetic import TokenCost
from knowcoder.train.rows import PackedRows
from knowcoder.train.throughput import Throughput, Work, behind, document_length, in_a_line
from tests.packed import save_packed

WORK = Work(TokenCost(body=100.0, head=10.0, attention=1.0), document=8.0, frozen=False, peak=1e-9)


def test_rates_shares_and_utilisation_are_of_the_time_that_passed() -> None:
    throughput = Throughput(WORK)
    throughput.add(tokens=80, trained=40, capacity=100)
    throughput.add(tokens=20, trained=10, capacity=100)
    figures = throughput.take()
    assert figures["fill"] == 0.5
    assert figures["tokens_per_second"] == pytest.approx(2 * figures["trained_tokens_per_second"], rel=1e-3)
    again = throughput.take()
    assert again["tokens_per_second"] == again["fill"] == 0, "it begins anew"
    assert "50 trained tokens" in throughput.summary()


def test_utilisation_is_the_needed_operations_over_the_peak_of_all_ranks() -> None:
    needed = 3 * (100 * 100 + 10 * 50) + 3 * 100 * 4
    assert WORK.utilisation(100, 50, seconds=2.0, ranks=4) == pytest.approx(needed / (2.0 * 4 * 1e3))
    frozen = Work(WORK.cost, WORK.document, frozen=True, peak=WORK.peak)
    assert frozen.utilisation(100, 50, 2.0, 4) == pytest.approx((needed - 100 * 100 - 10 * 50) / (2.0 * 4 * 1e3))
    unknown = Work(WORK.cost, WORK.document, frozen=False, peak=None)
    assert unknown.utilisation(100, 50, 2.0, 4) is None
    assert "mfu" not in Throughput(unknown).take()


class Clock:
    """Time that passes only where a test says so."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now = 100.0
        monkeypatch.setattr(time, "perf_counter", lambda: self.now)


def test_waiting_for_data_is_told_from_training(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)

    def slowly(rows: int) -> int:
        clock.now += 2
        return rows

    throughput = Throughput()
    for _ in throughput.waiting(map(slowly, [1, 2, 3])):
        clock.now += 1
    assert throughput.timed(slowly)(4) == 4
    clock.now += 5
    figures = throughput.take()
    assert (figures["seconds"], figures["data_wait"]) == (16, 0.5)
    clock.now += 1
    assert throughput.take()["data_wait"] == 0


def test_seconds_that_are_skipped_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock(monkeypatch)
    throughput = Throughput()
    clock.now += 9
    throughput.skip(7)
    assert throughput.take()["seconds"] == 2


def test_a_rank_that_stays_behind_is_named_once(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    throughput = Throughput()
    throughput.watch(torch.nn.Identity(), said.append, stage=0)
    assert throughput._ranks is not None
    ranks = throughput._ranks
    ranks._stages, ranks._names, ranks._lines = (0, 0, 0), ("rank 0 on a", "rank 1 on a", "rank 2 on b"), [0] * 3
    slow, even = (1.0, 1.0, 2.0), (1.0, 1.0, 1.0)
    assert [ranks.behind(busy) for busy in (slow, even, slow, slow, slow)] == [[], [], [], [2], [2]]
    assert said == ["rank 2 on b falls behind: its forward passes take 1.5 times as long as usual"]
    assert throughput.summary().endswith("; rank 2 on b was behind")


@given(
    st.lists(st.floats(0.1, 10), min_size=2, max_size=6),
    st.integers(2, 4),
    st.data(),
)
def test_only_the_slow_one_is_behind(stage_seconds: list[float], copies: int, data: st.DataObject) -> None:
    """Stages may differ from each other as they like; one rank takes twice as long as its like."""
    stages = [stage for stage in range(len(stage_seconds)) for _ in range(copies)]
    busy = [stage_seconds[stage] for stage in stages]
    assert behind(busy, busy, stages) == []
    slow = data.draw(st.integers(0, len(busy) - 1))
    late = [seconds * (2 if rank == slow else 1) for rank, seconds in enumerate(busy)]
    assert slow in behind(late, busy, stages)
    if copies > 2:
        assert behind(late, busy, stages) == [slow]


@given(st.lists(st.floats(0.1, 10), min_size=3, max_size=6), st.floats(0.5, 4), st.data())
def test_a_stage_that_one_rank_has_is_compared_with_its_past(
    first: list[float], load: float, data: st.DataObject
) -> None:
    """All may have more to do than at first; the one that needs still twice as long is behind."""
    stages = list(range(len(first)))
    slow = data.draw(st.integers(0, len(first) - 1))
    busy = [seconds * load * (2 if rank == slow else 1) for rank, seconds in enumerate(first)]
    assert behind(busy, first, stages) == [slow]


def test_a_token_sees_the_document_that_it_is_in(tmp_path: Path) -> None:
    rows = PackedRows(save_packed(tmp_path / "data"))
    total, squares = 0, 0
    for index in range(len(rows)):
        positions = rows.row(index)[1].tolist()
        starts = [place for place, position in enumerate(positions) if position == 0]
        ends = [*starts[1:], len(positions)]
        squares += sum((end - start) ** 2 for start, end in zip(starts, ends, strict=True))
        total += len(positions)
    assert document_length(rows) == pytest.approx(squares / total)


def test_the_progress_bar_shows_what_there_is() -> None:
    line = in_a_line({"loss": 1.0, "grad_norm": None, "trained_tokens_per_second": 1234.5, "mfu": 0.384, "step": 3})
    assert line == "loss 1.0000, 1,234 trained tokens/s, 38.4% of the peak"
