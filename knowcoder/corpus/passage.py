"""The texts of a record: one, or the sentences of a document, with the place of every token."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from knowcoder.config.corpus import RecordKeys
from knowcoder.corpus.locate import Locator
from knowcoder.corpus.paths import items_at, value_at
from knowcoder.corpus.reading import Unusable
from knowcoder.corpus.sentence import Event, Mention, Relation
from knowcoder.schema.concepts import Task

Range = tuple[int, int]


@dataclass(slots=True)
class Passage:
    """A sentence in the making.

    Attributes:
        first: the document's offset at which it begins.
        tokens: character range of each token; empty where offsets count characters.
        marked: the name and range of every piece that tags in the text mark.
        lost: something is said of it that stands nowhere in it.
        tasks: what has been annotated.
        entities, relations: dictionaries to nothing, as sets that keep their order.
        linked: the ends of relations and events, in every class that they have by what they are.
    """

    text: str
    first: int = 0
    tokens: list[Range] = field(default_factory=list)
    marked: list[tuple[str, Range]] = field(default_factory=list)
    tasks: set[Task] = field(default_factory=set)
    entities: dict[Mention, None] = field(default_factory=dict)
    relations: dict[Relation, None] = field(default_factory=dict)
    linked: dict[Mention, None] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    lost: bool = False
    locator: Locator = field(init=False)

    def __post_init__(self) -> None:
        self.locator = Locator(self.text)

    @property
    def says_nothing(self) -> bool:
        """Whether all that was said of it is lost, so that it would wrongly stand for a text with nothing in it."""
        return self.lost and not (self.entities or self.linked or self.relations or self.events)

    def __len__(self) -> int:
        return len(self.tokens) or len(self.text)

    def characters(self, start: int, end: int) -> Range:
        """A range of the document as a range of this sentence's characters."""
        start, end = start - self.first, end - self.first
        return (self.tokens[start][0], self.tokens[end - 1][1]) if self.tokens else (start, end)


def passages_of(record: Any, keys: RecordKeys) -> tuple[list[Passage], list[int]]:
    """The texts of a record, also those that are blank, and the document's offset at which each sentence begins.

    Raises:
        Unusable: the record has no text, or its tokens do not fit it.
    """
    passages = list(_passages(record, keys))
    firsts = [passage.first for passage in passages]
    return [_united(passages, keys.join)] if keys.whole and len(passages) > 1 else passages, firsts


def _passages(record: Any, keys: RecordKeys) -> Iterator[Passage]:
    text = value_at(record, keys.text)
    if keys.sentences:
        yield from _sentences(record, keys)
    elif keys.tokens:
        tokens = [item.value for item in items_at(record, keys.tokens)]
        if not tokens or not all(isinstance(token, str) for token in tokens):
            raise Unusable("tokens missing", str(value_at(record, keys.tokens))[:80])
        yield _tokenized(tokens, 0, keys.join) if text is None else _sought(tokens, str(text))
    elif not isinstance(text, str):
        raise Unusable("text missing", str(text)[:80])
    else:
        text = re.sub(keys.drop, "", text) if keys.drop else text
        if keys.markup:
            yield _unmarked(text)
        elif keys.cut:
            yield from _cut(text, keys.cut)
        else:
            yield Passage(text)


def _sentences(record: Any, keys: RecordKeys) -> Iterator[Passage]:
    given = value_at(record, keys.sentences)
    if not isinstance(given, list):
        raise Unusable("tokens missing", str(given))
    first = 0
    for sentence in given:
        try:
            passage = _sentence(sentence, first, keys.join)
        except (IndexError, TypeError, ValueError):
            raise Unusable("tokens malformed", str(sentence)[:80]) from None
        yield passage
        first += len(passage.tokens) if passage.tokens or not passage.text else len(passage.text) + len(keys.join)


def _sentence(given: Any, first: int, join: str) -> Passage:
    """A sentence from its text, its tokens, or ``[[token, start, end], ...]`` and its text."""
    if isinstance(given, str):
        return Passage(given, first)
    if all(isinstance(token, str) for token in given):
        return _tokenized(given, first, join)
    tokens, text = given
    offset = tokens[0][1]
    ranges = [(start - offset, end - offset) for _, start, end in tokens]
    for (token, _, _), (start, end) in zip(tokens, ranges, strict=True):
        if text[start:end] != token:
            raise Unusable("token is not at its offset", f"{token!r}, there: {text[start:end]!r}")
    return Passage(text, first, ranges)


def _tokenized(tokens: Sequence[str], first: int, join: str) -> Passage:
    starts = accumulate((len(token) + len(join) for token in tokens), initial=0)
    ranges = [(start, start + len(token)) for start, token in zip(starts, tokens, strict=False)]
    return Passage(join.join(tokens), first, ranges)


def _sought(tokens: Sequence[str], text: str) -> Passage:
    """Tokens that stand in a text one after the other."""
    ranges: list[Range] = []
    after = 0
    for token in tokens:
        start = text.find(token, after)
        if start < 0:
            raise Unusable("token is not in the text", token)
        after = start + len(token)
        ranges.append((start, after))
    return Passage(text, 0, ranges)


def _united(passages: Sequence[Passage], join: str) -> Passage:
    """One text of all sentences; an offset of the document stays what it is."""
    ranges: list[Range] = []
    start = 0
    for passage in passages:
        ranges += [(start + low, start + high) for low, high in passage.tokens]
        start += len(passage.text) + len(join)
    return Passage(join.join(passage.text for passage in passages), 0, ranges)


_SENTENCE_END = re.compile(r"(?<=[.!?])[\"'\u201d\u2019)\]]*\s+(?=[^\sa-z])|(?<=[\u3002\uff01\uff1f])|\n+")


def _cut(text: str, where: str) -> Iterator[Passage]:
    """The pieces of a text without the white space around them."""
    ends = [match.end() for match in (re.finditer(r"\n", text) if where == "lines" else _SENTENCE_END.finditer(text))]
    start = 0
    for end in (*ends, len(text)):
        piece = text[start:end]
        if piece.strip():
            yield Passage(piece.strip(), start + len(piece) - len(piece.lstrip()))
        start = end


_TAG = re.compile(r"<(/?)([^<>/\s]+)>")


def _unmarked(text: str) -> Passage:
    """A text without its tags, and what they mark."""
    plain: list[str] = []
    open_tags: list[tuple[str, int]] = []
    marked: list[tuple[str, Range]] = []
    length = after = 0
    for tag in _TAG.finditer(text):
        plain.append(text[after : tag.start()])
        length += tag.start() - after
        after = tag.end()
        if not tag[1]:
            open_tags.append((tag[2], length))
        elif open_tags and open_tags[-1][0] == tag[2]:
            marked.append((tag[2], (open_tags.pop()[1], length)))
        else:
            raise Unusable("tag ends that did not begin", tag[0])
    if open_tags:
        raise Unusable("tag without an end", f"<{open_tags[-1][0]}>")
    return Passage("".join((*plain, text[after:])), marked=sorted(marked, key=lambda item: item[1]))
