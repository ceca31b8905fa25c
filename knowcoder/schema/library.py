"""The schema library: every type that can be extracted, its taxonomy and its type hints, in memory and on disk."""

from __future__ import annotations

import keyword
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeAlias

from knowcoder import jsonl
from knowcoder.errors import DataError
from knowcoder.schema import rules
from knowcoder.schema.concepts import Concept, EntityType, EventType, RelationType

Kind: TypeAlias = Literal["entity", "relation", "event"]
KINDS: tuple[Kind, ...] = ("entity", "relation", "event")

# Names that rendered code uses beside its classes, and in the body of an event's class.
_NOT_A_CLASS = frozenset({"Entity", "list", "str", "classmethod", "sentence", "results", "events"})
_NOT_A_ROLE = frozenset(
    {"trigger", "trigger_start", "trigger_end", "roles", "self", "cls", "list", "str", "classmethod", "Entity"}
)


@dataclass(frozen=True)
class SchemaLibrary:
    """Entity, relation and event types that refer to each other by id; checked as a whole when it is made.

    Raises:
        DataError: an id or a name occurs twice, a name is not a Python identifier, a parent, a type hint or a rule
            is unknown, or a type is its own ancestor. The message names the type.
    """

    entities: tuple[EntityType, ...] = ()
    relations: tuple[RelationType, ...] = ()
    events: tuple[EventType, ...] = ()

    def __post_init__(self) -> None:
        _check_unique(self)
        for concept in self:
            _check_name(concept)
            _check_references(self, concept)
            _check_rules(concept)
        for concept in self:
            if concept.id in self.ancestors(concept.id):
                raise DataError(f"type {concept.name!r}: it is its own ancestor; take one parent out of the cycle")

    def __iter__(self) -> Iterator[Concept]:
        """Every type: entities, then relations, then events."""
        yield from self.entities
        yield from self.relations
        yield from self.events

    def __len__(self) -> int:
        return len(self.entities) + len(self.relations) + len(self.events)

    def __contains__(self, name: object) -> bool:
        return name in self._names

    @classmethod
    def load(cls, directory: str | Path) -> SchemaLibrary:
        """Read the library that ``save`` wrote.

        Raises:
            DataError: a file is missing or malformed, or the types do not fit together.
        """
        folder = Path(directory)
        for name in ("entities.jsonl", "relations.jsonl", "events.jsonl"):
            if not (folder / name).is_file():
                raise DataError(f"{folder}: no {name} here; give a schema library (knowcoder schema writes one)")
        entities = tuple(jsonl.read(folder / "entities.jsonl", EntityType))
        relations = tuple(jsonl.read(folder / "relations.jsonl", RelationType))
        events = tuple(jsonl.read(folder / "events.jsonl", EventType))
        try:
            return cls(entities, relations, events)
        except DataError as error:
            raise DataError(f"{folder}: {error}") from error

    def save(self, directory: str | Path) -> None:
        """Write entities.jsonl, relations.jsonl and events.jsonl."""
        folder = Path(directory)
        jsonl.write(folder / "entities.jsonl", self.entities)
        jsonl.write(folder / "relations.jsonl", self.relations)
        jsonl.write(folder / "events.jsonl", self.events)

    def by_name(self, name: str) -> Concept:
        """The type of a class name.

        Raises:
            DataError: no type has this name.
        """
        try:
            return self._names[name]
        except KeyError:
            raise DataError(f"no type is called {name!r} in the schema library; add it or correct the name") from None

    def by_id(self, id: str) -> Concept:
        """The type of an id.

        Raises:
            DataError: no type has this id.
        """
        try:
            return self._ids[id]
        except KeyError:
            raise DataError(f"no type has the id {id!r} in the schema library; add it or correct the id") from None

    def ancestors(self, id: str) -> tuple[str, ...]:
        """Ids of the ancestors of a type, nearest first; stops where a cycle closes."""
        found: dict[str, None] = {}
        parent = self.by_id(id).parent
        while parent is not None and parent not in found:
            found[parent] = None
            parent = self.by_id(parent).parent
        return tuple(found)

    def names(self, kind: Kind) -> tuple[str, ...]:
        """Class names of one kind, in the library's order."""
        return tuple(concept.name for concept in self.of_kind(kind))

    def of_kind(self, kind: Kind) -> Sequence[Concept]:
        """The types of one kind, in the library's order."""
        if kind == "entity":
            return self.entities
        return self.relations if kind == "relation" else self.events

    def subset(self, names: Iterable[str]) -> SchemaLibrary:
        """The named types with all that they refer to (parents, theirs, and type hints), in the same order."""
        kept: set[str] = set()
        pending = [self.by_name(name).id for name in names]
        while pending:
            id = pending.pop()
            if id not in kept:
                kept.add(id)
                pending.extend(references(self._ids[id]))
        return SchemaLibrary(
            tuple(concept for concept in self.entities if concept.id in kept),
            tuple(concept for concept in self.relations if concept.id in kept),
            tuple(concept for concept in self.events if concept.id in kept),
        )

    @cached_property
    def memo(self) -> dict[object, Any]:
        """Where renderers keep what they derive from this library; as it cannot change, neither can that."""
        return {}

    @cached_property
    def _names(self) -> dict[str, Concept]:
        return {concept.name: concept for concept in self}

    @cached_property
    def _ids(self) -> dict[str, Concept]:
        return {concept.id: concept for concept in self}


def kind_of(concept: Concept) -> Kind:
    """Whether a type is one of entities, relations or events."""
    if isinstance(concept, EntityType):
        return "entity"
    return "relation" if isinstance(concept, RelationType) else "event"


def hints(concept: Concept) -> tuple[str, ...]:
    """Ids of the entity types that a relation's or event's slots name, each once, in order of appearance."""
    if isinstance(concept, RelationType):
        return tuple(dict.fromkeys(concept.head + concept.tail))
    if isinstance(concept, EventType):
        return tuple(dict.fromkeys(id for role in concept.roles for id in role.types))
    return ()


def references(concept: Concept) -> tuple[str, ...]:
    """Ids of the types that a type cannot do without: its parent and its type hints."""
    parent = () if concept.parent is None else (concept.parent,)
    return parent + hints(concept)


def is_class_name(name: str) -> bool:
    """Whether Python takes a name as it is: an identifier as Python compares it, no keyword, not private."""
    plain = name.isidentifier() and not keyword.iskeyword(name) and not name.startswith("__")
    return plain and unicodedata.normalize("NFKC", name) == name


def _check_unique(library: SchemaLibrary) -> None:
    ids: dict[str, Concept] = {}
    names: dict[str, Concept] = {}
    for concept in library:
        if (other := ids.setdefault(concept.id, concept)) is not concept:
            raise DataError(f"types {other.name!r} and {concept.name!r} have the same id {concept.id!r}; change one")
        if (other := names.setdefault(concept.name, concept)) is not concept:
            raise DataError(f"types {other.id!r} and {concept.id!r} are both called {concept.name!r}; rename one")


def _check_name(concept: Concept) -> None:
    if not is_class_name(concept.name) or concept.name in _NOT_A_CLASS:
        raise DataError(f"type {concept.id!r}: {concept.name!r} cannot be a class name; see naming.class_name")
    if isinstance(concept, EventType):
        roles = [role.name for role in concept.roles]
        for role in roles:
            if not is_class_name(role) or role in _NOT_A_ROLE:
                raise DataError(f"event {concept.name!r}: {role!r} cannot be a role; see naming.role_name")
            if roles.count(role) > 1:
                raise DataError(f"event {concept.name!r}: the role {role!r} is declared twice; merge the two")


def _check_rules(concept: Concept) -> None:
    for rule in concept.rules:
        try:
            rules.check(rule)
        except DataError as error:
            raise DataError(f"{kind_of(concept)} {concept.name!r}: {error}") from error


def _check_references(library: SchemaLibrary, concept: Concept) -> None:
    if concept.parent is not None and type(library._ids.get(concept.parent)) is not type(concept):
        raise DataError(
            f"{kind_of(concept)} {concept.name!r}: its parent {concept.parent!r} is no {kind_of(concept)} of the "
            "library; add the parent or leave it out"
        )
    for hint in hints(concept):
        if not isinstance(library._ids.get(hint), EntityType):
            raise DataError(
                f"{kind_of(concept)} {concept.name!r}: its type hint {hint!r} is no entity of the library; "
                "add the entity or leave the hint out"
            )
    if isinstance(concept, EventType):
        hinted = {library._ids[hint].name for hint in hints(concept)}
        for role in concept.roles:
            if role.name in hinted:
                raise DataError(
                    f"event {concept.name!r}: the role {role.name!r} hides the type {role.name!r}; rename it"
                )
