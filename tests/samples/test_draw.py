"""Draws follow from their key alone, and are fair."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from knowcoder.samples.draw import Draw


@given(st.text(st.characters()), st.integers(1, 10**6), st.integers(1, 200))
def test_the_same_key_draws_the_same_within_bounds(key: str, number: int, times: int) -> None:
    one, other = Draw(key), Draw(key)
    drawn = [one.below(number) for _ in range(times)]
    assert drawn == [other.below(number) for _ in range(times)]
    assert all(0 <= value < number for value in drawn)


@given(st.text(), st.lists(st.integers(), unique=True, max_size=300))
def test_shuffling_keeps_everything(key: str, items: list[int]) -> None:
    shuffled = list(items)
    Draw(key).shuffle(shuffled)
    assert sorted(shuffled) == sorted(items)


@given(st.text(), st.integers(0, 300), st.integers(0, 40), st.integers(0, 40))
def test_a_sample_holds_different_items_that_are_allowed(key: str, size: int, count: int, without: int) -> None:
    forbidden = set(range(without))
    found = Draw(key).sample(range(size), count, forbidden)
    allowed = set(range(size)) - forbidden
    assert set(found) <= allowed
    assert len(set(found)) == len(found) == min(count, len(allowed))


def test_every_order_comes_equally_often() -> None:
    orders: Counter[tuple[int, ...]] = Counter()
    for key in range(6000):
        items = [1, 2, 3]
        Draw(str(key)).shuffle(items)
        orders[tuple(items)] += 1
    assert len(orders) == 6
    assert all(850 < count < 1150 for count in orders.values())


def test_long_draws_do_not_run_dry() -> None:
    draw = Draw("x")
    counts = Counter(draw.below(10) for _ in range(20_000))
    assert all(1800 < counts[digit] < 2200 for digit in range(10))
    assert 4700 < sum(Draw(str(key)).chance(0.5) for key in range(10_000)) < 5300
