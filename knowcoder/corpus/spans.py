"""JSON and JSONL with spans: entities, relations between them, events with triggers and nested arguments.

A record is a sentence, or a document that says where its sentences are. What its fields are called, and whether
its offsets count tokens or characters, is a matter of keys.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from knowcoder import jsonl
from knowcoder.corpus.columns import decode_tags
from knowcoder.corpus.reading import Reading, Unusable
from knowcoder.corpus.sentence import Argument, Event, Mention, Relation, Sentence
from knowcoder.corpus.span_layout import (
    Draft,
    Record,
    SpanKeys,
    annotations_at,
    arguments_of,
    as_object,
    cut,
    mentions_of,
    only,
    whole,
)
from knowcoder.corpus.triples import UNTYPED

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class EventClass:
    """The class of an event label, and its roles: label in the data -> name."""

    name: str
    roles: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SpanClasses:
    """Label in the data -> class name, by kind."""

    entities: Mapping[str, str] = field(default_factory=dict)
    relations: Mapping[str, str] = field(default_factory=dict)
    events: Mapping[str, EventClass] = field(default_factory=dict)


def read_spans(
    path: str | Path,
    keys: SpanKeys,
    classes: SpanClasses,
    *,
    source: str,
    split: str,
    language: str,
    reading: Reading,
) -> Iterator[Sentence]:
    """Yield the sentences of a file with spans, a JSON list or JSON lines, annotated or not.

    The unit of the account is the annotation: an entity, a relation, an event or an argument. What is rejected
    is counted with its reason: a label without a class, a span that is in pieces, crosses sentences or says
    another text than stands there, an argument in another sentence than its trigger or head. With an event go
    its arguments.

    Raises:
        DataError: the file is not JSON, or a record is no object.
    """
    number = 0
    for line, record in _records(path, keys):
        document = _Document(path, line, record, keys, classes, reading)
        document.annotate()
        reading.texts += len(document.sentences)
        for found in document.sentences:
            number += 1
            yield Sentence(
                id=f"{source}-{split}-{number}",
                text=found.text,
                source=source,
                tasks=keys.tasks,
                entities=tuple(found.entities),
                relations=tuple(found.relations),
                events=tuple(found.events),
                language=language,
            )


def _records(path: str | Path, keys: SpanKeys) -> list[tuple[int, Record]]:
    """The records of the file's share with their numbers: lines, or positions in the list, from 1."""
    with open(path, encoding="utf-8-sig") as file:
        is_list = file.read(1) == "["
    found = jsonl.read_json(path, list[Record]) if is_list else jsonl.read(path, Record)
    records = list(enumerate(found, 1))
    if keys.share == (0.0, 1.0):
        return records
    records.sort(key=lambda numbered: str(numbered[1].get(keys.id)))
    names = [str(record.get(keys.id)) for _, record in records]
    documents = [name.rsplit(keys.document, 1)[0] for name in names] if keys.document else names
    first, last = (_behind_document(documents, int(part * len(records))) for part in keys.share)
    return records[first:last]


def _behind_document(documents: Sequence[str], cut: int) -> int:
    """The first place from ``cut`` on at which a document begins, or the end."""
    while 0 < cut < len(documents) and documents[cut] == documents[cut - 1]:
        cut += 1
    return cut


Placed = tuple[Draft, Mention]
"""A mention and the sentence that it stands in."""


class _Document:
    """One record: its sentences, and the annotations that are put into them."""

    def __init__(
        self, path: str | Path, line: int, record: Record, keys: SpanKeys, classes: SpanClasses, reading: Reading
    ) -> None:
        self.path, self.line, self.record, self.keys = path, line, record, keys
        self.classes, self.reading = classes, reading
        self.sentences: list[Draft] = []
        self.starts: list[int] = []
        self.entities: list[Placed | None] = []  # None keeps the place of one that was rejected
        self.ids: dict[str, Placed | None] = {}

    def annotate(self) -> None:
        """Cut the record into sentences and put every annotation where it belongs, or reject it."""
        try:
            self.sentences = list(cut(self.record, self.keys))
        except Unusable as error:
            self._reject(error)
            return
        for _ in (sentence for sentence in self.sentences if not sentence.text.strip()):
            self._reject(Unusable("sentence is blank", ""))
        self.sentences = [sentence for sentence in self.sentences if sentence.text.strip()]
        self.starts = [sentence.first for sentence in self.sentences]
        self._add_tagged()
        for item in annotations_at(self.record, self.keys.entities):
            placed = self._attempt(self._entity, item)
            self.entities.append(placed)
            if isinstance(item, dict):
                self.ids[str(item.get(self.keys.entity_id))] = placed
        for item in annotations_at(self.record, self.keys.relations):
            self._attempt(self._relation, item)
        for item in annotations_at(self.record, self.keys.events):
            self._attempt(self._event, item)

    def _attempt(self, read: Callable[..., T], *item: object) -> T | None:
        """What a method makes of an annotation, which is counted as kept; None where it is rejected."""
        try:
            made = read(*item)
        except Unusable as error:
            self._reject(error)
            return None
        self.reading.kept += 1
        return made

    def _reject(self, error: Unusable) -> None:
        self.reading.reject(self.path, self.line, error.reason, error.value)

    def _add_tagged(self) -> None:
        """Entities that tags spell; such a record is one sentence."""
        if not self.keys.tags:
            return
        try:
            tags = self.record.get(self.keys.tags)
            if not isinstance(tags, list) or [len(tags)] != [len(sentence.tokens) for sentence in self.sentences]:
                raise Unusable("not one tag for each token", str(tags)[:80])
            spans, repaired = decode_tags(tags, self.keys.scheme)
        except Unusable as error:
            self._reject(error)
            return
        self.reading.repaired += repaired
        for label, start, end in spans:
            self.entities.append(self._attempt(self._typed, label, start, end, None))

    def _entity(self, item: object) -> Placed:
        return self._typed(str(as_object(item).get(self.keys.entity_type)), *only(mentions_of(item, self.keys)))

    def _typed(self, label: str, start: int, end: int, text: str | None) -> Placed:
        sentence, mention = self._mention(_class(label, self.classes.entities), start, end, text)
        if mention in sentence.entities:
            raise Unusable("entity said twice", mention.text)
        sentence.entities.append(mention)
        return sentence, mention

    def _relation(self, item: object) -> None:
        said = as_object(item)
        name = _class(str(said.get(self.keys.relation_type)), self.classes.relations)
        sentence, head = self._resolve(said.get(self.keys.head), "relation")
        other, tail = self._resolve(said.get(self.keys.tail), "relation")
        if other is not sentence:
            raise Unusable("relation across sentences", f"{head.text} | {name} | {tail.text}")
        relation = Relation(name, head, tail)
        if relation in sentence.relations:
            raise Unusable("relation said twice", f"{head.text} | {name} | {tail.text}")
        sentence.relations.append(relation)

    def _event(self, item: object) -> None:
        said = as_object(item)
        arguments = list(arguments_of(said, self.keys))
        try:
            label = str(said.get(self.keys.event_type))
            kind = self.classes.events.get(label)
            if kind is None:
                raise Unusable("label without a class", label)
            sentence, trigger = self._mention(kind.name, *only(mentions_of(said.get(self.keys.trigger), self.keys)))
        except Unusable as error:
            for role, _ in arguments:
                self._reject(Unusable(f"argument of a rejected event: {error.reason}", role))
            raise
        filled: list[Argument] = []
        for role, filler in arguments:
            self._attempt(self._argument, filled, sentence, kind, role, filler)
        sentence.events.append(Event(kind.name, trigger, tuple(filled)))

    def _argument(self, filled: list[Argument], sentence: Draft, kind: EventClass, role: str, filler: object) -> None:
        if isinstance(filler, Unusable):
            raise filler
        if role not in kind.roles:
            raise Unusable("role without a name", f"{kind.name}: {role}")
        other, mention = self._resolve(filler, "argument")
        if other is not sentence:
            raise Unusable("argument in another sentence", f"{role}: {mention.text}")
        argument = Argument(kind.roles[role], mention)
        if argument in filled:
            raise Unusable("argument said twice", f"{role}: {mention.text}")
        filled.append(argument)

    def _resolve(self, reference: object, what: str) -> Placed:
        """The mention that a reference means: an entity by position or id, or a span without a type."""
        if isinstance(reference, list):
            return self._mention(UNTYPED, *whole(reference))
        if isinstance(reference, dict):
            return self._mention(UNTYPED, *only(mentions_of(reference, self.keys)))
        known: Placed | None
        if isinstance(reference, int):
            if not 0 <= reference < len(self.entities):
                raise Unusable(f"{what} of no entity", str(reference))
            known = self.entities[reference]
        elif str(reference) not in self.ids:
            raise Unusable(f"{what} of no entity", str(reference))
        else:
            known = self.ids[str(reference)]
        if known is None:
            raise Unusable(f"{what} of a rejected entity", str(reference))
        return known

    def _mention(self, kind: str, start: int, end: int, text: str | None) -> Placed:
        number = bisect_right(self.starts, start) - 1
        sentence = self.sentences[number] if number >= 0 else None
        if sentence is None or not start < end <= sentence.first + len(sentence):
            raise Unusable("span outside one sentence", text or f"{start}:{end}")
        first, after = sentence.characters(start, end)
        found = sentence.text[first:after]
        if not found.strip():
            raise Unusable("mention is blank", kind)
        if text is not None and found != text:
            raise Unusable("another text at the offsets", f"{text!r}, there: {found!r}")
        return sentence, Mention(kind, found, first, after)


def _class(label: str, classes: Mapping[str, str]) -> str:
    if label not in classes:
        raise Unusable("label without a class", label)
    return classes[label]
