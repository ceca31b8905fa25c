"""What can be extracted: entity, relation and event types, as plain frozen data.

Types refer to each other by ``id``; annotations and prompts refer to them by ``name``, which is a valid
Python identifier and unique within a library (KnowCoder, section 2.1: inheritance, comment, type hints, methods).
Every type has ``rules`` that finish its answers (see ``rules.py``; descendants have them too), and ``described_by``,
the language model that wrote its description, empty where a source says it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

Task = Literal["NER", "RE", "ED", "EAE"]
TASKS: tuple[Task, ...] = ("NER", "RE", "ED", "EAE")


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityType:
    """A class of things. ``parent`` is the class it inherits from; other known parents stay in ``parents``."""

    id: str
    name: str
    label: str = ""
    description: str = ""
    aliases: tuple[str, ...] = ()
    parent: str | None = None
    parents: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    described_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RelationType:
    """A relation between a head and a tail; empty ``head`` or ``tail`` means any entity.

    ``head`` and ``tail`` hold entity type ids (a union); ``examples`` hold (head, tail) pairs of mentions.
    """

    id: str
    name: str
    label: str = ""
    description: str = ""
    aliases: tuple[str, ...] = ()
    parent: str | None = None
    parents: tuple[str, ...] = ()
    examples: tuple[tuple[str, str], ...] = ()
    head: tuple[str, ...] = ()
    tail: tuple[str, ...] = ()
    rules: tuple[str, ...] = ()
    described_by: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """A role of an event. ``types`` holds entity type ids (a union); empty means any entity."""

    name: str
    types: tuple[str, ...] = ()
    description: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EventType:
    """A class of events with their roles; ``examples`` are trigger words."""

    id: str
    name: str
    label: str = ""
    description: str = ""
    aliases: tuple[str, ...] = ()
    parent: str | None = None
    parents: tuple[str, ...] = ()
    examples: tuple[str, ...] = ()
    roles: tuple[Role, ...] = ()
    rules: tuple[str, ...] = ()
    described_by: str = ""


Concept: TypeAlias = EntityType | RelationType | EventType
