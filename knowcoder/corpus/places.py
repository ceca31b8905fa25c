"""Where mentions stand in the sentences of a document: by offset, by name, or by a reference to an entity."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

from knowcoder.config.corpus import SpanKeys
from knowcoder.corpus.passage import Passage
from knowcoder.corpus.paths import Found
from knowcoder.corpus.reading import Reading, Unusable
from knowcoder.corpus.sentence import Mention
from knowcoder.corpus.spans import Piece, only_piece

Placed = tuple[Passage, Mention]
"""A mention and the sentence that it stands in."""


class Places:
    """The sentences of one document, and the entities that its relations and events may refer to.

    Attributes:
        entities: the mentions of every entity, in the order of the record; none for one that was rejected.
        ids: the same by id.
    """

    def __init__(self, passages: Sequence[Passage], firsts: Sequence[int], reading: Reading) -> None:
        self.passages, self.firsts, self.reading = passages, firsts, reading
        self.starts = [passage.first for passage in passages]
        self.entities: list[list[Placed]] = []
        self.ids: dict[str, list[Placed]] = {}

    def resolve(
        self,
        reference: Any,
        what: str,
        own_type: str,
        spans: SpanKeys,
        apart_from: Placed | None = None,
        near: Passage | None = None,
    ) -> list[Placed]:
        """The mentions that a reference means: an entity by position or id, a span, or a text.

        Text is an id where entities have ids. A number is one too, or else the position of an entity.

        Args:
            what: what the reference is of, for the reason where it means nothing.
            own_type: the class of a mention that is no entity's.
            apart_from: a mention that a text does not overlap.
            near: the sentence in which a text is sought first.
        """
        if isinstance(reference, str | int) and not isinstance(reference, bool):
            if self.ids:
                return self._named(self.ids.get(str(reference)), what, reference)
            if isinstance(reference, int):
                in_list = 0 <= reference < len(self.entities)
                return self._named(self.entities[reference] if in_list else None, what, reference)
        piece = reference if isinstance(reference, Piece) else only_piece(Found(reference), spans)
        return [self.place(piece, own_type, what, apart_from, near)]

    @staticmethod
    def _named(placed: list[Placed] | None, what: str, reference: str | int) -> list[Placed]:
        if placed is None:
            raise Unusable(f"{what} of no entity", str(reference))
        if not placed:
            raise Unusable(f"{what} of a rejected entity", str(reference))
        return placed

    def place(
        self, piece: Piece, kind: str, what: str, apart_from: Placed | None = None, near: Passage | None = None
    ) -> Placed:
        """The mention that a piece is, and its sentence.

        Raises:
            Unusable: it crosses sentences, says another text than stands there, or stands nowhere.
        """
        if piece.start is None or piece.end is None:
            return self._sought(piece.text or "", kind, what, apart_from, near)
        passage, (first, after) = self._characters(piece)
        found = passage.text[first:after]
        if not found.strip():
            raise Unusable("mention is blank", kind)
        if piece.text is not None and found != piece.text:
            return self._moved(piece.text, kind, passage, first)
        return passage, Mention(kind, found, first, after)

    def _characters(self, piece: Piece) -> tuple[Passage, tuple[int, int]]:
        start, end = piece.start or 0, piece.end or 0
        if piece.sentence is not None:
            if not 0 <= piece.sentence < len(self.firsts):
                raise Unusable("span in no sentence", str(piece.sentence))
            start, end = start + self.firsts[piece.sentence], end + self.firsts[piece.sentence]
        number = bisect_right(self.starts, start) - 1
        if number < 0 or not start < end <= self.starts[number] + len(self.passages[number]):
            raise Unusable("span outside one sentence", str(piece))
        return self.passages[number], self.passages[number].characters(start, end)

    def _moved(self, name: str, kind: str, passage: Passage, first: int) -> Placed:
        """A text that does not stand at its offsets: the place of it that is nearest in the same sentence."""
        place = passage.locator.nearest(name, first)
        if place is None:
            there = passage.text[first : first + len(name)]
            raise Unusable("another text at the offsets", f"{name!r}, there: {there!r}")
        self.reading.sought["moved"] += 1
        return passage, Mention(kind, passage.text[slice(*place)], *place)

    def _sought(self, name: str, kind: str, what: str, apart_from: Placed | None, near: Passage | None) -> Placed:
        """A text where it stands: equal entities and triggers one after the other, arguments at the first place."""
        for passage in self.passages if near is None else [near, *(p for p in self.passages if p is not near)]:
            if what in ("entity", "trigger"):
                found = passage.locator.next(name, (what, kind))
            else:
                other = apart_from[1] if apart_from and apart_from[0] is passage else None
                found = passage.locator.apart_from(name, (other.start or 0, other.end or 0) if other else None)
            if found:
                (start, end), status = found
                self.reading.sought[status] += 1
                return passage, Mention(kind, passage.text[start:end], start, end)
        for passage in self.passages:
            passage.lost = True
        self.reading.sought["not found"] += 1
        raise Unusable(f"{what} not in the text", name)
