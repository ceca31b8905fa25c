"""The schema library refuses what does not fit together, and survives the disk."""

from __future__ import annotations

from pathlib import Path

import pytest

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


@pytest.mark.parametrize("ask", [lambda: LIBRARY.by_name("Twon"), lambda: LIBRARY.by_id("Twon")])
def test_an_unknown_name_is_named(ask: object) -> None:
    with pytest.raises(DataError, match="Twon"):
        ask()  # type: ignore[operator]


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
