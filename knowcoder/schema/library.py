"""The schema library: every type that can be extracted, its taxonomy and its type hints, in memory and on disk."""

from __future__ import annotations

import gc
import keyword
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeAlias

import msgspec

from knowcoder import jsonl
from knowcoder.errors import DataError
from knowcoder.schema import rules
from knowcoder.schema.concepts import Concept, EntityType, EventType, RelationType

Kind: TypeAlias = Literal["entity", "relation", "event"]
KINDS: tuple[Kind, ...] = ("entity", "relation", "event")

_FILES: dict[Kind, str] = {"entity": "entities.jsonl", "relation": "relations.jsonl", "event": "events.jsonl"}
_TYPES: dict[Kind, type[Concept]] = {"entity": EntityType, "relation": RelationType, "event": EventType}
_DECODERS: dict[Kind, msgspec.json.Decoder[Concept]] = {
    kind: msgspec.json.Decoder(type) for kind, type in _TYPES.items()
}

# Names that rendered code uses beside its classes, and in the body of an event's class.
_NOT_A_CLASS = frozenset({"Entity", "list", "str", "classmethod", "rules", "sentence", "results", "events"})
_NOT_A_ROLE = frozenset(
    {"trigger", "trigger_start", "trigger_end", "roles", "self", "cls", "list", "str", "classmethod", "Entity"}
)


class ConceptError(DataError):
    """What is wrong with the type of an id, which a reader can give a file and line."""

    def __init__(self, id: str, message: str) -> None:
        super().__init__(message)
        self.id = id


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
            if concept.rules:
                _check_rules(concept)
        _check_parents(self)
        for concept in self.relations:
            _check_hints(self, concept)
        for event in self.events:
            _check_hints(self, event)

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
        collects = gc.isenabled()
        gc.disable()  # nothing here is garbage, and looking for it among thousands of new objects takes half the time
        try:
            kinds = (_load(folder, kind) for kind in KINDS)
            return cls(*kinds)  # type: ignore[arg-type]
        except ConceptError as error:
            raise DataError(f"{_line_of(error.id, folder)}: {error}") from error
        finally:
            if collects:
                gc.enable()

    def save(self, directory: str | Path) -> None:
        """Write entities.jsonl, relations.jsonl and events.jsonl."""
        folder = Path(directory)
        for kind in KINDS:
            jsonl.write(folder / _FILES[kind], self.of_kind(kind))

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
            return self.ids[id]
        except KeyError:
            raise _no_such_id(id) from None

    def find(self, text: str) -> tuple[Concept, ...]:
        """Every type with this name, id, label or alias, in this order; the case of letters counts for ids alone."""
        exact = [found for found in (self._names.get(text), self.ids.get(text)) if found is not None]
        alike = [self.ids[id] for id in self._words.get(_folded(text), ())]
        return tuple({concept.id: concept for concept in exact + alike}.values())

    def ancestors(self, id: str) -> tuple[str, ...]:
        """Ids of the ancestors of a type, nearest first.

        Raises:
            DataError: no type has this id.
        """
        try:
            return self._ancestors[id]
        except KeyError:
            raise _no_such_id(id) from None

    def children(self, id: str | None, kind: Kind = "entity") -> tuple[str, ...]:
        """Ids of the types whose parent a type is, in the library's order; for None the types of a kind without parent.

        Raises:
            DataError: no type has this id.
        """
        if id is None:
            return tuple(concept.id for concept in self.of_kind(kind) if concept.parent is None)
        return self._children.get(self.by_id(id).id, ())

    def descendants(self, id: str) -> tuple[str, ...]:
        """Ids of the types below a type, nearest first.

        Raises:
            DataError: no type has this id.
        """
        found = list(self.children(id))
        for below in found:  # which grows on the way
            found += self.children(below)
        return tuple(found)

    def names(self, kind: Kind) -> tuple[str, ...]:
        """Class names of one kind, in the library's order."""
        return tuple(concept.name for concept in self.of_kind(kind))

    def of_kind(self, kind: Kind) -> Sequence[Concept]:
        """The types of one kind, in the library's order."""
        if kind == "entity":
            return self.entities
        return self.relations if kind == "relation" else self.events

    def families(self, kind: Kind) -> Sequence[tuple[Concept, Concept | None]]:
        """The types of one kind, each with its parent: in the library's order, but each after its ancestors."""
        start = {"entity": 0, "relation": len(self.entities), "event": len(self.entities) + len(self.relations)}[kind]
        return self._families[start : start + len(self.of_kind(kind))]

    def subset(self, names: Iterable[str]) -> SchemaLibrary:
        """The named types with all that they refer to (parents, theirs, and type hints), in the same order."""
        kept: set[str] = set()
        pending = [self.by_name(name).id for name in names]
        while pending:
            id = pending.pop()
            if id not in kept:
                kept.add(id)
                pending.extend(references(self.ids[id]))
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
    def _ancestors(self) -> dict[str, tuple[str, ...]]:
        return _ancestors({concept.id: concept.parent for concept in self})

    @cached_property
    def _families(self) -> list[tuple[Concept, Concept | None]]:
        ids = self.ids
        return [(ids[id], ids[above[0]] if above else None) for id, above in self._ancestors.items()]

    @cached_property
    def _children(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {}
        for concept in self:
            if concept.parent is not None:
                found.setdefault(concept.parent, []).append(concept.id)
        return {id: tuple(children) for id, children in found.items()}

    @cached_property
    def _words(self) -> dict[str, list[str]]:
        """Ids by what people call the types: names, then labels, then aliases."""
        found: dict[str, list[str]] = {}
        for concept in self:
            found.setdefault(_folded(concept.name), []).append(concept.id)
        for concept in self:
            found.setdefault(_folded(concept.label), []).append(concept.id)
        for concept in self:
            for alias in concept.aliases:
                found.setdefault(_folded(alias), []).append(concept.id)
        found.pop("", None)
        return found

    @cached_property
    def _names(self) -> dict[str, Concept]:
        return {concept.name: concept for concept in self}

    @cached_property
    def ids(self) -> Mapping[str, Concept]:
        """The types by id."""
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
    return plain and (name.isascii() or unicodedata.normalize("NFKC", name) == name)


def _folded(text: str) -> str:
    """A text as it is compared with what a user asks for."""
    return " ".join(text.casefold().split())


def _load(folder: Path, kind: Kind) -> tuple[Concept, ...]:
    file = folder / _FILES[kind]
    try:
        return tuple(_DECODERS[kind].decode_lines(file.read_bytes()))
    except FileNotFoundError as error:
        raise DataError(
            f"{folder}: no {file.name} here; give a schema library (knowcoder schema writes one)"
        ) from error
    except (msgspec.DecodeError, UnicodeDecodeError):
        return tuple(jsonl.read(file, _TYPES[kind]))  # which names the line


def _line_of(id: str, folder: Path) -> str:
    """File and line of a type; the last of this id, for that is what is wrong where there are several."""
    places = [
        f"{file}:{number}"
        for file in map(folder.joinpath, _FILES.values())
        for number, line in enumerate(file.read_bytes().split(b"\n"), 1)
        if line.strip() and msgspec.json.decode(line)["id"] == id
    ]
    return places[-1]


def _ancestors(parents: Mapping[str, str | None]) -> dict[str, tuple[str, ...]]:
    """The ancestors of every id, nearest first; an id stands after its ancestors.

    Raises:
        ConceptError: an id is its own ancestor.
    """
    found: dict[str, tuple[str, ...]] = {}
    for id, parent in parents.items():
        path = [id]
        while parent is not None and parent not in found:
            if parent in path:
                raise ConceptError(parent, "it is its own ancestor; take one parent out of the cycle")
            path.append(parent)
            parent = parents[parent]
        above = () if parent is None else (parent, *found[parent])
        for below in reversed(path):
            found[below] = above
            above = (below, *above)
    return found


def _no_such_id(id: str) -> DataError:
    return DataError(f"no type has the id {id!r} in the schema library; add it or correct the id")


def _check_unique(library: SchemaLibrary) -> None:
    if len(library.ids) == len(library._names) == len(library):
        return
    ids: dict[str, Concept] = {}
    names: dict[str, Concept] = {}
    for concept in library:
        if (other := ids.setdefault(concept.id, concept)) is not concept:
            said = f"types {other.name!r} and {concept.name!r} have the same id {concept.id!r}; change one"
            raise ConceptError(concept.id, said)
        if (other := names.setdefault(concept.name, concept)) is not concept:
            said = f"types {other.id!r} and {concept.id!r} are both called {concept.name!r}; rename one"
            raise ConceptError(concept.id, said)


def _check_name(concept: Concept) -> None:
    name = concept.name
    if name in _NOT_A_CLASS or not is_class_name(name):
        raise ConceptError(concept.id, f"type {concept.id!r}: {name!r} cannot be a class name; see naming.class_name")
    if isinstance(concept, EventType):
        roles = [role.name for role in concept.roles]
        for role in roles:
            if not is_class_name(role) or role in _NOT_A_ROLE:
                said = f"event {name!r}: {role!r} cannot be a role; see naming.role_name"
                raise ConceptError(concept.id, said)
            if roles.count(role) > 1:
                said = f"event {name!r}: the role {role!r} is declared twice; merge the two"
                raise ConceptError(concept.id, said)


def _check_rules(concept: Concept) -> None:
    for rule in concept.rules:
        try:
            rules.check(rule)
        except DataError as error:
            raise ConceptError(concept.id, f"{kind_of(concept)} {concept.name!r}: {error}") from error


def _check_parents(library: SchemaLibrary) -> None:
    for kind in KINDS:
        concepts = library.of_kind(kind)
        known = {concept.id for concept in concepts}
        for concept in concepts:
            if concept.parent is not None and concept.parent not in known:
                said = f"{kind} {concept.name!r}: its parent {concept.parent!r} is no {kind} of the library"
                raise ConceptError(concept.id, f"{said}; add the parent or leave it out")
    try:
        library._families  # noqa: B018 -- which it makes, with the ancestors
    except ConceptError as error:
        raise ConceptError(error.id, f"type {library.by_id(error.id).name!r}: {error}") from error


def _check_hints(library: SchemaLibrary, concept: Concept) -> None:
    hinted = hints(concept)
    for hint in hinted:
        if not isinstance(library.ids.get(hint), EntityType):
            said = f"{kind_of(concept)} {concept.name!r}: its type hint {hint!r} is no entity of the library"
            raise ConceptError(concept.id, f"{said}; add the entity or leave the hint out")
    if isinstance(concept, EventType):
        names = {library.ids[hint].name for hint in hinted}
        for role in concept.roles:
            if role.name in names:
                said = f"event {concept.name!r}: the role {role.name!r} hides the type {role.name!r}; rename it"
                raise ConceptError(concept.id, said)
