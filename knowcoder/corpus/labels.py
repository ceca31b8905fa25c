"""What the labels of a data set mean: the class of each entity, relation and event label, and the name of each role."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from knowcoder.corpus.linker import Linker
from knowcoder.corpus.reading import Unusable
from knowcoder.schema.concepts import Concept, RelationType
from knowcoder.schema.library import SchemaLibrary
from knowcoder.schema.naming import class_name, role_name

T = TypeVar("T")

UNTYPED = "Entity"


@dataclass(frozen=True, slots=True)
class RelationClass:
    """The class of a relation label, and the types that its arguments thereby have.

    ``head`` and ``tail`` are ``"Entity"`` where the schema names no type, or several.
    """

    name: str
    head: str = UNTYPED
    tail: str = UNTYPED


@dataclass(frozen=True, slots=True)
class EventClass:
    """The class of an event label, and its roles: label in the data -> name."""

    name: str
    roles: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Classes:
    """Label in the data -> class, by kind. Asking for a label that has none raises ``Unusable``.

    Attributes:
        left_out: labels whose annotations are left out on purpose.
        open: a label that has no class gets one, and a role that has no name, made of its words.
        folded: labels are looked up in lower case.
        linker: knows what entities are that have no label.
    """

    entities: dict[str, str] = field(default_factory=dict)
    relations: dict[str, RelationClass] = field(default_factory=dict)
    events: dict[str, EventClass] = field(default_factory=dict)
    left_out: frozenset[str] = frozenset()
    open: bool = False
    folded: bool = False
    linker: Linker | None = None

    def entity(self, label: str) -> str:
        """The class of an entity label."""
        return self._class(label, self.entities, str)

    def relation(self, label: str) -> RelationClass:
        """The class of a relation label."""
        return self._class(label, self.relations, RelationClass)

    def event(self, label: str) -> EventClass:
        """The class of an event label."""
        return self._class(label, self.events, EventClass)

    def role(self, event: EventClass, label: str) -> str:
        """The name of an event's role."""
        key = label.casefold() if self.folded else label
        if self.folded and key not in event.roles:
            key = role_name(label)
        if key not in event.roles:
            if not self.open:
                raise Unusable("role without a name", f"{event.name}: {label}")
            event.roles[key] = role_name(label, taken=set(event.roles.values()))
        return event.roles[key]

    def _class(self, label: str, known: dict[str, T], kind: Callable[[str], T]) -> T:
        key = label.casefold() if self.folded else label
        if label in self.left_out:
            raise Unusable("label left out", label)
        found = known.get(key)
        if found is None:
            if not self.open:
                raise Unusable("label without a class", label)
            taken = {*self.entities.values(), *(other.name for other in self.relations.values())}
            taken |= {other.name for other in self.events.values()}
            found = known[key] = kind(class_name(label, taken=taken))
        return found


def classes_of(library: SchemaLibrary) -> Classes:
    """The classes of a library, found by name, id, label or alias, whatever their case."""
    events = {
        type.id: EventClass(type.name, {role.name.casefold(): role.name for role in type.roles})
        for type in library.events
    }
    relations = relation_classes(library)
    return Classes(
        _worded(library.entities, {type.id: type.name for type in library.entities}),
        _worded(library.relations, relations),
        _worded(library.events, events),
        folded=True,
    )


def _worded(types: Sequence[Concept], classes: Mapping[str, T]) -> dict[str, T]:
    """Every word for a type, in lower case; an alias gives way to another type's own name."""
    words = [(word, type.id) for type in types for word in (type.name, type.id, type.label)]
    words += [(alias, type.id) for type in types for alias in type.aliases]
    known: dict[str, T] = {}
    for word, id in words:
        known.setdefault(word.casefold(), classes[id])
    return known


def relation_classes(concepts: Iterable[Concept]) -> dict[str, RelationClass]:
    """The relations among the concepts, by id and by label."""
    concepts = list(concepts)
    names = {concept.id: concept.name for concept in concepts}

    def only(ids: tuple[str, ...]) -> str:
        return names[ids[0]] if len(ids) == 1 else UNTYPED

    classes: dict[str, RelationClass] = {}
    for relation in concepts:
        if isinstance(relation, RelationType):
            classes[relation.id] = RelationClass(relation.name, only(relation.head), only(relation.tail))
            classes.setdefault(relation.label, classes[relation.id])
    return classes
