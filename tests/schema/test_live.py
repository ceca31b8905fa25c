"""Classes that are imported give the types that their source gives."""

from __future__ import annotations

import importlib.util
import inspect
import sys
import tempfile
from pathlib import Path

import pytest
from drawn_libraries import libraries
from hypothesis import given, settings

from knowcoder import Entity, Relation
from knowcoder.errors import DataError
from knowcoder.schema.library import SchemaLibrary
from knowcoder.schema.live import read_classes
from knowcoder.schema.python_source import read_python
from knowcoder.schema.render import library_source

USERS = '''
from __future__ import annotations
import typing
from typing import Any, List, Optional, Union
from knowcoder import Entity, Event, Relation
from knowcoder.schema import rules

class Human(Entity):
    """A human being. Examples: Ada Lovelace, Kofi Annan"""
    @classmethod
    def said(cls, mention: str, after: str) -> str | None:
        return rules.cut_at(mention, after, "such as")

class City(Entity):
    """
    A settlement.

    Examples:
        London, Paris
    """
    population: int = 0

class Poet(Human, City): ...

class Knows(Relation):
    """The head knows the tail.
    Examples: (Ada, Bo)
    """
    head: Human
    tail: Optional[Union[Human, "City"]]

class Loves(Knows):
    tail: Human | Any

class Attack(Event):
    attacker: List[Human] = []
    """Who did it."""
    place: "list[City | None]" = []
    weapons: list[str] = []
    note: str = ""

class Bombing(Attack):
    target: typing.List[Entity] = []
'''


def imported(source: str) -> SchemaLibrary:
    """The types of the classes that a module of this source defines, in its order."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "live_users.py"
        path.write_text(source, "utf-8")
        spec = importlib.util.spec_from_file_location("live_users", path)
        assert spec is not None
        assert spec.loader is not None
        module = sys.modules["live_users"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        classes = [item for item in vars(module).values() if inspect.isclass(item) and item.__module__ == "live_users"]
        return read_classes(classes)[0]


@pytest.mark.parametrize("source", [USERS, USERS.replace("from __future__ import annotations\n", "")])
def test_a_users_module(source: str) -> None:
    library = imported(source)
    assert library == read_python(source)
    assert library.by_name("Human").rules == ("cut_at:such as",)
    attack = {event.name: event for event in library.events}["Attack"]
    assert [(role.name, role.types, role.description) for role in attack.roles] == [
        ("attacker", ("Human",), "Who did it."),
        ("place", ("City",), ""),
        ("weapons", (), ""),
    ]


@settings(max_examples=60, deadline=None)
@given(libraries())
def test_any_module(library: SchemaLibrary) -> None:
    source = library_source(library)
    assert imported(source) == read_python(source) == library


def test_a_hint_that_cannot_be_understood_is_named() -> None:
    class Broken(Relation):
        head: Entity
        tail: "Entity if print() else Relation"  # type: ignore  # noqa: UP037

    with pytest.raises(DataError, match=r"Broken\.tail: .* is no type hint"):
        read_classes([Broken])
