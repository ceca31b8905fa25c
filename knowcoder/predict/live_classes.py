"""Users' own classes -> schema library, and annotations -> objects of those classes.

Type hints are read as written: a hint in quotes is parsed, never evaluated.
"""

from __future__ import annotations

import ast
import inspect
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias, get_args

from knowcoder.corpus.sentence import Annotations, Mention
from knowcoder.corpus.sentence import Event as FoundEvent
from knowcoder.errors import DataError
from knowcoder.schema.classes import Entity, Event, Relation
from knowcoder.schema.concepts import Concept, EntityType, EventType, RelationType, Role
from knowcoder.schema.library import SchemaLibrary
from knowcoder.schema.python_source import read_docstring

LiveClass: TypeAlias = type[Entity] | type[Relation] | type[Event]
Extracted: TypeAlias = Entity | Relation | Event

_BASES = (Entity, Relation, Event)


def library_of(classes: Iterable[LiveClass]) -> tuple[SchemaLibrary, dict[str, LiveClass]]:
    """A library of classes, their ancestors and the classes that they hint, and the same classes by name.

    Raises:
        DataError: a hint names a class that is not known here, or two classes have the same name.
    """
    given: dict[str, LiveClass] = {}
    for cls in classes:
        _enter(given, cls)
    known: dict[str, LiveClass] = {}
    pending = list(given.values())
    concepts: list[Concept] = []
    while pending:
        cls = pending.pop(0)
        if known.get(cls.__name__) is cls:
            continue
        _enter(known, cls)
        slots = {name: list(_hinted(cls, name, hint, given)) for name, hint in _slots(cls).items()}
        concepts.append(_concept(cls, slots))
        pending += _parents(cls) + [hint for hints in slots.values() for hint in hints]
    return (
        SchemaLibrary(
            tuple(concept for concept in concepts if isinstance(concept, EntityType)),
            tuple(concept for concept in concepts if isinstance(concept, RelationType)),
            tuple(concept for concept in concepts if isinstance(concept, EventType)),
        ),
        known,
    )


def _enter(classes: dict[str, LiveClass], cls: LiveClass) -> None:
    if classes.setdefault(cls.__name__, cls) is not cls:
        raise DataError(f"two classes are called {cls.__name__!r}; rename one")


def classes_of(library: SchemaLibrary) -> dict[str, LiveClass]:
    """A class for every type of a library, for users who have no classes of their own; hints are left out."""
    made: dict[str, LiveClass] = {}
    for concept in library:
        if isinstance(concept, EntityType):
            made[concept.name] = type(concept.name, (Entity,), {})
        elif isinstance(concept, RelationType):
            made[concept.name] = type(concept.name, (Relation,), {})
        else:
            roles: dict[str, Any] = {role.name: [] for role in concept.roles}
            hints = {role.name: list[Entity] for role in concept.roles}
            made[concept.name] = type(concept.name, (Event,), {**roles, "__annotations__": hints})
    return made


def as_objects(annotations: Annotations, classes: Mapping[str, LiveClass]) -> list[Extracted]:
    """Annotations as objects of the classes of their names; an argument of an unknown class is an ``Entity``."""
    objects: list[Extracted] = [_entity(mention, classes) for mention in annotations.entities]
    for relation in annotations.relations:
        made: Any = classes[relation.type]
        objects.append(made(_entity(relation.head, classes), _entity(relation.tail, classes)))
    objects += [_event(event, classes) for event in annotations.events]
    return objects


def _entity(mention: Mention, classes: Mapping[str, LiveClass]) -> Entity:
    made = classes.get(mention.type, Entity)
    if not issubclass(made, Entity):
        made = Entity
    return made(mention.text, start=mention.start, end=mention.end)


def _event(event: FoundEvent, classes: Mapping[str, LiveClass]) -> Event:
    made: Any = classes[event.type]
    fillers: dict[str, list[Entity]] = {}
    for argument in event.arguments:
        fillers.setdefault(argument.role, []).append(_entity(argument.mention, classes))
    trigger = event.trigger or Mention(event.type, "")
    found: Event = made(trigger.text, trigger_start=trigger.start, trigger_end=trigger.end, **fillers)
    return found


def _parents(cls: LiveClass) -> list[LiveClass]:
    """The classes that it inherits from, without the base classes."""
    return [base for base in cls.__bases__ if issubclass(base, _BASES) and base not in _BASES]


def _slots(cls: LiveClass) -> dict[str, Any]:
    """Hints of heads, tails and roles by name, inherited ones too, as they are written."""
    hints: dict[str, Any] = {}
    for base in reversed(cls.__mro__):
        if issubclass(base, _BASES) and base not in _BASES:
            hints |= inspect.get_annotations(base)
    return {} if issubclass(cls, Entity) else hints


def _hinted(cls: LiveClass, slot: str, hint: Any, given: Mapping[str, LiveClass]) -> Iterator[type[Entity]]:
    """The entity classes that a hint names; none where any entity will do."""
    if isinstance(hint, str):
        for name in _names(cls, slot, hint):
            yield from _hinted(cls, slot, _resolve(cls, slot, name, given), given)
    elif isinstance(hint, type) and issubclass(hint, Entity):
        if hint is not Entity:
            yield hint
    else:
        for part in get_args(hint):
            yield from _hinted(cls, slot, part, given)


def _names(cls: LiveClass, slot: str, hint: str) -> list[str]:
    """Names of classes in a hint as it is written, in order: ``list[City | Village]`` -> City, Village."""
    try:
        nodes = list(ast.walk(ast.parse(hint, mode="eval")))
    except SyntaxError as error:
        raise DataError(
            f"{cls.__name__}.{slot}: the hint {hint!r} is no type; write list[City] or City | Town"
        ) from error
    names: list[tuple[int, list[str]]] = []
    for node in nodes:
        if isinstance(node, ast.Constant) and isinstance(node.value, str):  # a hint in quotes of its own
            names.append((node.col_offset, _names(cls, slot, node.value)))
        elif isinstance(node, ast.Name) and node.id not in ("list", "List"):
            names.append((node.col_offset, [node.id]))
    return [name for _, found in sorted(names) for name in found]


def _resolve(cls: LiveClass, slot: str, name: str, given: Mapping[str, LiveClass]) -> Any:
    found = given.get(name) or getattr(sys.modules.get(cls.__module__), name, None)
    if found is None:
        raise DataError(f"{cls.__name__}.{slot}: the class {name!r} is not known here; give it among the classes")
    return found


def _concept(cls: LiveClass, slots: Mapping[str, Sequence[type[Entity]]]) -> Concept:
    description, examples = _docstring(cls)
    parents = tuple(parent.__name__ for parent in _parents(cls))
    parent = parents[0] if parents else None
    name = cls.__name__
    types = {slot: tuple(hint.__name__ for hint in hints) for slot, hints in slots.items()}
    if issubclass(cls, Entity):
        return EntityType(
            id=name, name=name, description=description, parent=parent, parents=parents, examples=examples
        )
    if issubclass(cls, Event):
        roles = tuple(Role(name=slot, types=hinted) for slot, hinted in types.items())
        return EventType(
            id=name, name=name, description=description, parent=parent, parents=parents, examples=examples, roles=roles
        )
    head, tail = types.get("head", ()), types.get("tail", ())
    return RelationType(
        id=name, name=name, description=description, parent=parent, parents=parents, head=head, tail=tail
    )


def _docstring(cls: LiveClass) -> tuple[str, tuple[str, ...]]:
    """Description and examples of a class: ``"A human being. Examples: Ada Lovelace, Kofi Annan"``."""
    text = cls.__dict__.get("__doc__") or ""
    if text.startswith(f"{cls.__name__}("):  # what ``dataclass`` writes where nothing was written
        return "", ()
    return read_docstring(text)
