"""What every source of a schema gives, and what is done to all of them: unite, check references, name."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from knowcoder.errors import DataError
from knowcoder.schema.concepts import Concept, EntityType, EventType, RelationType
from knowcoder.schema.library import SchemaLibrary
from knowcoder.schema.naming import class_name

T = TypeVar("T")
C = TypeVar("C", EntityType, RelationType, EventType)

_KINDS = (EntityType, RelationType, EventType)


@dataclass(slots=True)
class SchemaSource:
    """Concepts read from somewhere.

    Attributes:
        concepts: after ``finish`` named, with unique ids and names, and references to each other only.
        counts: what was read, united, left out.
        rejects: reason and value of everything left out.
        facts: entity id -> ids of the classes it is an instance of, where the source says.
    """

    concepts: list[Concept]
    counts: Counter[str] = field(default_factory=Counter)
    rejects: list[tuple[str, str]] = field(default_factory=list)
    facts: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def reject(self, reason: str, value: str) -> None:
        """Count something that was left out, with the reason."""
        self.counts[f"rejected: {reason}"] += 1
        self.rejects.append((reason, value))

    def library(self) -> SchemaLibrary:
        """The finished concepts as a library."""
        return library_of(self.concepts)


def finish(source: SchemaSource) -> SchemaSource:
    """Unite concepts of one id, leave out references to concepts that are not there, name what has no name."""
    united = unite(source.concepts)
    kinds = {concept.id: type(concept) for concept in united}
    source.counts["united"] += len(source.concepts) - len(united)
    source.concepts = name_concepts([_known_references(concept, kinds, source) for concept in united])
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


def merge(library: Iterable[Concept], *others: Iterable[Concept]) -> tuple[list[Concept], int]:
    """Unite libraries by id. What the first says stays: its names, its hierarchy and its type hints.

    A concept of another library takes the name that its id has in the first, or a numbered one where its name is
    another concept's; a head or tail that it leaves open takes the first's types.

    Returns:
        The concepts, and how many were renamed.
    """
    merged = name_concepts(unite(library))
    renamed = 0
    for other in map(list, others):
        known = {concept.id: concept for concept in merged}
        taken = {concept.name for concept in merged}
        fitted = [_fitted(concept, known.get(concept.id), taken) for concept in other]
        merged = name_concepts(unite([*merged, *fitted]))
        names = {concept.id: concept.name for concept in merged}
        renamed += sum(names[concept.id] != concept.name for concept in other)
    return merged, renamed


def _fitted(concept: Concept, known: Concept | None, taken: Collection[str]) -> Concept:
    if known is None:
        return replace(concept, name="" if concept.name in taken else concept.name)
    if isinstance(concept, RelationType) and isinstance(known, RelationType):
        return replace(concept, name=known.name, head=concept.head or known.head, tail=concept.tail or known.tail)
    return replace(concept, name=known.name)


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
            raise DataError(f"{concept.id} and {given[concept.name]} are both called {concept.name}; rename one")
    taken = set(given)
    names: dict[str, str] = {}
    for concept in sorted(concepts, key=lambda concept: _KINDS.index(type(concept))):
        names[concept.id] = concept.name or class_name(concept.label or concept.id, taken)
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
    raise DataError(f"{one.id}: one id for two kinds of concept, {kinds}; give one of them another id")


def _common(one: C, other: C) -> C:
    if one.name and other.name and one.name != other.name:
        raise DataError(f"{one.id}: one id with two names, {one.name} and {other.name}; give both the same name")
    return replace(
        one,
        name=one.name or other.name,
        label=one.label or other.label,
        description=one.description or other.description,
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
                source.reject(f"unknown {what}", f"{concept.id}: {identity}")
        return tuple(kept)

    if concept.parent:
        concept = replace(concept, parent=next(iter(known([concept.parent], type(concept), "parent")), None))
    if concept.parents:
        concept = replace(concept, parents=tuple(id for id in concept.parents if kinds.get(id) is type(concept)))
    if isinstance(concept, RelationType):
        head, tail = known(concept.head, EntityType, "head type"), known(concept.tail, EntityType, "tail type")
        return replace(concept, head=head, tail=tail)
    if isinstance(concept, EventType):
        roles = (replace(role, types=known(role.types, EntityType, "role type")) for role in concept.roles)
        return replace(concept, roles=tuple(roles))
    return concept
