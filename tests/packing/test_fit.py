"""Rows hold every sample once, and are few."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from knowcoder.packing.fit import best_fit, exact_fit, fit, least_rows

#: Mean tokens of published training samples by kind, and how far they spread (of the logarithm).
KINDS = {"instance": (115, 0.4), "ED": (600, 0.5), "EAE": (560, 0.5), "NER": (1352, 0.6), "RE": (1890, 0.6)}
lengths_and_capacity = st.integers(16, 80).flatmap(
    lambda capacity: st.tuples(st.lists(st.integers(1, capacity), max_size=200), st.just(capacity))
)


@given(lengths_and_capacity)
def test_every_item_stands_once_in_rows_that_hold_it(drawn: tuple[list[int], int]) -> None:
    lengths, capacity = np.array(drawn[0], np.int32), drawn[1]
    rows = fit(lengths, capacity)
    assert sorted(rows.items) == list(range(len(lengths)))
    sizes = np.diff(rows.ends)
    assert (sizes > 0).all()
    assert sizes.sum() == len(lengths)
    sums = np.add.reduceat(lengths[rows.items], rows.ends[:-1]) if len(rows) else np.zeros(0)
    assert (sums <= capacity).all()
    assert len(rows) >= least_rows(lengths, capacity)


@given(lengths_and_capacity, st.sampled_from([best_fit, exact_fit]))
def test_each_method_places_what_it_is_given(drawn: tuple[list[int], int], method: object) -> None:
    lengths, capacity = drawn
    placed = method(np.bincount(np.array(lengths, int), minlength=capacity + 1).tolist(), capacity)  # type: ignore[operator]
    assert sorted(placed.lengths) == sorted(lengths)
    filled = np.bincount(np.array(placed.rows, int), np.array(placed.lengths), minlength=placed.count)
    assert (filled <= capacity).all()
    smallest = np.sort(filled)[:2]
    assert placed.count < 2 or smallest.sum() > capacity  # no two rows could be one


@given(lengths_and_capacity)
def test_samples_of_one_length_keep_their_order(drawn: tuple[list[int], int]) -> None:
    lengths, capacity = np.array(drawn[0], np.int32), drawn[1]
    rows = fit(lengths, capacity)
    for row in np.split(rows.items, rows.ends[1:-1]):
        for length in set(lengths[row]):
            alike = row[lengths[row] == length]
            assert list(alike) == sorted(alike)


def draw(kind: str, count: int, seed: int, capacity: int) -> NDArray[np.int32]:
    mean, spread = KINDS[kind]
    drawn = np.random.default_rng(seed).lognormal(np.log(mean) - spread**2 / 2, spread, count)
    return np.clip(drawn, 8, capacity).astype(np.int32)


@settings(max_examples=25)
@given(
    st.sets(st.sampled_from(list(KINDS)), min_size=3).map(sorted),
    st.lists(st.integers(200, 1500), min_size=5, max_size=5),
    st.integers(0, 99),
    st.sampled_from([2048, 4096]),
)
def test_mixtures_take_at_most_one_percent_more_rows_than_they_must(
    kinds: list[str], counts: list[int], seed: int, capacity: int
) -> None:
    lengths = np.concatenate(
        [
            draw(kind, count, seed + number, capacity)
            for number, (kind, count) in enumerate(zip(kinds, counts, strict=False))
        ]
    )
    assert len(fit(lengths, capacity)) <= 1.01 * least_rows(lengths, capacity) + 1


@pytest.mark.parametrize("capacity", [2048, 4096])
@pytest.mark.parametrize("kind", ["instance", "ED", "EAE"])
def test_short_samples_fill_rows_to_98_percent(kind: str, capacity: int) -> None:
    lengths = draw(kind, 4000, 0, capacity)
    assert lengths.sum() / (len(fit(lengths, capacity)) * capacity) > 0.98


def test_an_item_longer_than_a_row_is_an_error() -> None:
    with pytest.raises(ValueError, match="item 1 has 9 tokens"):
        fit(np.array([3, 9]), 8)
