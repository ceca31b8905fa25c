"""Aligned text: sentences that state facts of a knowledge graph, whose entities are typed by it (paper, appendix H).

An entity's name leads to its id, the id to what it is an instance of, and that to a class of the library.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import msgspec
from msgspec.structs import replace

from knowcoder import jsonl
from knowcoder.corpus.sentence import Argument, Event, Mention, Relation, Sentence
from knowcoder.schema.concepts import EntityType, RelationType
from knowcoder.schema.library import SchemaLibrary

DISAMBIGUATION = "Q4167410"
"""The class of pages that only say what a name may mean."""
NOT_EVENTS = frozenset({"of", "follows", "followed_by", "point_in_time", "country"})
"""Events with these roles are no events (appendix H)."""
_UNTYPED = "Entity"
_BRACKETED = re.compile(r"\s*\([^()]*\)\s*$")


class _Fact(msgspec.Struct):
    id: str
    types: list[str]


class _Names(msgspec.Struct):
    id: str
    names: list[str]


@dataclass(frozen=True, slots=True)
class KnownEntities:
    """What named entities are: name -> classes of the library; None for a name of a disambiguation page."""

    classes: Mapping[str, tuple[str, ...] | None]

    @classmethod
    def load(cls, facts: str | Path, names: str | Path, library: SchemaLibrary) -> KnownEntities:
        """Read facts (``{"id": ..., "types": [ids]}`` a line) and names (``{"id": ..., "names": [...]}`` a line).

        An entity's first name goes before another's alias, and an earlier line before a later one.

        Args:
            facts: a file, or a schema library that has ``facts.jsonl``.

        Raises:
            DataError: a line is malformed; names file and line.
        """
        file = Path(facts) / "facts.jsonl" if Path(facts).is_dir() else Path(facts)
        known = {concept.id: concept.name for concept in library.entities}
        of_id: dict[str, tuple[str, ...] | None] = {}
        for fact in jsonl.read(file, _Fact):
            types = dict.fromkeys(known[type] for type in fact.types if type in known)
            of_id[fact.id] = None if DISAMBIGUATION in fact.types else tuple(types)
        first: dict[str, tuple[str, ...] | None] = {}
        other: dict[str, tuple[str, ...] | None] = {}
        for entity in jsonl.read(names, _Names):
            if entity.id in of_id and entity.names:
                first.setdefault(entity.names[0], of_id[entity.id])
                for name in entity.names[1:]:
                    other.setdefault(name, of_id[entity.id])
        return cls(other | first)

    def of(self, name: str) -> tuple[str, ...] | None:
        """Classes of a name, also without its bracketed part; none where it is not known, None where it means many."""
        return self.classes.get(name, self.classes.get(bare(name), ()))


def bare(name: str) -> str:
    """A name without its bracketed part: ``Mercury (planet)`` -> ``Mercury``."""
    return _BRACKETED.sub("", name) or name


def typed(
    sentences: Iterable[Sentence], known: KnownEntities, library: SchemaLibrary, rejected: Counter[str]
) -> Iterator[Sentence]:
    """Yield sentences with the types of their entities, each of which is a mention too.

    Mentions that have a type keep it. Left out and counted in ``rejected``: sentences with a name of a disambiguation
    page, relations with an entity of unknown type, events of which no argument has a known type, and events with roles
    that the published data leave out.
    """
    for sentence in sentences:
        mentions = _untyped(sentence)
        classes = {mention: known.of(mention.text) for mention in mentions}
        if None in classes.values():
            rejected["a name of a disambiguation page"] += 1
            continue
        typing = _Typing({mention: found or () for mention, found in classes.items()}, library)
        relations = [typing.relation(relation) for relation in sentence.relations]
        events = [typing.event(event) for event in sentence.events]
        rejected["an entity of unknown type"] += relations.count(None) + events.count(None)
        kept = tuple(event for event in events if event and all(a.role not in NOT_EVENTS for a in event.arguments))
        rejected["an event by its qualifier alone"] += len(events) - events.count(None) - len(kept)
        entities = [replace(mention, type=name) for mention, found in typing.classes.items() for name in found]
        yield replace(
            sentence,
            tasks=tuple(dict.fromkeys(("NER", *sentence.tasks))),
            entities=tuple(dict.fromkeys([*sentence.entities, *map(_stripped, entities)])),
            relations=tuple(relation for relation in relations if relation),
            events=kept,
        )


def _untyped(sentence: Sentence) -> list[Mention]:
    mentions = [mention for relation in sentence.relations for mention in (relation.head, relation.tail)]
    mentions += [argument.mention for event in sentence.events for argument in event.arguments]
    return [mention for mention in dict.fromkeys(mentions) if mention.type == _UNTYPED]


@dataclass(frozen=True, slots=True)
class _Typing:
    """The types of one sentence's mentions."""

    classes: Mapping[Mention, tuple[str, ...]]
    library: SchemaLibrary

    def relation(self, relation: Relation) -> Relation | None:
        concept = self.library.by_name(relation.type)
        hints = (concept.head, concept.tail) if isinstance(concept, RelationType) else ((), ())
        head, tail = self.mention(relation.head, hints[0]), self.mention(relation.tail, hints[1])
        return Relation(relation.type, head, tail) if head and tail else None

    def event(self, event: Event) -> Event | None:
        arguments = [(argument, self.mention(argument.mention, ())) for argument in event.arguments]
        kept = tuple(Argument(argument.role, mention) for argument, mention in arguments if mention)
        return replace(event, arguments=kept) if kept else None

    def mention(self, mention: Mention, hints: tuple[str, ...]) -> Mention | None:
        """The mention with its type: of several the first that the hints take, else the first."""
        if mention.type != _UNTYPED:
            return mention
        names = self.classes[mention]
        if not names:
            return None
        return _stripped(replace(mention, type=next((name for name in names if self._fits(name, hints)), names[0])))

    def _fits(self, name: str, hints: tuple[str, ...]) -> bool:
        concept = self.library.by_name(name)
        assert isinstance(concept, EntityType)
        return not {concept.id, *self.library.ancestors(concept.id)}.isdisjoint(hints)


def _stripped(mention: Mention) -> Mention:
    """A mention that is not found in its text by offsets, without its bracketed part."""
    return mention if mention.start is not None else replace(mention, text=bare(mention.text))
