"""Whatever the labels are, the names that they get can stand in one library, and stay when concepts are added."""

from __future__ import annotations

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from knowcoder.schema.concepts import EntityType, EventType, RelationType, Role
from knowcoder.schema.library import SchemaLibrary, is_class_name
from knowcoder.schema.naming import class_name, role_name
from knowcoder.schema.source import library_of, name_concepts

LABELS = st.one_of(
    st.text(max_size=12),
    st.text(st.characters(), max_size=6),
    st.sampled_from(["city", "City", "CITY", "ci-ty", "ci ty", "city2", "City_Q1", "event", "None", "from", "\u4eba"]),
)
IDS = st.one_of(st.sampled_from([f"Q{number}" for number in range(30)]), st.text(st.characters(), min_size=1))


@st.composite
def concept_lists(draw: st.DrawFn) -> list[EntityType | RelationType]:
    """Concepts without names, entities before relations, as sources give them."""
    ids = draw(st.lists(IDS, unique=True, max_size=12))
    entities = draw(st.integers(0, len(ids)))
    kinds = [EntityType] * entities + [RelationType] * (len(ids) - entities)
    return [kind(id=id, name="", label=draw(LABELS)) for kind, id in zip(kinds, ids, strict=True)]


@given(concept_lists())
def test_class_names_make_a_library(concepts: list[EntityType | RelationType]) -> None:
    library = library_of(name_concepts(concepts))
    assert len(library) == len(concepts)
    assert not {"Entity", "Relation", "Event", "List"} & {concept.name for concept in library}


@given(concept_lists())
def test_what_is_added_behind_changes_no_name(concepts: list[EntityType | RelationType]) -> None:
    names = [concept.name for concept in name_concepts(concepts)]
    for count in range(len(concepts)):
        assert [concept.name for concept in name_concepts(concepts[:count])] == names[:count]


@given(concept_lists(), st.data())
def test_what_is_added_between_changes_only_the_plain_name_that_it_takes(
    concepts: list[EntityType | RelationType], data: st.DataObject
) -> None:
    after = {concept.id: concept for concept in name_concepts(concepts)}
    if not after:
        return
    added = data.draw(st.sampled_from(sorted(after)))
    before = name_concepts([concept for concept in concepts if concept.id != added])
    changed = [concept for concept in before if after[concept.id].name != concept.name]
    assert [concept.name for concept in changed] in ([], [after[added].name])


@given(st.lists(LABELS, max_size=12))
def test_role_names_make_an_event(labels: list[str]) -> None:
    names: list[str] = []
    for label in labels:
        names.append(role_name(label, names))
    roles = tuple(Role(name=name) for name in names)
    SchemaLibrary(events=(EventType(id="e", name="Attack", roles=roles),))


@given(LABELS, LABELS, IDS)
@example("\u4eba", "\u4eba", "q")
@example("3 d", "3", "d")
def test_a_role_never_has_the_name_of_a_class(role: str, label: str, id: str) -> None:
    plain = class_name(label, id)
    assert role_name(role) not in (plain, class_name(label, id, {plain}))


@given(LABELS, IDS)
def test_a_name_does_not_depend_on_names_unlike_it(label: str, id: str) -> None:
    assert class_name(label, id, {"Zebra99"}) == class_name(label, id)


@given(LABELS, IDS, st.lists(LABELS))
def test_a_name_is_free_whatever_is_taken(label: str, id: str, others: list[str]) -> None:
    taken: list[str] = []
    for _ in range(4):
        taken.append(class_name(label, id, taken))
    assert len(set(taken)) == 4
    assert all(map(is_class_name, taken))


def test_a_taken_name_gets_the_id() -> None:
    assert class_name("city", "Q515", {"City"}) == "City_Q515"
    assert class_name("city", "Q515", {"City", "City_Q515"}) == "City_Q5152"
    assert class_name("event", "Q1", {"Event_"}) == "Event_Q1"
    assert class_name("city", "http://schema.org/City", {"City"}) == "City_cb6ccdaf0b9a"


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("human settlement", "HumanSettlement"),
        ("DNA", "Dna"),
        ("BornIn", "BornIn"),
        ("driver's license", "DriversLicense"),
        ("3D film", "_3dFilm"),
        ("event", "Event_"),
        ("True", "True_"),
        ("\u4eba\u7269", "\u4eba\u7269"),
        ("--", "Unnamed"),
        ("\U0001f600 smile", "Smile"),
        ("\u0645\u062f\u064a\u0646\u0629", "\u0645\u062f\u064a\u0646\u0629"),
    ],
)
def test_class_name(label: str, name: str) -> None:
    assert class_name(label) == name


def test_what_has_no_letters_is_named_by_its_id() -> None:
    assert class_name("\U0001f600", "Q42") == "Q42"


@pytest.mark.parametrize(
    ("label", "name"),
    [
        ("start date", "start_date"),
        ("from", "from_"),
        ("Agent", "agent"),
        ("trigger", "trigger_"),
        ("type", "type"),
        ("list", "list_"),
        ("\u5730\u70b9", "\u5730\u70b9_"),
    ],
)
def test_role_name(label: str, name: str) -> None:
    assert role_name(label) == name
