"""Records to sentences: entities, relations between them, events with triggers and nested arguments.

A record is a text, a document that says where its sentences are, or one annotation of a text. What its fields are
called, and whether its offsets count tokens or characters, is a matter of keys.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from msgspec.structs import replace

from knowcoder.config.corpus import LayoutConfig
from knowcoder.corpus.arguments import Said, arguments_of, qualifiers_of
from knowcoder.corpus.labels import UNTYPED, Classes, EventClass
from knowcoder.corpus.passage import Passage, passages_of
from knowcoder.corpus.paths import ITSELF, Found, depth_of, items_at, value_at
from knowcoder.corpus.places import Placed, Places
from knowcoder.corpus.reading import Reading, Unusable
from knowcoder.corpus.records import Numbered
from knowcoder.corpus.sentence import Argument, Event, Mention, Relation
from knowcoder.corpus.spans import Piece, only_piece, reference_at
from knowcoder.corpus.tags import decode_tags
from knowcoder.schema.concepts import Task

T = TypeVar("T")
Hints = Sequence[str]


def tasks_of(layout: LayoutConfig) -> tuple[Task, ...]:
    """What files of a layout annotate."""
    return ("NER",) if layout.format in ("columns", "dialogue") else tuple(paths_of_tasks(layout))


def paths_of_tasks(layout: LayoutConfig) -> dict[Task, str]:
    """Where a record holds what it annotates for each task; the text itself, where its tags are the annotation."""
    marked = ITSELF if layout.records.markup == "types" else ""
    named: dict[Task, str] = {
        "NER": layout.entities.at or layout.records.tags or marked,
        "RE": layout.relations.at,
        "ED": layout.events.at,
        "EAE": layout.events.at,
    }
    return {task: path for task, path in named.items() if path}


def annotated(
    records: Iterable[Numbered], path: str | Path, layout: LayoutConfig, classes: Classes, reading: Reading
) -> Iterator[Passage]:
    """Yield the texts of records with what the records say of them, annotated or not.

    The unit of the account is the annotation: an entity, a relation, an event or an argument; a record that is no
    text is one too. What is rejected is counted with its reason: a label without a class, a mention that is in
    pieces, crosses sentences, says another text than stands there or is not in the text, an argument in another
    sentence than its trigger or head. With an event go its arguments. A text is left out where all that is said of it
    is said of what does not stand in it.
    """
    texts: dict[str, Passage] = {}
    for line, record in records:
        document = _Document(path, line, record, layout, classes, reading)
        document.cut(texts if layout.records.merge else None)
        document.annotate()
        if not layout.records.merge:
            yield from _kept(document.passages, reading)
    yield from _kept(texts.values(), reading)


def _kept(passages: Iterable[Passage], reading: Reading) -> Iterator[Passage]:
    for passage in passages:
        reading.texts += 1
        if passage.says_nothing:
            reading.texts_left_out += 1
        else:
            yield passage


class _Document:
    """One record: its sentences, and the annotations that are put into them."""

    def __init__(
        self, path: str | Path, line: int, record: Any, layout: LayoutConfig, classes: Classes, reading: Reading
    ) -> None:
        self.path, self.line, self.record, self.layout = path, line, record, layout
        self.classes, self.reading = classes, reading
        self.none = frozenset(layout.records.none)
        self.passages: list[Passage] = []
        self.places = Places([], [], reading)

    def cut(self, texts: dict[str, Passage] | None) -> None:
        """Cut the record into sentences, or reject it. ``texts`` has those that go on from earlier records."""
        try:
            if isinstance(self.record, Unusable):
                raise self.record
            passages, firsts = passages_of(self.record, self.layout.records)
        except Unusable as error:
            self._reject(error)
            return
        for passage in passages:
            if not passage.text.strip():
                self._reject(Unusable("sentence is blank", ""))
            else:
                self.passages.append(passage if texts is None else texts.setdefault(passage.text, passage))
        self.places = Places(self.passages, firsts, self.reading)

    def annotate(self) -> None:
        """Put every annotation where it belongs, or reject it."""
        if not self.passages:
            return
        for passage in self.passages:
            passage.tasks |= self._said_tasks()
        keys, spans = self.layout, self.layout.spans
        self._add_marked()
        self._add_tagged()
        depth = depth_of(keys.entities.type, spans.start, spans.text) + keys.entities.clusters
        for item in items_at(self.record, keys.entities.at, depth):
            self._add_entity(item)
        depth = depth_of(keys.relations.type, keys.relations.head, keys.relations.tail)
        self._add_relations(
            relation for item in items_at(self.record, keys.relations.at, depth) for relation in self._taken_apart(item)
        )
        depth = depth_of(keys.events.type, keys.events.trigger, keys.events.arguments)
        for item in items_at(self.record, keys.events.at, depth):
            self._attempt(self._event, item)

    def _said_tasks(self) -> set[Task]:
        """What the record annotates: a list that it does not have says nothing, one that is empty says "none"."""
        return {
            task
            for task, path in paths_of_tasks(self.layout).items()
            if path == ITSELF or value_at(self.record, path.partition(".")[0]) is not None
        }

    def _attempt(self, read: Callable[..., T], *item: Any) -> T | None:
        """What a method makes of an annotation, which is counted as kept; None where there is none, or a reject."""
        try:
            made = read(*item)
        except Unusable as error:
            self._reject(error)
            return None
        self.reading.kept += made is not None
        return made

    def _reject(self, error: Unusable) -> None:
        self.reading.reject(self.path, self.line, error.reason, error.value)

    def _label(self, item: Found, path: str) -> str | None:
        """The label of an annotation; None where it says that there is nothing."""
        label = item.get(path)
        if label is None or isinstance(label, dict | list):
            raise Unusable("type missing", str(item.value)[:80])
        return None if str(label) in self.none else str(label)

    def _is_none(self, value: Any) -> bool:
        return value is None or (isinstance(value, str) and value in self.none)

    # -- entities

    def _add_marked(self) -> None:
        """Pieces that tags in the text mark: entities where the tag is the type, else what relations refer to."""
        for passage in self.passages:
            for name, (start, end) in passage.marked:
                if self.layout.records.markup == "ids":
                    self.places.ids[name] = [(passage, Mention(UNTYPED, passage.text[start:end], start, end))]
                else:
                    self._attempt(self._typed, name, Piece(passage.first + start, passage.first + end, None))

    def _add_tagged(self) -> None:
        """Entities that tags spell; such a record is one sentence."""
        keys = self.layout.records
        if not keys.tags:
            return
        try:
            spans, repaired = decode_tags(self._tags(), keys.scheme)
        except Unusable as error:
            self._reject(error)
            return
        self.reading.repaired += repaired
        for label, start, end in spans:
            placed = self._attempt(self._typed, label, Piece(start, end, None))
            self.places.entities.append([placed] if placed else [])

    def _tags(self) -> list[str]:
        keys = self.layout.records
        tags = value_at(self.record, keys.tags)
        if not isinstance(tags, list) or [len(tags)] != [len(passage.tokens) for passage in self.passages]:
            raise Unusable("not one tag for each token", str(tags)[:80])
        try:
            return [tag if isinstance(tag, str) else keys.tag_names[tag] for tag in tags]
        except (IndexError, TypeError):
            raise Unusable("tag without a name in tag_names", str(tags)[:80]) from None

    def _add_entity(self, item: Found) -> None:
        """An entity, or with ``clusters`` all mentions of one."""
        keys = self.layout.entities
        clustered = keys.clusters and isinstance(item.value, list)
        mentions = [item.within(value) for value in item.value] if clustered else [item]
        placed = [found for mention in mentions if (found := self._attempt(self._entity, mention))]
        self.places.entities.append(placed)
        for mention in mentions:
            name = mention.get(keys.id)
            if name is not None:
                self.places.ids[str(name)] = placed

    def _entity(self, item: Found) -> Placed | None:
        label = self._label(item, self.layout.entities.type)
        if label is None or self._is_none(item.value):
            return None
        return self._typed(label, only_piece(item, self.layout.spans))

    def _typed(self, label: str, piece: Piece) -> Placed:
        passage, mention = self.places.place(piece, self.classes.entity(label), "entity")
        if mention in passage.entities:
            raise Unusable("entity said twice", mention.text)
        passage.entities[mention] = None
        return passage, mention

    # -- relations

    def _taken_apart(self, item: Found) -> Iterator[Found]:
        """The relations that text says, by the pattern; others as they are."""
        pattern = self.layout.relations.pattern
        if not pattern or not isinstance(item.value, str):
            yield item
            return
        matches = list(re.finditer(pattern, item.value))
        if not matches and not self._is_none(item.value.strip()):
            self._reject(Unusable("relation does not fit the pattern", item.value[:80]))
        yield from (item.within(match.groupdict()) for match in matches)

    def _add_relations(self, items: Iterable[Found]) -> None:
        """Relations; one with qualifiers is an event too."""
        keys = self.layout.relations
        read: list[tuple[Found, tuple[Passage, Relation] | None, list[Said]]] = []
        for item in items:
            if keys.quadruples and isinstance(item.value, list) and len(item.value) == 4:
                head, tail, role, filler = item.value
                same = [
                    own for each, _, own in reversed(read) if (each.get(keys.head), each.get(keys.tail)) == (head, tail)
                ]
                if same:
                    same[0].append(Said(str(role), filler, item))
                else:
                    self._reject(Unusable("qualifier of no relation", str(item.value)[:80]))
            else:
                read.append((item, self._attempt(self._relation, item), list(qualifiers_of(item, keys))))
        for item, relation, qualifiers in read:
            if relation and qualifiers:
                self._attempt(self._qualified, item, relation, qualifiers)
            else:
                for said in qualifiers:
                    self._reject(Unusable("qualifier of a rejected relation", said.role))

    def _relation(self, item: Found) -> tuple[Passage, Relation] | None:
        keys, spans = self.layout.relations, self.layout.spans
        label = self._label(item, keys.type)
        if label is None:
            return None
        kind = self.classes.relation(label)
        head_type, tail_type = self._type_at(item, keys.head_type), self._type_at(item, keys.tail_type)
        heads = self.places.resolve(reference_at(item, keys.head, spans), "head", head_type, spans)
        other = heads[0] if len(heads) == 1 else None
        tails = self.places.resolve(reference_at(item, keys.tail, spans), "tail", tail_type, spans, apart_from=other)
        passage, head, tail = _together(heads, tails, label)
        hints = self.classes.linker.hints(kind.name) if self.classes.linker else ((), ())
        head = self._linked(passage, head, item.get(keys.head), item.get(keys.head_id), kind.head, hints[0])
        tail = self._linked(passage, tail, item.get(keys.tail), item.get(keys.tail_id), kind.tail, hints[1])
        self._require_types(passage, head, tail)
        relation = Relation(kind.name, head, tail)
        if relation in passage.relations:
            raise Unusable("relation said twice", f"{head.text} | {kind.name} | {tail.text}")
        passage.relations[relation] = None
        return passage, relation

    def _linked(
        self, passage: Passage, mention: Mention, name: Any, id: Any = None, hinted: str = UNTYPED, hints: Hints = ()
    ) -> Mention:
        """A mention with its type: its own, that of the entity there, or what its entity is; else the hinted one."""
        mention = _known_type(passage, mention, UNTYPED)
        linker = self.classes.linker
        if mention.type == UNTYPED and linker:
            try:
                found = linker.typed(mention, name if isinstance(name, str) else mention.text, str(id), hints)
            except Unusable:
                passage.lost = True
                raise
            passage.linked.update(dict.fromkeys(found))
            if linker.ready:
                return found[0] if found else mention
        return mention if mention.type != UNTYPED else replace(mention, type=hinted)

    def _require_types(self, passage: Passage, *mentions: Mention) -> None:
        """Reject a relation of aligned text with an end of which it is not known what it is."""
        for mention in mentions if self.classes.linker and self.classes.linker.ready else ():
            if mention.type == UNTYPED:
                passage.lost = True
                raise Unusable("an entity of unknown type", mention.text)

    def _type_at(self, item: Found, path: str) -> str:
        label = item.get(path) if path else None
        return UNTYPED if self._is_none(label) else self.classes.entity(str(label))

    # -- events

    def _event(self, item: Found) -> Event | None:
        keys, spans = self.layout.events, self.layout.spans
        trigger = reference_at(item, keys.trigger, spans) if keys.trigger else None
        arguments: list[Said] = []
        for said in arguments_of(item, keys, spans):
            if keys.trigger_role and said.role == keys.trigger_role:
                trigger = said.filler
            elif not (said.role in self.none or self._is_none(said.filler)):
                arguments.append(said)
        try:
            label = self._label(item, keys.type) if keys.type else next(filter(None, _labels(arguments)), None)
            if label is None:
                return None
            kind = self.classes.event(label)
            if isinstance(trigger, Unusable):
                raise trigger
            place = (
                self.places.place(only_piece(item.within(trigger), spans), kind.name, "trigger") if trigger else None
            )
        except Unusable as error:
            for said in arguments:
                self._reject(Unusable(f"argument of a rejected event: {error.reason}", said.role))
            raise
        return self._filled(kind, place, arguments)

    def _filled(self, kind: EventClass, trigger: Placed | None, arguments: list[Said]) -> Event:
        """An event with its arguments; without a trigger it stands where the first of them does."""
        here = [trigger[0]] if trigger else []
        filled: list[Argument] = []
        for said in arguments:
            self._attempt(self._argument, filled, here, kind, said)
        if not here:
            raise Unusable("event without trigger or argument", kind.name)
        event = Event(kind.name, trigger[1] if trigger else None, tuple(filled))
        here[0].events.append(event)
        return event

    def _argument(self, filled: list[Argument], here: list[Passage], kind: EventClass, said: Said) -> Argument:
        if isinstance(said.filler, Unusable):
            raise said.filler
        role = self.classes.role(kind, said.role)
        own_type = self._type_at(said.item, self.layout.events.filler_type)
        near = here[0] if here else None
        placed = self.places.resolve(said.filler, "argument", own_type, self.layout.spans, near=near)
        passage, mention = next((found for found in placed if found[0] is near), placed[0])
        if near is not None and passage is not near:
            raise Unusable("argument in another sentence", f"{said.role}: {mention.text}")
        argument = Argument(role, self._linked(passage, mention, said.filler))
        if argument in filled:
            raise Unusable("argument said twice", f"{said.role}: {mention.text}")
        filled.append(argument)
        if not here:
            here.append(passage)
        return argument

    def _qualified(self, item: Found, relation: tuple[Passage, Relation], qualifiers: list[Said]) -> Event:
        """The event that a relation with qualifiers is: head and tail are its subject and object."""
        passage, said = relation
        try:
            for qualifier in qualifiers:
                if qualifier.role in self.layout.relations.not_events:
                    raise Unusable("qualifier of no event", qualifier.role)
            kind = self.classes.event(str(item.get(self.layout.relations.type)))
        except Unusable as error:
            for qualifier in qualifiers:
                self._reject(Unusable(f"argument of a rejected event: {error.reason}", qualifier.role))
            raise
        ends = {"subject": said.head, "object": said.tail}  # which the types of a library need not have as roles
        filled = [
            Argument(self.classes.role(kind, role), mention)
            for role, mention in ends.items()
            if self.classes.open or role in kind.roles
        ]
        self.reading.kept += len(filled)
        for qualifier in qualifiers:
            self._attempt(self._argument, filled, [passage], kind, qualifier)
        if not filled:
            raise Unusable("event without trigger or argument", kind.name)
        event = Event(kind.name, None, tuple(filled))
        passage.events.append(event)
        return event


def _labels(arguments: list[Said]) -> Iterator[str | None]:
    """What arguments say of their event."""
    for said in arguments:
        label = said.item.get("type")
        yield None if label is None else str(label)


def _together(heads: list[Placed], tails: list[Placed], label: str) -> tuple[Passage, Mention, Mention]:
    """The first mentions of head and tail that stand in the same sentence."""
    for passage, head in heads:
        for other, tail in tails:
            if passage is other:
                return passage, head, tail
    raise Unusable("relation across sentences", f"{heads[0][1].text} | {label} | {tails[0][1].text}")


def _known_type(passage: Passage, mention: Mention, hinted: str) -> Mention:
    """An untyped mention with the type of the entity that stands there, or else the hinted one."""
    if mention.type != UNTYPED:
        return mention
    place = (mention.start, mention.end)
    there = next((entity.type for entity in passage.entities if (entity.start, entity.end) == place), hinted)
    return replace(mention, type=there)
