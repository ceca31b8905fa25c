"""A library written as Python and read back is the same library; users' and published classes are read too."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
from drawn_libraries import libraries
from hypothesis import given, settings

from knowcoder.errors import DataError
from knowcoder.schema.concepts import EntityType, EventType, RelationType, Role
from knowcoder.schema.library import SchemaLibrary
from knowcoder.schema.python_source import read_python, read_python_files
from knowcoder.schema.render import library_source
from knowcoder.schema.source import Renamed


@settings(max_examples=150, deadline=None)
@given(libraries())
def test_source_to_library_to_source_is_the_identity(library: SchemaLibrary) -> None:
    source = library_source(library)
    assert read_python(source) == library
    assert library_source(read_python(source)) == source


USER_SOURCE = '''
import knowcoder
from knowcoder import Entity, Event, Relation


class Person(Entity):
    """A human being. Examples: Ada Lovelace, Kofi Annan"""


class City(knowcoder.Entity):
    """
    A settlement
    that is big.

    Examples:
        London, Paris
    """


class BornIn(Relation):
    head: Person
    tail: "City | Village"


class Attack(Event):
    attacker: list["Person"] = []
    """Who did it."""
    place: list[City] = []


def helper() -> None: ...
'''


def test_a_users_classes_are_read() -> None:
    library = read_python(USER_SOURCE)
    assert library.by_name("Person") == EntityType(
        id="Person", name="Person", description="A human being.", examples=("Ada Lovelace", "Kofi Annan")
    )
    assert library.by_name("City") == EntityType(
        id="City", name="City", description="A settlement that is big.", examples=("London", "Paris")
    )
    assert library.by_name("BornIn") == RelationType(
        id="BornIn", name="BornIn", head=("Person",), tail=("City", "Village")
    )
    assert library.by_name("Attack") == EventType(
        id="Attack",
        name="Attack",
        roles=(
            Role(name="attacker", types=("Person",), description="Who did it."),
            Role(name="place", types=("City",)),
        ),
    )


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("class Person(", "people.py:1"),
        ("class Person: ...", "people.py:1.*'Person' inherits from nothing"),
        ("class A(Entity): ...\n\nclass A(Entity): ...", "people.py:3.*'A' is defined twice"),
        ("class A(Relation):\n    head: '1 +'", "no type hint"),
    ],
)
def test_what_cannot_be_read_is_named(source: str, said: str) -> None:
    with pytest.raises(DataError, match=said):
        read_python(source, "people.py")


def test_files_and_folders(tmp_path: Path) -> None:
    (tmp_path / "people.py").write_text("from knowcoder import Entity\n\nclass Person(Entity): ...\n")
    (tmp_path / "places.py").write_text("from people import Person\n\nclass Poet(Person): ...\n")
    assert read_python_files(tmp_path).library().names("entity") == ("Person", "Poet")
    with pytest.raises(DataError, match="nowhere"):
        read_python_files(tmp_path / "nowhere")


def test_slots_are_inherited_as_python_does_unless_a_constructor_names_them() -> None:
    library = read_python(
        """
class Human(Entity): ...
class Knows(Relation):
    head: Human
    tail: Human | Entity
class Loves(Knows): ...
class Act(Event):
    agent: list[Human] = []
    place: list[Entity] = []
class Move(Act):
    goal: list[Entity] = []
    place: list[Human] = []
class Fall(Act):
    def __init__(self, trigger: str, victim: List[ Human ]):
        super().__init__(trigger = trigger)
class Slip(Fall): pass
"""
    )
    loves = library.by_name("Loves")
    assert isinstance(loves, RelationType)
    assert (loves.head, loves.tail) == (("Human",), ())
    roles = {event.name: [(role.name, role.types) for role in event.roles] for event in library.events}
    assert roles["Move"] == [("agent", ("Human",)), ("place", ("Human",)), ("goal", ())]
    assert roles["Fall"] == roles["Slip"] == [("victim", ("Human",))]


def test_the_published_layout_of_a_package(tmp_path: Path) -> None:
    entities = 'class Marriage(Occurrence):\n\t"""\n\tDescription: A bond.\n\tExamples: m1, m2\n\t"""\n\tpass\n'
    relations = (
        "from Entities import Human, Marriage\n\nclass PartOf(Relation):\n\tdef __init__(self, head_entity: "
        "Human | Marriage, tail_entity: Entity):\n\t\tsuper().__init__(head_entity = head_entity, "
        "tail_entity = tail_entity)\n"
    )
    events = (
        'class Marriage(Life):\n\tdef __init__(self, trigger: str, *args):\n\t\targ_names = ["from", "spouse"]\n'
        "\t\tsuper().__init__(trigger = trigger, arg_names = arg_names, *args)\n\n"
        "class Wedding(Marriage):\n\tpass\n"
    )
    for name, text in (("Entities", entities), ("Relations", relations), ("Events", events)):
        (tmp_path / f"{name}.py").write_text(text)
    source = read_python_files(tmp_path)
    library = source.library()
    assert library.names("entity") == ("Marriage", "Occurrence", "Human")
    assert library.names("event") == ("MarriageEvent", "Wedding", "Life")
    marriage, wedding, part_of = (library.by_name(name) for name in ("MarriageEvent", "Wedding", "PartOf"))
    assert isinstance(marriage, EventType)
    assert isinstance(wedding, EventType)
    assert isinstance(part_of, RelationType)
    assert (marriage.parent, wedding.parent) == ("Life", "MarriageEvent")
    assert [role.name for role in wedding.roles] == ["from_", "spouse"]
    assert part_of.head == ("Human", "Marriage")
    assert library.by_name("Marriage").examples == ("m1", "m2")
    assert source.renamed == [Renamed("MarriageEvent", "Marriage", "MarriageEvent")]
    undefined = [(Path(reject.file).stem, reject.line, reject.value) for reject in source.rejects]
    assert undefined == [
        ("Entities", 1, "Occurrence, which Marriage names"),
        ("Events", 1, "Life, which Marriage names"),
        ("Relations", 3, "Human, which PartOf names"),
    ]
    assert source.read == len(library) + 5 + len(source.rejects)  # five references: three parents, two heads


def test_cycles_of_parents_are_cut_and_told(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("class A(B): ...\nclass B(A): ...\nclass C(Entity): ...\n")
    source = read_python_files(tmp_path)
    assert len(source.library()) == 3
    assert [(reject.line, reject.value) for reject in source.rejects] == [(2, "B -> A")]


@pytest.mark.parametrize(("file", "count"), [("entity", 98), ("relation", 64), ("ed", 14), ("eae", 39)])
def test_the_published_definitions_are_read(data_root: Path, file: str, count: int) -> None:
    path = data_root / "knowcoder_official" / "class_defs" / f"{file}_class_defs.json"
    definitions = json.loads(path.read_text("utf-8"))
    assert len(definitions) == count
    library = read_python("\n\n".join(definitions.values()))
    kind = "event" if file in ("ed", "eae") else file
    defined = {name for name in definitions if name not in ("Entity", "Relation", "Event")}
    assert defined <= set(library.names(kind))  # type: ignore[arg-type]
    if kind == "event":
        assert all(library.by_name(name).roles for name in defined)  # type: ignore[union-attr]
    if kind == "relation":
        hinted = [name for name in defined if dataclasses.asdict(library.by_name(name))["head"]]
        assert len(hinted) > 30


def test_the_published_definitions_are_one_library(data_root: Path) -> None:
    source = read_python_files(data_root / "knowcoder_official" / "class_defs")
    library = source.library()
    undefined = [reject for reject in source.rejects if "named but not defined" in reject.reason]
    assert len(source.rejects) == len(undefined) == 85
    # 215 definitions: 4 of base classes, 5 of events that are defined for detection and for arguments.
    assert len(library) == 215 - 4 - 5 + len(undefined)
    assert source.counts["united"] == 5
    assert [(renamed.old, renamed.new) for renamed in source.renamed] == [("Event", "Event_")]
    ransom = library.by_name("Ransom")
    assert isinstance(ransom, EventType)
    assert all(role.types for role in ransom.roles)  # the definition for arguments has them
    assert all(reject.line > 0 and Path(reject.file).is_file() for reject in undefined)
