"""Whatever the labels are, the names that they get can stand in one library."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowcoder.schema.concepts import EntityType, EventType, Role
from knowcoder.schema.library import SchemaLibrary
from knowcoder.schema.naming import class_name, role_name

LABELS = st.one_of(st.text(max_size=12), st.sampled_from(["city", "City", "ci ty", "city2", "event", "None", "from"]))


@given(st.lists(LABELS, max_size=12))
def test_class_names_make_a_library(labels: list[str]) -> None:
    names: list[str] = []
    for label in labels:
        names.append(class_name(label, names))
    SchemaLibrary(tuple(EntityType(id=name, name=name) for name in names))
    assert not {"Entity", "Relation", "Event"} & set(names)


@given(st.lists(LABELS, max_size=12))
def test_role_names_make_an_event(labels: list[str]) -> None:
    names: list[str] = []
    for label in labels:
        names.append(role_name(label, names))
    roles = tuple(Role(name=name) for name in names)
    SchemaLibrary(events=(EventType(id="e", name="Attack", roles=roles),))


@given(LABELS)
def test_a_name_does_not_depend_on_names_unlike_it(label: str) -> None:
    assert class_name(label, {"Zebra99"}) == class_name(label)


def test_a_taken_name_is_numbered() -> None:
    assert class_name("city", {"City"}) == "City2"
    assert class_name("city", {"City", "City2"}) == "City3"
    assert class_name("event", {"Event_"}) == "Event2"


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
    ],
)
def test_class_name(label: str, name: str) -> None:
    assert class_name(label) == name


@pytest.mark.parametrize(
    ("label", "name"), [("start date", "start_date"), ("from", "from_"), ("Agent", "agent"), ("trigger", "trigger_")]
)
def test_role_name(label: str, name: str) -> None:
    assert role_name(label) == name
