"""Which samples share a row: as few rows as two quick methods find, each better on other lengths.

Both know samples by their length alone; samples of one length are then dealt out in their order.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_TRIPLES = 8  # lengths that are tried as the longest of three
_WASTE = 100  # two or three must leave less than this part of a row


@dataclass(frozen=True, slots=True)
class Rows:
    """Samples row by row: row r holds `items[ends[r] : ends[r + 1]]`."""

    items: NDArray[np.int64]
    ends: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ends) - 1


@dataclass(frozen=True, slots=True)
class _Placed:
    """Lengths in the order in which they were placed, the row of each, and the number of rows."""

    lengths: Sequence[int]
    rows: Sequence[int]
    count: int


def fit(lengths: NDArray[np.integer], capacity: int) -> Rows:
    """Group samples into rows of at most `capacity` tokens.

    Raises:
        ValueError: a sample is longer than a row.
    """
    if len(lengths) and lengths.max() > capacity:
        item = int(np.argmax(lengths > capacity))
        raise ValueError(f"item {item} has {lengths[item]} tokens, a row takes {capacity}")
    counts = np.bincount(lengths, minlength=capacity + 1).tolist()
    placed = min(best_fit(counts, capacity), exact_fit(counts, capacity), key=lambda found: found.count)
    items = np.empty(len(lengths), np.int64)
    items[np.argsort(np.asarray(placed.lengths), kind="stable")] = np.argsort(lengths, kind="stable")
    row_of = np.asarray(placed.rows)
    ends = np.concatenate([[0], np.cumsum(np.bincount(row_of, minlength=placed.count))]).astype(np.int64)
    return Rows(items[np.argsort(row_of, kind="stable")], ends)


def least_rows(lengths: NDArray[np.integer], capacity: int) -> int:
    """Return a number of rows that nothing can go below: all tokens, or all samples that take more than half a row."""
    return max(-(-int(lengths.sum()) // capacity), int((lengths * 2 > capacity).sum()))


def best_fit(counts: list[int], capacity: int) -> _Placed:
    """Place the longest first, each into the row with the least room that still takes it.

    Rows are found by the room left in them through one integer used as a bit set, so the work is linear in the
    number of samples. Best where many samples take more than a third of a row.

    Args:
        counts: [capacity + 1], how many samples there are of each length.
    """
    lengths, rows, count = array("q"), array("q"), 0
    with_room: list[list[int]] = [[] for _ in range(capacity + 1)]
    rooms = 0  # bit r is set while some row has r positions left
    for length in range(capacity, -1, -1):
        for _ in range(counts[length]):
            fitting = rooms >> length
            if fitting:
                room = length + (fitting & -fitting).bit_length() - 1
                row = with_room[room].pop()
                if not with_room[room]:
                    rooms ^= 1 << room
            else:
                room, row = capacity, count
                count += 1
            lengths.append(length)
            rows.append(row)
            with_room[room - length].append(row)
            rooms |= 1 << (room - length)
    return _Placed(lengths, rows, count)


def exact_fit(counts: list[int], capacity: int) -> _Placed:
    """Fill one row after the other: the longest that is left, and what then comes closest to filling the row.

    Best where samples are of similar length, so that the longest of them leave rooms that no single one fills.
    """
    supply = _Supply(counts, capacity)
    lengths, rows, count = array("q"), array("q"), 0
    while (longest := supply.longest(capacity)) >= 0:
        row = [longest]
        supply.take(longest)
        room = capacity - longest
        while (longest := supply.longest(room)) >= 0:
            more = supply.closest(room, longest) if 2 * longest >= room else (longest,)
            for length in more:
                supply.take(length)
            row += more
            room -= sum(more)
        lengths.extend(row)
        rows.extend([count] * len(row))
        count += 1
    return _Placed(lengths, rows, count)


class _Supply:
    """The samples that are left, by length. Bits stand for lengths, so that two of a given sum are found at once."""

    def __init__(self, counts: list[int], capacity: int) -> None:
        self._counts, self._capacity = list(counts), capacity
        self._there = self._mirrored = 0  # bit n, and bit capacity - n, for every length n that is there
        for length, count in enumerate(counts):
            if count:
                self._flip(length)

    def take(self, length: int) -> None:
        self._counts[length] -= 1
        if not self._counts[length]:
            self._flip(length)

    def longest(self, limit: int) -> int:
        """Return the longest of at most `limit`, -1 where there is none."""
        return self._up_to(limit).bit_length() - 1

    def closest(self, room: int, longest: int) -> tuple[int, ...]:
        """Return two or three lengths that all but fill `room`, or else `longest`, which is that of `longest(room)`."""
        for total in range(room, max(longest, room - self._capacity // _WASTE), -1):
            if found := self._pair(total) or self._triple(total):
                return found
        return (longest,)

    def _pair(self, total: int) -> tuple[int, int] | None:
        both = self._up_to(total) & (self._mirrored >> (self._capacity - total))
        if both:
            one = both.bit_length() - 1
            if 2 * one != total or self._counts[one] > 1:
                return one, total - one
        return None

    def _triple(self, total: int) -> tuple[int, int, int] | None:
        limit = total
        for _ in range(_TRIPLES):
            one = self.longest(limit)
            if one < 0 or 3 * one < total:
                return None
            self.take(one)
            two = self._pair(total - one)
            self._put(one)
            if two:
                return one, *two
            limit = one - 1
        return None

    def _put(self, length: int) -> None:
        self._counts[length] += 1
        if self._counts[length] == 1:
            self._flip(length)

    def _up_to(self, limit: int) -> int:
        return self._there & ((2 << limit) - 1) if limit >= 0 else 0

    def _flip(self, length: int) -> None:
        self._there ^= 1 << length
        self._mirrored ^= 1 << (self._capacity - length)
