"""A sequence that lies on disk, for corpora that are larger than memory."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from tempfile import SpooledTemporaryFile
from typing import Any, TypeVar, overload

import msgspec

T = TypeVar("T")

_IN_MEMORY = 1 << 20  # bytes up to which there is no file
_AT_ONCE = 512  # items that are read at once


class Stored(Sequence[T]):
    """A list whose items lie in a temporary file (in ``TMPDIR``) as lines of JSON; it holds 8 bytes of each.

    What was added does not change. The file goes with the object.

    Args:
        kind: what the items are; msgspec must know it.
    """

    def __init__(self, kind: type[T], items: Iterable[T] = ()) -> None:
        self._kind = kind
        self._encode = msgspec.json.Encoder().encode
        self._decode = msgspec.json.Decoder(kind).decode
        # Closed when it is collected; a with-statement would end before the object does.
        self._file = SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115
        self._ends = array("Q", [0])
        self._at_end = True
        self.extend(items)

    def append(self, item: T) -> None:
        """Add an item at the end."""
        if not self._at_end:
            self._file.seek(self._ends[-1])
            self._at_end = True
        line = self._encode(item)
        self._file.write(line)
        self._ends.append(self._ends[-1] + len(line))

    def extend(self, items: Iterable[T]) -> None:
        """Add items at the end; its own too."""
        for item in items:
            self.append(item)

    def __len__(self) -> int:
        return len(self._ends) - 1

    def __iter__(self) -> Iterator[T]:
        yield from self._between(0, len(self))

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        found = range(len(self))[index]
        if isinstance(found, int):
            return next(self._between(found, found + 1))
        return list(self._between(found.start, found.stop)) if found.step == 1 else [self[place] for place in found]

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or len(other) != len(self):
            return False
        return all(own == its for own, its in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Stored({self._kind.__name__}, {list(self)!r})"

    def _between(self, first: int, last: int) -> Iterator[T]:
        for start in range(first, last, _AT_ONCE):
            ends = self._ends[start : min(start + _AT_ONCE, last) + 1]
            self._file.seek(ends[0])
            self._at_end = False
            block: Any = memoryview(self._file.read(ends[-1] - ends[0]))
            for begin, end in pairwise(ends):
                yield self._decode(block[begin - ends[0] : end - ends[0]])
