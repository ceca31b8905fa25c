"""Places for mentions that are named by their text alone, with a status for each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Hashable
from typing import Literal

from knowcoder.corpus.alignment import occurrences
from knowcoder.corpus.search import Range, as_written, fold, normalised
from knowcoder.corpus.sentence import Annotations, Mention

Status = Literal["exact", "ambiguous", "normalised"]
"""As written, once; as written, several times; only up to case, accents, spacing, punctuation or date format."""
Alignment = Literal[Status, "not found"]


class Locator:
    """Where names stand in one text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._folded = ""
        self._written: dict[str, list[Range]] = {}
        self._ranks: Counter[Hashable] = Counter()

    def next(self, name: str, kind: Hashable) -> tuple[Range, Status] | None:
        """The k-th place for the k-th time that a name is asked for under ``kind``; none when there is no more."""
        places = self._as_written(name)
        status: Status = "exact" if len(places) == 1 else "ambiguous" if places else "normalised"
        places = places or self._normalised(name)
        rank = self._ranks[kind, name]
        self._ranks[kind, name] += 1
        return (places[rank], status) if rank < len(places) else None

    def apart_from(self, name: str, other: Range | None) -> tuple[Range, Status] | None:
        """The first place that does not overlap ``other``."""
        places = self._as_written(name)
        for place in places:
            if _apart(place, other):
                return place, "exact" if len(places) == 1 else "ambiguous"
        return next(((place, "normalised") for place in self._normalised(name) if _apart(place, other)), None)

    def nearest(self, name: str, first: int) -> Range | None:
        """The place that begins nearest to ``first``."""
        places = self._as_written(name) or self._normalised(name)
        return min(places, key=lambda place: abs(place[0] - first), default=None)

    def _as_written(self, name: str) -> list[Range]:
        if name not in self._written:
            self._written[name] = list(dict.fromkeys(as_written(name, self.text)))
        return self._written[name]

    def _normalised(self, name: str) -> list[Range]:
        self._folded = self._folded or fold(self.text)
        return list(dict.fromkeys(normalised(name, self._folded)))


def alignment_of(annotations: Annotations, text: str, told: Collection[Mention] = ()) -> tuple[Alignment, ...]:
    """How each mention of annotations that were aligned with a text stands in it, in the order of ``mentions()``.

    Args:
        told: mentions whose places were known before, which makes them exact.
    """
    found: dict[Mention, Alignment] = {mention: "exact" for mention in told if mention.start is not None}
    for mention in annotations.mentions():
        if mention not in found:
            found[mention] = _alignment(mention, text)
    return tuple(found[mention] for mention in annotations.mentions())


def _alignment(mention: Mention, text: str) -> Alignment:
    if mention.start is not None:
        return "exact" if len(occurrences(text, mention.text)) == 1 else "ambiguous"
    return "not found" if next(normalised(mention.text, fold(text)), None) is None else "normalised"


def _apart(one: Range, other: Range | None) -> bool:
    return other is None or one[1] <= other[0] or one[0] >= other[1]
