"""How a file with spans is laid out, and what its records hold before any label is looked at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, TypeAlias

from knowcoder.corpus.columns import Scheme
from knowcoder.corpus.reading import Unusable
from knowcoder.corpus.sentence import Event, Mention, Relation
from knowcoder.schema.concepts import Task

Record: TypeAlias = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class SpanKeys:
    """How a file with spans is laid out. Lists of annotations are named by a dotted path, the rest by a field.

    A *reference* is the position of an entity in the record's list, an entity's id, or a span itself. A *span*
    has a start and either an end or its text; where it holds lists of lists, every inner list is one mention
    in pieces.

    Attributes:
        text: a record's text, in which offsets count characters.
        tokens: or else its tokens, which offsets count.
        sentences: or else the sentences of a document, whose tokens offsets count: each a list of tokens, or a pair
            of a list of ``[token, start, end]`` and the text.
        join: what stood between tokens that are given without a text.
        inclusive: the end of a span belongs to it.
        tags, scheme: list with a tag for each token, for entities that are no list of spans.
        entities, entity_id, entity_type: path of the entities, and their fields; ``start``, ``end`` and
            ``mention`` (its text) are the fields of every span.
        relations, relation_type, head, tail: path of the relations and their fields; arguments are references.
        events, event_type, trigger: path of the events and their fields; the trigger is a span.
        arguments, role, filler: list of an event's arguments and their fields; ``filler`` is a reference, empty
            where the argument is the span. Without ``arguments``, every field of an event that holds a span is
            a role, and so are the spans within it: ``Treatment`` and ``Treatment.Drug``.
        id, share: the share of the records, from and to, in the order of their ids, for a file that is cut.
        document: what ends the document's name in an id, where records are parts of documents: a cut that would fall
            into a document falls behind it.
    """

    text: str = ""
    tokens: str = ""
    sentences: str = ""
    join: str = " "
    inclusive: bool = False
    tags: str = ""
    scheme: Scheme = "BIO"
    entities: str = ""
    entity_id: str = "id"
    entity_type: str = "type"
    start: str = "start"
    end: str = "end"
    mention: str = "text"
    relations: str = ""
    relation_type: str = "type"
    head: str = "head"
    tail: str = "tail"
    events: str = ""
    event_type: str = "type"
    trigger: str = "trigger"
    arguments: str = ""
    role: str = "role"
    filler: str = ""
    id: str = "id"
    share: tuple[float, float] = (0.0, 1.0)
    document: str = ""

    @property
    def tasks(self) -> tuple[Task, ...]:
        """What such a file annotates."""
        found: list[Task] = []
        if self.entities or self.tags:
            found.append("NER")
        if self.relations:
            found.append("RE")
        if self.events:
            found += ["ED", "EAE"]
        return tuple(found)


@dataclass(slots=True)
class Draft:
    """A sentence in the making.

    Attributes:
        first: the document's offset at which it begins.
        tokens: character range of each token; empty where offsets count characters.
    """

    text: str
    first: int
    tokens: list[tuple[int, int]]
    entities: list[Mention] = field(default_factory=list)
    relations: list[Relation] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.tokens) or len(self.text)

    def characters(self, start: int, end: int) -> tuple[int, int]:
        """A range of the document as a range of this sentence's characters."""
        start, end = start - self.first, end - self.first
        return (self.tokens[start][0], self.tokens[end - 1][1]) if self.tokens else (start, end)


Piece = tuple[int, int, str | None]
"""Start, end and, where it is given, the text."""


def cut(record: Record, keys: SpanKeys) -> Iterator[Draft]:
    """The sentences of a record."""
    if not (keys.sentences or keys.tokens):
        text = record.get(keys.text)
        if not isinstance(text, str):
            raise Unusable("text missing", str(text))
        yield Draft(text, 0, [])
        return
    named = record.get(keys.sentences or keys.tokens)
    if not isinstance(named, list):
        raise Unusable("tokens missing", str(named))
    first = 0
    for given in named if keys.sentences else [named]:
        try:
            sentence = _tokenized(given, first, keys.join)
        except (IndexError, TypeError, ValueError):
            raise Unusable("tokens malformed", str(given)[:80]) from None
        yield sentence
        first += len(sentence.tokens)


def _tokenized(given: list[Any], first: int, join: str) -> Draft:
    """A sentence from its tokens, or from ``[[token, start, end], ...]`` and its text."""
    if all(isinstance(token, str) for token in given):
        starts = accumulate((len(token) + len(join) for token in given), initial=0)
        ranges = [(start, start + len(token)) for start, token in zip(starts, given, strict=False)]
        return Draft(join.join(given), first, ranges)
    tokens, text = given
    offset = tokens[0][1]
    ranges = [(start - offset, end - offset) for _, start, end in tokens]
    for (token, _, _), (start, end) in zip(tokens, ranges, strict=True):
        if text[start:end] != token:
            raise Unusable("token is not at its offset", f"{token!r}, there: {text[start:end]!r}")
    return Draft(text, first, ranges)


def annotations_at(record: Record, path: str) -> list[object]:
    """What stands at a dotted path; lists on the way are gone through, and null is nothing."""
    if not path:
        return []
    found: list[object] = [record]
    for name in path.split("."):
        values = [item[name] for item in found if isinstance(item, dict) and item.get(name) is not None]
        found = [item for value in values for item in (value if isinstance(value, list) else [value])]
    return found


def as_object(annotation: object) -> Record:
    """The annotation, if it has fields."""
    if not isinstance(annotation, dict):
        raise Unusable("annotation is no object", str(annotation)[:80])
    return annotation


def arguments_of(event: Record, keys: SpanKeys) -> Iterator[tuple[str, object]]:
    """Yield (role, reference) for every argument; an ``Unusable`` stands for what cannot be one."""
    if not keys.arguments:
        yield from _nested({name: value for name, value in event.items() if name != keys.trigger}, "", keys)
    for argument in annotations_at(event, keys.arguments):
        if isinstance(argument, dict):
            yield str(argument.get(keys.role)), argument.get(keys.filler) if keys.filler else argument
        else:
            yield str(argument), Unusable("annotation is no object", str(argument)[:80])


def _nested(holder: Record, path: str, keys: SpanKeys) -> Iterator[tuple[str, object]]:
    for name, value in holder.items():
        role = f"{path}{name}"
        if isinstance(value, dict) and keys.start in value:
            try:
                for pieces in mentions_of(value, keys):
                    yield role, pieces
            except Unusable as error:
                yield role, error
            yield from _nested(value, f"{role}.", keys)
        elif isinstance(value, list):
            for _ in (item for item in value if isinstance(item, dict)):
                yield role, Unusable("event within an event", role)


def mentions_of(span: object, keys: SpanKeys) -> list[list[Piece]]:
    """The mentions that a span holds, each as its pieces."""
    if not isinstance(span, dict):
        raise Unusable("span missing", str(span)[:80])
    starts: Any = span.get(keys.start)
    texts: Any = span.get(keys.mention)
    try:
        if not isinstance(starts, list):
            return [[_piece(starts, span.get(keys.end), texts, keys)]]
        return [
            [_piece(start, None, text, keys) for start, text in zip(inner, said, strict=True)]
            for inner, said in zip(starts, texts, strict=True)
        ]
    except (TypeError, ValueError):
        raise Unusable("span malformed", str(span)[:80]) from None


def _piece(start: Any, end: Any, text: Any, keys: SpanKeys) -> Piece:
    """A range, end exclusive; without an end the text says it."""
    after = start + len(text) if end is None else end + keys.inclusive
    if not (isinstance(start, int) and isinstance(after, int) and isinstance(text, str | None)):
        raise TypeError
    return start, after, text


def only(mentions: list[list[Piece]]) -> Piece:
    if len(mentions) != 1:
        raise Unusable("not one mention but several", str(mentions)[:80])
    return whole(mentions[0])


def whole(pieces: list[Piece]) -> Piece:
    if len(pieces) != 1:
        raise Unusable("mention in pieces", " ... ".join(text or f"{start}:{end}" for start, end, text in pieces))
    return pieces[0]
