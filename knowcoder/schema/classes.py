"""The base classes that users subclass to say what they want extracted, and that answers are instances of.

A subclass becomes a dataclass by itself: ``class BornIn(Relation): head: Person; tail: City``. ``repr`` of an
object is the code that a model writes for it.
"""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any, dataclass_transform


@dataclass_transform(field_specifiers=(dataclasses.field,))
class _Declared:
    """What the base classes share: every subclass is made a dataclass when it is defined."""

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        fields = inspect.get_annotations(cls)
        if not fields:  # it inherits all that ``dataclass`` would write again, for thousands of classes
            return
        for name in fields:
            default = cls.__dict__.get(name)
            if isinstance(default, list):  # ``place: list[City] = []`` must give each object a list of its own
                setattr(cls, name, dataclasses.field(default_factory=default.copy))
        documented = cls.__doc__
        cls.__doc__ = documented or "-"  # else ``dataclass`` writes one of its own, which is slow and no description
        dataclasses.dataclass(repr=False)(cls)
        cls.__doc__ = documented


class Entity(_Declared):
    """A thing that a text mentions; ``start`` and ``end`` are character offsets, end exclusive, where known."""

    name: str
    start: int | None = dataclasses.field(default=None, kw_only=True, compare=False)
    end: int | None = dataclasses.field(default=None, kw_only=True, compare=False)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({_quoted(self.name)})"


class Relation(_Declared):
    """A directed relation between two entities; a subclass may narrow the types of ``head`` and ``tail``."""

    head: Entity
    tail: Entity

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.head!r}, {self.tail!r})"


class Event(_Declared):
    """Something that happens; a subclass declares each role as ``role: list[SomeEntity] = []``.

    ``trigger_start`` and ``trigger_end`` are character offsets of the trigger, end exclusive, where known.
    """

    trigger: str
    trigger_start: int | None = dataclasses.field(default=None, kw_only=True, compare=False)
    trigger_end: int | None = dataclasses.field(default=None, kw_only=True, compare=False)

    def __repr__(self) -> str:
        filled = "".join(f", {name}={value!r}" for name, value in self.roles().items() if value)
        return f"{type(self).__name__}({_quoted(self.trigger)}{filled})"

    def roles(self) -> dict[str, Any]:
        """The fields that subclasses declared, with their fillers."""
        own = {"trigger", "trigger_start", "trigger_end"}
        return {field.name: getattr(self, field.name) for field in dataclasses.fields(self) if field.name not in own}


def _quoted(text: str) -> str:
    from knowcoder.schema.quoting import quote

    return quote(text)
