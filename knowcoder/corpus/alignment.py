"""Character offsets for mentions that are known by their text alone, found without a look at gold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterator

from msgspec.structs import replace

from knowcoder.corpus.sentence import Annotations, Argument, Event, Mention, Relation

#: Scripts from here on (CJK and later) are written without spaces: a neighbouring letter says nothing about a word.
_FIRST_UNSPACED = "\u2e80"


def align(annotations: Annotations, text: str) -> Annotations:
    """Give offsets to mentions that have none; a mention that the text does not contain stays without.

    The k-th equal answer takes the k-th occurrence that no earlier answer of its kind has taken. Occurrences
    that are whole words come before those inside a longer word ("art" before the end of "cart"), which count
    only where there is no other. An answer that is repeated more often than the text has it gets the first.
    """
    if all(mention.start is not None for mention in annotations.mentions()):
        return annotations
    finder = _Finder(text)
    return Annotations(
        entities=tuple(finder.next_free(mention, "entity") for mention in annotations.entities),
        relations=tuple(_align_relation(relation, finder) for relation in annotations.relations),
        events=tuple(_align_event(event, finder) for event in annotations.events),
    )


def _align_relation(relation: Relation, finder: _Finder) -> Relation:
    answer = (relation.type, relation.head.text, relation.tail.text)
    head = finder.nth_equal(relation.head, ("head", *answer))
    return Relation(relation.type, head, finder.nth_equal(relation.tail, ("tail", *answer)))


def _align_event(event: Event, finder: _Finder) -> Event:
    trigger = finder.next_free(event.trigger, "trigger") if event.trigger else None
    place = (event.type, trigger.text, trigger.start) if trigger else (event.type,)
    arguments = tuple(
        Argument(argument.role, finder.nth_equal(argument.mention, (*place, argument.role, argument.mention.text)))
        for argument in event.arguments
    )
    return Event(event.type, trigger, arguments)


class _Finder:
    """The occurrences of mentions in one text, and which of them are taken."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._occurrences: dict[str, list[int]] = {}
        self._taken: set[tuple[str, str, int]] = set()
        self._equal: Counter[Hashable] = Counter()

    def next_free(self, mention: Mention, kind: str) -> Mention:
        """Take the first occurrence that no other answer of this kind, of whatever type, has taken."""
        starts = self._starts(mention)
        start = next((s for s in starts if (kind, mention.text, s) not in self._taken), None)
        if start is None:
            return _placed(mention, starts[:1])
        self._taken.add((kind, mention.text, start))
        return _placed(mention, [start])

    def nth_equal(self, mention: Mention, answer: Hashable) -> Mention:
        """Take the k-th occurrence for the k-th answer that is equal to this one."""
        starts = self._starts(mention)
        rank = self._equal[answer]
        self._equal[answer] += 1
        return _placed(mention, starts[rank : rank + 1] or starts[:1])

    def _starts(self, mention: Mention) -> list[int]:
        if mention.start is not None:
            return [mention.start]
        if mention.text not in self._occurrences:
            self._occurrences[mention.text] = occurrences(self.text, mention.text)
        return self._occurrences[mention.text]


def _placed(mention: Mention, start: list[int]) -> Mention:
    if mention.start is not None or not start:
        return mention
    return replace(mention, start=start[0], end=start[0] + len(mention.text))


def occurrences(text: str, piece: str) -> list[int]:
    """Where ``piece`` stands in ``text``, not overlapping: as a whole word, or, if nowhere so, anywhere."""
    found = list(places(text, piece))
    return [start for start in found if is_whole(text, start, start + len(piece))] or found


def places(text: str, piece: str) -> Iterator[int]:
    """Yield where ``piece`` stands in ``text``, not overlapping."""
    start = text.find(piece) if piece else -1
    while start >= 0:
        yield start
        start = text.find(piece, start + len(piece))


def is_whole(text: str, start: int, end: int) -> bool:
    """Whether a range neither begins nor ends within a word, in scripts that have borders of words."""
    return not (_is_glued(text, start) or _is_glued(text, end))


def _is_glued(text: str, cut: int) -> bool:
    """Whether a cut before character ``cut`` runs through a word."""
    if not 0 < cut < len(text):
        return False
    return all(side.isalnum() and side < _FIRST_UNSPACED for side in text[cut - 1 : cut + 1])
