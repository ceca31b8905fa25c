"""Users' own classes become a schema without being run, and answers become objects of those classes."""

from __future__ import annotations

from typing import Any, List  # noqa: UP035 -- users write it

import pytest

from knowcoder import Entity, Event, Relation
from knowcoder.corpus.sentence import Annotations, Argument, Mention
from knowcoder.corpus.sentence import Event as FoundEvent
from knowcoder.corpus.sentence import Relation as FoundRelation
from knowcoder.errors import DataError
from knowcoder.predict.live_classes import as_objects, classes_of
from knowcoder.schema.concepts import EntityType, EventType, RelationType
from knowcoder.schema.live import read_classes


class Human(Entity):
    """A human being. Examples: Ada Lovelace, Kofi Annan"""


class Settlement(Entity): ...


class City(Settlement):
    """A large settlement.

    Examples: Oslo
    """


class BornIn(Relation):
    head: Human
    tail: City | Settlement


class Attack(Event):
    """An act of violence."""

    attacker: list[Human] = []
    place: List[Entity] = []  # noqa: UP006
    target: "list[Human | City]" = []  # noqa: UP037 -- users write it


def test_classes_become_types_with_descriptions_examples_parents_and_hints() -> None:
    library, known = read_classes([BornIn, Attack, Human])
    human, born, attack = library.by_name("Human"), library.by_name("BornIn"), library.by_name("Attack")
    assert isinstance(human, EntityType)
    assert isinstance(born, RelationType)
    assert isinstance(attack, EventType)
    assert (human.description, human.examples) == ("A human being.", ("Ada Lovelace", "Kofi Annan"))
    assert library.by_name("City").parent == "Settlement"
    assert library.by_name("Settlement").description == ""
    assert (born.head, born.tail) == (("Human",), ("City", "Settlement"))
    assert [(role.name, role.types) for role in attack.roles] == [
        ("attacker", ("Human",)),
        ("place", ()),
        ("target", ("Human", "City")),
    ]
    assert known == {"Human": Human, "City": City, "Settlement": Settlement, "BornIn": BornIn, "Attack": Attack}


def test_local_classes_are_resolved_among_those_given_and_hints_are_not_run() -> None:
    class Robot(Entity): ...

    class Built(Relation):
        head: Robot
        tail: Robot

    library, _ = read_classes([Robot, Built])
    born: Any = library.by_name("Built")
    assert born.head == ("Robot",)
    with pytest.raises(DataError, match=r"Built\.head.*Robot"):
        read_classes([Built])

    for hint in ("Human if print('run') else City", "import os", "'unclosed"):
        trap = type("Trap", (Relation,), {"__annotations__": {"head": hint, "tail": "Human"}, "__module__": __name__})
        with pytest.raises(DataError, match=r"Trap\.head"):
            read_classes([trap])


def test_inherited_slots_and_equal_names() -> None:
    class Bombing(Attack):
        weapon: list[Entity] = []

    bombing: Any = read_classes([Bombing])[0].by_name("Bombing")
    assert [role.name for role in bombing.roles] == ["attacker", "place", "target", "weapon"]
    other = type("Human", (Entity,), {})
    with pytest.raises(DataError, match="two classes"):
        read_classes([Human, other])
    with pytest.raises(DataError, match="two classes"):
        read_classes([other, type("Heir", (Human,), {})])


def found() -> Annotations:
    ada, oslo = Mention("Human", "Ada", 0, 3), Mention("City", "Oslo", 8, 12)
    arguments = (Argument("attacker", ada), Argument("place", Mention("Entity", "Oslo", 8, 12)))
    event = FoundEvent("Attack", Mention("Attack", "bombed", 4, 10), arguments)
    return Annotations((ada, oslo), (FoundRelation("BornIn", ada, oslo),), (event,))


def test_annotations_become_objects_with_offsets() -> None:
    ada, oslo, born, attack = as_objects(found(), read_classes([BornIn, Attack])[1])
    assert (ada, oslo, born) == (Human("Ada"), City("Oslo"), BornIn(Human("Ada"), City("Oslo")))
    assert isinstance(ada, Human)
    assert (ada.start, ada.end) == (0, 3)
    assert attack == Attack("bombed", attacker=[Human("Ada")], place=[Entity("Oslo")])
    assert isinstance(attack, Attack)
    assert (attack.trigger_start, attack.target) == (4, [])


def test_a_library_yields_classes_that_hold_its_answers() -> None:
    library, _ = read_classes([BornIn, Attack])
    objects = as_objects(found(), classes_of(library))
    assert [repr(item) for item in objects] == [
        'Human("Ada")',
        'City("Oslo")',
        'BornIn(Human("Ada"), City("Oslo"))',
        'Attack("bombed", attacker=[Human("Ada")], place=[Entity("Oslo")])',
    ]
