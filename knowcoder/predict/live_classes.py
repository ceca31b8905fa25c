"""Annotations as objects of users' own classes, or of classes made for the types of a library."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeAlias

from knowcoder.corpus.sentence import Annotations, Mention
from knowcoder.corpus.sentence import Event as FoundEvent
from knowcoder.schema.classes import Entity, Event, Relation
from knowcoder.schema.concepts import EntityType, RelationType
from knowcoder.schema.library import SchemaLibrary
from knowcoder.schema.live import LiveClass

Extracted: TypeAlias = Entity | Relation | Event


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
