"""The schema library refuses what does not fit together, and survives the disk."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowcoder.errors import DataError
from knowcoder.schema.concepts import EntityType, EventType, RelationType, Role
from knowcoder.schema.library import SchemaLibrary

PLACE = EntityType(id="Q1", name="Place", description="Somewhere.")
TOWN = EntityType(id="Q2", name="Town", parent="Q1", examples=("Marvel", "Tolden Bay"))
PORT = EntityType(id="Q3", name="Port", parent="Q2", parents=("Q1",))
PERSON = EntityType(id="Q4", name="Person")
BORN = RelationType(id="P1", name="BornIn", head=("Q4",), tail=("Q2", "Q1"), examples=(("Ada", "Marvel"),))
ATTACK = EventType(id="E1", name="Attack", roles=(Role(name="attacker", types=("Q4",)), Role(name="place")))
LIBRARY = SchemaLibrary((PLACE, TOWN, PORT, PERSON), (BORN,), (ATTACK,))


def test_what_is_saved_is_loaded(tmp_path: Path) -> None:
    LIBRARY.save(tmp_path)
    assert SchemaLibrary.load(tmp_path) == LIBRARY


def test_lookups() -> None:
    assert LIBRARY.by_name("Town") is TOWN
    assert LIBRARY.by_id("P1") is BORN
    assert LIBRARY.ancestors("Q3") == ("Q2", "Q1")
    assert LIBRARY.ancestors("Q1") == ()
    assert LIBRARY.names("entity") == ("Place", "Town", "Port", "Person")
    assert "Town" in LIBRARY
    assert "town" not in LIBRARY
    assert len(LIBRARY) == 6


def test_a_subset_holds_all_that_it_refers_to() -> None:
    assert LIBRARY.subset(["Port"]).names("entity") == ("Place", "Town", "Port")
    assert set(LIBRARY.subset(["BornIn"])) == {PLACE, TOWN, PERSON, BORN}
    assert len(LIBRARY.subset([])) == 0


def test_a_type_is_found_by_all_it_is_called() -> None:
    library = SchemaLibrary(
        (
            EntityType(id="Q1", name="City", label="city", aliases=("Stadt", "Πόλις")),
            EntityType(id="Q2", name="City_Q2", label="CITY", parent="Q1"),
            EntityType(id="Town", name="Village", label="straße"),
            EntityType(id="Q4", name="Town", label="big  town", aliases=("Q1", "")),
        )
    )
    found = {text: [concept.id for concept in library.find(text)] for text in ("City", "Q1", "q1", "stadt", "ΠΌΛΙΣ")}
    assert found == {"City": ["Q1", "Q2"], "Q1": ["Q1", "Q4"], "q1": ["Q4"], "stadt": ["Q1"], "ΠΌΛΙΣ": ["Q1"]}
    assert [concept.id for concept in library.find("Town")] == ["Q4", "Town"]
    assert [concept.id for concept in library.find(" Big Town ")] == ["Q4"]
    assert [concept.id for concept in library.find("STRASSE")] == ["Town"]
    assert library.find("") == library.find("nowhere") == ()


@given(st.lists(st.one_of(st.none(), st.integers(0, 30)), max_size=30))
def test_ancestors_and_descendants_are_each_other_s_converse(parents: list[int | None]) -> None:
    types = [
        EntityType(id=f"Q{n}", name=f"T{n}", parent=None if parent is None or parent >= n else f"Q{parent}")
        for n, parent in enumerate(parents)
    ]
    library = SchemaLibrary(tuple(reversed(types)))
    for one in library.entities:
        walked, parent = [], one.parent
        while parent is not None:
            walked.append(parent)
            parent = library.by_id(parent).parent
        assert library.ancestors(one.id) == tuple(walked)
        assert set(library.children(one.id)) == {other.id for other in types if other.parent == one.id}
        assert sorted(library.descendants(one.id)) == sorted(
            other.id for other in types if one.id in library.ancestors(other.id)
        )
    assert set(library.children(None)) == {one.id for one in types if one.parent is None}


@pytest.mark.parametrize("ask", [LIBRARY.by_name, LIBRARY.by_id, LIBRARY.ancestors, LIBRARY.descendants])
def test_an_unknown_name_is_named(ask: object) -> None:
    with pytest.raises(DataError, match="Twon"):
        ask("Twon")  # type: ignore[operator]


@pytest.mark.parametrize(
    ("entities", "relations", "events", "said"),
    [
        ((PLACE, EntityType(id="Q1", name="Spot")), (), (), "'Place' and 'Spot' have the same id"),
        ((PLACE, EntityType(id="Q9", name="Place")), (), (), "both called 'Place'"),
        ((PLACE,), (RelationType(id="P1", name="Place"),), (), "both called 'Place'"),
        ((EntityType(id="Q9", name="two words"),), (), (), "'two words' cannot be a class name"),
        ((EntityType(id="Q9", name="None"),), (), (), "'None' cannot be a class name"),
        ((EntityType(id="Q9", name="Entity"),), (), (), "'Entity' cannot be a class name"),
        ((EntityType(id="Q9", name="\ufb01sh"),), (), (), "cannot be a class name"),
        ((TOWN,), (), (), "'Town'.*'Q1'"),
        ((PERSON, TOWN), (RelationType(id="Q1", name="R"),), (), "'Town'.*'Q1' is no entity"),
        ((), (RelationType(id="P1", name="R", head=("Q4",)),), (), "'R'.*type hint 'Q4'"),
        ((), (), (EventType(id="E", name="Act", roles=(Role(name="from"),)),), "'Act'.*'from'"),
        ((), (), (EventType(id="E", name="Act", roles=(Role(name="list"),)),), "'Act'.*'list'"),
        ((), (), (EventType(id="E", name="Act", roles=(Role(name="a"), Role(name="a"))),), "'Act'.*'a'.*twice"),
        (
            (EntityType(id="A", name="A", parent="B"), EntityType(id="B", name="B", parent="A")),
            (),
            (),
            "'A'.*own ancestor",
        ),
    ],
)
def test_what_does_not_fit_together_is_refused(
    entities: tuple[EntityType, ...], relations: tuple[RelationType, ...], events: tuple[EventType, ...], said: str
) -> None:
    with pytest.raises(DataError, match=said):
        SchemaLibrary(entities, relations, events)


def test_a_folder_without_a_library_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="knowcoder schema"):
        SchemaLibrary.load(tmp_path)
