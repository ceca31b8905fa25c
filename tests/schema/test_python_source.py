"""A library written as Python and read back is the same library; users' and published classes are read too."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowcoder.errors import DataError
from knowcoder.schema.concepts import EntityType, EventType, RelationType, Role
from knowcoder.schema.library import SchemaLibrary
from knowcoder.schema.python_source import read_python, read_python_files
from knowcoder.schema.render import library_source, one_line

C = TypeVar("C", EntityType, RelationType, EventType)
TEXTS = st.one_of(
    st.text(max_size=20),
    st.lists(
        st.sampled_from(["Examples:", "Parents:", "a, b", '"""', '"', "\\", "),", "(", " ", "x", "\n"]), max_size=6
    ).map("".join),
)
DESCRIPTIONS = TEXTS.map(one_line)


@st.composite
def libraries(draw: st.DrawFn) -> SchemaLibrary:
    """Libraries whose ids are their names, as a Python source gives them."""

    def family(count: int, prefix: str) -> list[tuple[str, str | None]]:
        names = [f"{prefix}{number}" for number in range(count)]
        return [
            (name, draw(st.sampled_from([None, *names[:number]])) if number else None)
            for number, name in enumerate(names)
        ]

    entities = family(draw(st.integers(1, 4)), "Thing")
    types = st.lists(st.sampled_from([name for name, _ in entities]), unique=True, max_size=2).map(tuple)
    texts = st.lists(TEXTS, max_size=3).map(tuple)
    pairs = st.lists(st.tuples(TEXTS, TEXTS), max_size=3).map(tuple)
    roles = st.lists(
        st.builds(Role, name=st.sampled_from(["agent", "place", "from_"]), types=types, description=DESCRIPTIONS),
        unique_by=lambda role: role.name,
        max_size=3,
    ).map(tuple)
    return SchemaLibrary(
        tuple(
            EntityType(id=n, name=n, parent=p, description=draw(DESCRIPTIONS), examples=draw(texts))
            for n, p in entities
        ),
        tuple(
            RelationType(
                id=n, name=n, parent=p, description=draw(DESCRIPTIONS), examples=draw(pairs),
                head=draw(types), tail=draw(types),
            )
            for n, p in family(draw(st.integers(0, 3)), "Link")
        ),
        tuple(
            EventType(
                id=n, name=n, parent=p, description=draw(DESCRIPTIONS), examples=draw(texts), roles=draw(roles)
            )
            for n, p in family(draw(st.integers(0, 3)), "Act")
        ),
    )  # fmt: skip


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
