"""Reproducible choices for one sample, drawn from a hash of its key.

Seeding Python's generator costs more than writing a sample, and every sample needs its own: what is drawn for it
must not depend on the samples before it, on workers or on shards.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from hashlib import sha512
from typing import TypeVar

T = TypeVar("T")
_LEAST = 1 << 128  # bits that must be left, so that no choice is visibly skewed
_FINE = 1 << 32


class Draw:
    """Choices that follow from ``key`` alone."""

    __slots__ = ("_bits", "_key", "_number")

    def __init__(self, key: str) -> None:
        self._key = key.encode("utf-8", "surrogatepass")
        self._number = 0
        self._bits = int.from_bytes(sha512(self._key).digest(), "big")

    def below(self, number: int) -> int:
        """An integer from 0 to ``number`` - 1."""
        if self._bits < _LEAST:
            self._refill()
        self._bits, drawn = divmod(self._bits, number)
        return drawn

    def chance(self, share: float) -> bool:
        """True in a share of all draws; draws nothing where the share is 0."""
        return share > 0 and self.below(_FINE) < share * _FINE

    def shuffle(self, items: list[T]) -> None:
        """Bring a list into random order."""
        bits = self._bits
        for last in range(len(items) - 1, 0, -1):
            if bits < _LEAST:
                self._refill()
                bits = self._bits
            bits, other = divmod(bits, last + 1)
            items[last], items[other] = items[other], items[last]
        self._bits = bits

    def sample(self, items: Sequence[T], count: int, without: Collection[T] = ()) -> list[T]:
        """``count`` different items that are not in ``without``; all such items where there are no more.

        ``items`` holds no item twice. Few of many are drawn without looking at all of them.
        """
        if 4 * max(count, len(without)) < len(items):
            found: dict[T, None] = {}
            while len(found) < count:
                item = items[self.below(len(items))]
                if item not in without:
                    found[item] = None
            return list(found)
        left = [item for item in items if item not in without]
        self.shuffle(left)
        return left[:count]

    def _refill(self) -> None:
        self._number += 1
        self._bits = int.from_bytes(sha512(self._key + b"\0%d" % self._number).digest(), "big")
