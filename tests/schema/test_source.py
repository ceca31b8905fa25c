"""Uniting what several sources say: by id, with the first library's names, hierarchy and hints."""

from __future__ import annotations

import pytest

from knowcoder.errors import DataError
from knowcoder.schema.concepts import Concept, EntityType, EventType, RelationType
from knowcoder.schema.source import Renamed, SchemaSource, merge, unite

HUMAN = EntityType(id="Q5", name="Human", label="human")
PLACE = EntityType(id="place", name="Place", label="place", description="Ours.")
BORN = RelationType(id="P19", name="BornIn", label="born", head=("Q5",), tail=("place",))
FIRST: list[Concept] = [HUMAN, PLACE, BORN]
OTHER: list[Concept] = [
    EntityType(id="Q1", name="Agent", label="agent"),
    EntityType(id="Q5", name="Person", label="person", description="Theirs.", parent="Q1"),
    EntityType(id="Q2", name="Place", label="place", parent="Q1"),
    RelationType(id="P19", name="PlaceOfBirth", description="Theirs."),
    RelationType(id="P20", name="DiedIn", head=("Q5",)),
]


def test_the_first_library_keeps_its_words_and_gains_what_it_lacks() -> None:
    source = SchemaSource(FIRST)
    merge(source, OTHER)
    merged, library = source.concepts, source.library()
    assert [concept.name for concept in FIRST] == [library.by_id(concept.id).name for concept in FIRST]
    human, born = library.by_id("Q5"), library.by_id("P19")
    assert (human.description, human.parent, human.label) == ("Theirs.", "Q1", "human")
    assert isinstance(born, RelationType)
    assert (born.description, born.head, born.tail) == ("Theirs.", BORN.head, BORN.tail)
    assert (library.by_id("place").description, library.by_id("Q2").name) == ("Ours.", "Place_Q2")
    assert {concept.id for concept in merged} == {"Q5", "place", "P19", "Q1", "Q2", "P20"}
    assert source.renamed == [
        Renamed("Q5", "Person", "Human"),
        Renamed("Q2", "Place", "Place_Q2"),
        Renamed("P19", "PlaceOfBirth", "BornIn"),
    ]


def test_merging_nothing_or_itself_changes_nothing() -> None:
    for others in ((), (FIRST, FIRST)):
        source = SchemaSource(FIRST)
        merge(source, *others)
        assert (source.concepts, source.renamed, source.rejects) == (FIRST, [], [])


def test_sources_of_one_library_must_agree_on_names_and_kinds() -> None:
    with pytest.raises(DataError, match="two names"):
        unite([HUMAN, EntityType(id="Q5", name="Person")])
    with pytest.raises(DataError, match="two kinds"):
        merge(SchemaSource([HUMAN]), [EventType(id="Q5", name="Human")])
