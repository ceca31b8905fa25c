"""Users' own classes behave as dataclasses whose text is the code that a model writes."""

from __future__ import annotations

import subprocess
import sys

import knowcoder
from knowcoder import Entity, Event, Relation


class Person(Entity): ...


class City(Entity): ...


class BornIn(Relation):
    head: Person
    tail: City


class Attack(Event):
    attacker: list[Person] = []
    place: list[City] = []


class Bombing(Attack): ...


def test_objects_write_themselves_as_code() -> None:
    ada, london = Person('Ada "A"', start=0, end=7), City("London")
    assert repr(ada) == 'Person("Ada \\"A\\"")'
    assert (ada.start, ada.end, london.start) == (0, 7, None)
    assert repr(BornIn(ada, london)) == 'BornIn(Person("Ada \\"A\\""), City("London"))'
    assert repr(Bombing("bombed", place=[london])) == 'Bombing("bombed", place=[City("London")])'


def test_objects_are_equal_by_class_and_text() -> None:
    assert Person("Ada") == Person("Ada", start=3, end=6)
    other: Entity = City("Ada")
    assert Person("Ada") != other
    assert BornIn(Person("Ada"), City("London")) == BornIn(head=Person("Ada"), tail=City("London"))


def test_default_lists_are_not_shared() -> None:
    first, second = Attack("bombed"), Bombing("bombed")
    first.attacker.append(Person("Ada"))
    assert second.attacker == [] == Attack("bombed").attacker


def test_importing_the_package_imports_nothing_else() -> None:
    code = "import sys, knowcoder; assert not any(name.startswith('knowcoder.') for name in sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)
    assert "Entity" in dir(knowcoder)
    assert not hasattr(knowcoder, "Entitty")
