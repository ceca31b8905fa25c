"""What every source of a schema gives, and what is done to all of them: unite, check references, name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from knowcoder.artefact import Reject
from knowcoder.errors import DataError
from knowcoder.schema.concepts import Concept, EntityType, EventType, RelationType
from knowcoder.schema.facts import Fact
from knowcoder.schema.library import ConceptError, SchemaLibrary
from knowcoder.schema.naming import class_name
from knowcoder.schema.taxonomy import break_cycles

T = TypeVar("T")
C = TypeVar("C", EntityType, RelationType, EventType)

_KINDS = (EntityType, RelationType, EventType)


@dataclass(frozen=True, slots=True)
class Renamed:
    """A concept that got another name than the one it came with, because that is another's."""

    id: str
    old: str
    new: str


@dataclass(slots=True)
class SchemaSource:
    """Concepts read from somewhere.

    Attributes:
        concepts: after ``finish`` named, with unique ids and names, and references to each other only.
        read: statements read: concepts and what they refer to, or lines. Every reject is one of them.
        counts: what is worth knowing of the source, by name.
        rejects: everything left out, with its place and the reason.
        renamed: concepts that could not keep the name that they came with.
        facts: what entities are instances of, where the source says.
        places: file and line of every concept, by its id, and of every reference, by both ids.
    """

    concepts: list[Concept]
    read: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    rejects: list[Reject] = field(default_factory=list)
    renamed: list[Renamed] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    places: dict[tuple[str, ...], tuple[str, int]] = field(default_factory=dict)

    def add(self, concept: Concept, file: str, line: int) -> None:
        """Take a concept that was read, with its place."""
        self.concepts.append(concept)
        named = referred(concept)
        for key in ((concept.id,), *((concept.id, other) for other in named)):
            self.places.setdefault(key, (file, line))
        self.read += 1 + len(named)

    def reject(self, reason: str, value: str, file: str = "", line: int = 0) -> None:
        """Leave something out, with the reason."""
        self.counts[f"rejected: {reason}"] += 1
        self.rejects.append(Reject(file, line, reason, value))

    def library(self) -> SchemaLibrary:
        """The finished concepts as a library.

        Raises:
            DataError: they do not fit together; names file and line where the source has them.
        """
        try:
            return library_of(self.concepts)
        except ConceptError as error:
            raise DataError(f"{self.place(error.id)}{error}") from error

    def place(self, id: str) -> str:
        """``file:line: `` of a concept, or nothing where that is not known."""
        file, line = self.places.get((id,), ("", 0))
        return f"{file}:{line}: " if file else ""


def referred(concept: Concept) -> tuple[str, ...]:
    """Every id that a concept names, as often as it does: parents, and types of its head, tail or roles."""
    named = () if concept.parent is None else (concept.parent,)
    if isinstance(concept, RelationType):
        return named + concept.parents + concept.head + concept.tail
    if isinstance(concept, EventType):
        return named + concept.parents + tuple(id for role in concept.roles for id in role.types)
    return named + concept.parents


def statements(concepts: Iterable[Concept]) -> int:
    """How much concepts say: that each is, and every id that it names."""
    return sum(1 + len(referred(concept)) for concept in concepts)


def finish(source: SchemaSource) -> SchemaSource:
    """Unite concepts of one id, leave out references to concepts that are not there, name what has no name."""
    try:
        united = unite(source.concepts)
        kinds = {concept.id: type(concept) for concept in united}
        source.counts["united"] += len(source.concepts) - len(united)
        known = [_known_references(concept, kinds, source) for concept in united]
        source.concepts = name_concepts(_beside_bases(_acyclic(known, source), source))
    except ConceptError as error:
        raise DataError(f"{source.place(error.id)}{error}") from error
    for concept in source.concepts:
        source.counts[type(concept).__name__] += 1
    return source


def library_of(concepts: Iterable[Concept]) -> SchemaLibrary:
    """A library of named concepts, in their order."""
    concepts = list(concepts)
    return SchemaLibrary(
        tuple(concept for concept in concepts if isinstance(concept, EntityType)),
        tuple(concept for concept in concepts if isinstance(concept, RelationType)),
        tuple(concept for concept in concepts if isinstance(concept, EventType)),
    )


def unite(concepts: Iterable[Concept]) -> list[Concept]:
    """One concept per id: the first label and description, all examples, unions of types and roles.

    A relation that somewhere takes any entity takes any entity.

    Raises:
        DataError: one id stands for concepts of two kinds, or has two names.
    """
    found: dict[str, Concept] = {}
    for concept in concepts:
        before = found.get(concept.id)
        found[concept.id] = concept if before is None else _unite(before, concept)
    return list(found.values())


def merge(source: SchemaSource, *others: Iterable[Concept]) -> None:
    """Unite libraries with a finished source, by id. What the source says stays: its names, hierarchy and type hints.

    A concept of another library takes the name that its id has in the source, or one with its id where its name is
    another concept's; a head or tail that it leaves open takes the source's types.

    Raises:
        DataError: one id stands for concepts of two kinds.
    """
    for other in map(list, others):
        source.read += statements(other)
        known = {concept.id: concept for concept in source.concepts}
        taken = {concept.name for concept in source.concepts}
        own = taken | {concept.name for concept in other}
        fitted: list[Concept] = []
        for concept in other:
            before = known.get(concept.id)
            if before is not None:
                fitted.append(_fitted(concept, before))
            elif concept.name in taken:
                fitted.append(_renamed(concept, own, source))
            else:
                fitted.append(concept)
            if before is not None and before.name != concept.name:
                source.renamed.append(Renamed(concept.id, concept.name, before.name))
        source.concepts = _beside_bases(_acyclic(unite([*source.concepts, *fitted]), source), source)


def _fitted(concept: Concept, known: Concept) -> Concept:
    if isinstance(concept, RelationType) and isinstance(known, RelationType):
        return replace(concept, name=known.name, head=concept.head or known.head, tail=concept.tail or known.tail)
    return replace(concept, name=known.name)


def _renamed(concept: Concept, taken: set[str], source: SchemaSource) -> Concept:
    """A concept under another name, which is then taken too."""
    name = class_name(concept.label or concept.name, concept.id, taken)
    taken.add(name)
    source.renamed.append(Renamed(concept.id, concept.name, name))
    return replace(concept, name=name)


def _beside_bases(concepts: Sequence[Concept], source: SchemaSource) -> list[Concept]:
    """Rename what would hide a base class that other classes need: an entity called Event, where there are events."""
    kinds = set(map(type, concepts))
    bases = {base for base, kind in (("Relation", RelationType), ("Event", EventType)) if kind in kinds}
    taken = {concept.name for concept in concepts}
    return [_renamed(concept, taken, source) if concept.name in bases else concept for concept in concepts]


def _acyclic(concepts: Sequence[Concept], source: SchemaSource) -> list[Concept]:
    _, cut = break_cycles({concept.id: () if concept.parent is None else (concept.parent,) for concept in concepts})
    for child, parent in cut:
        source.reject(
            "a cycle of parents; take one out", f"{child} -> {parent}", *source.places.get((child, parent), ())
        )
    children = {child for child, _ in cut}
    return [replace(concept, parent=None) if concept.id in children else concept for concept in concepts]


def name_concepts(concepts: Sequence[Concept]) -> list[Concept]:
    """Give a class name to every concept that has none, from its label or else its id.

    Names are given in the order of the concepts, entities first, so an entity keeps the plain name that a
    relation of the same label would want too.

    Raises:
        DataError: two concepts were given the same name.
    """
    given: dict[str, str] = {}
    for concept in concepts:
        if concept.name and given.setdefault(concept.name, concept.id) != concept.id:
            said = f"{concept.id} and {given[concept.name]} are both called {concept.name}; rename one"
            raise ConceptError(concept.id, said)
    taken = set(given)
    names: dict[str, str] = {}
    for concept in sorted(concepts, key=lambda concept: _KINDS.index(type(concept))):
        names[concept.id] = concept.name or class_name(concept.label, concept.id, taken)
        taken.add(names[concept.id])
    return [replace(concept, name=names[concept.id]) for concept in concepts]


def _unite(one: Concept, other: Concept) -> Concept:
    if isinstance(one, EntityType) and isinstance(other, EntityType):
        return replace(_common(one, other), examples=_union(one.examples, other.examples))
    if isinstance(one, RelationType) and isinstance(other, RelationType):
        return replace(
            _common(one, other),
            examples=_union(one.examples, other.examples),
            head=_union(one.head, other.head) if one.head and other.head else (),
            tail=_union(one.tail, other.tail) if one.tail and other.tail else (),
        )
    if isinstance(one, EventType) and isinstance(other, EventType):
        roles = {role.name: role for role in one.roles}
        for role in other.roles:
            before = roles.get(role.name, role)
            types = _union(before.types, role.types) if before.types and role.types else ()
            roles[role.name] = replace(before, types=types, description=before.description or role.description)
        return replace(_common(one, other), examples=_union(one.examples, other.examples), roles=tuple(roles.values()))
    kinds = f"{type(one).__name__} and {type(other).__name__}"
    raise ConceptError(one.id, f"{one.id}: one id for two kinds of concept, {kinds}; give one of them another id")


def _common(one: C, other: C) -> C:
    if one.name and other.name and one.name != other.name:
        said = f"{one.id}: one id with two names, {one.name} and {other.name}; give both the same name"
        raise ConceptError(one.id, said)
    return replace(
        one,
        name=one.name or other.name,
        label=one.label or other.label,
        description=one.description or other.description,
        described_by=one.described_by if one.description else other.described_by,
        rules=_union(one.rules, other.rules),
        aliases=_union(one.aliases, other.aliases),
        parent=one.parent or other.parent,
        parents=_union(one.parents, other.parents),
    )


def _union(one: tuple[T, ...], other: tuple[T, ...]) -> tuple[T, ...]:
    return tuple(dict.fromkeys(one + other))


def _known_references(concept: Concept, kinds: Mapping[str, type], source: SchemaSource) -> Concept:
    """Leave out parents and types that are not in the source: a rendered class cannot name them."""

    def known(ids: Iterable[str], kind: type, what: str) -> tuple[str, ...]:
        kept = []
        for identity in ids:
            if kinds.get(identity) is kind:
                kept.append(identity)
            else:
                place = source.places.get((concept.id, identity), ())
                source.reject(f"unknown {what}; define it or leave it out", f"{concept.id}: {identity}", *place)
        return tuple(kept)

    if concept.parent is not None:
        concept = replace(concept, parent=next(iter(known([concept.parent], type(concept), "parent")), None))
    if concept.parents:
        concept = replace(concept, parents=known(concept.parents, type(concept), "further parent"))
    if isinstance(concept, RelationType):
        head, tail = known(concept.head, EntityType, "head type"), known(concept.tail, EntityType, "tail type")
        return replace(concept, head=head, tail=tail)
    if isinstance(concept, EventType):
        roles = (replace(role, types=known(role.types, EntityType, "role type")) for role in concept.roles)
        return replace(concept, roles=tuple(roles))
    return concept
