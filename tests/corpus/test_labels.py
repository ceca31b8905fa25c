"""Labels: each means one class, classes made of labels are told apart, and a library's are found by all their words."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowcoder.corpus.labels import Classes, EventClass, RelationClass, classes_of, relation_classes
from knowcoder.corpus.reading import Unusable
from knowcoder.schema.concepts import EntityType, EventType, RelationType, Role
from knowcoder.schema.library import SchemaLibrary

LABELS = st.one_of(st.sampled_from(["per", "Per", "PER", "per-son", "person", "", "class", "Entity"]), st.text())


@settings(max_examples=40)
@given(st.lists(st.tuples(st.sampled_from(["entity", "relation", "event"]), LABELS)))
def test_open_classes_are_names_of_their_own(asked: list[tuple[str, str]]) -> None:
    classes = Classes(open=True)

    def name(kind: str, label: str) -> str:
        found: str | RelationClass | EventClass = getattr(classes, kind)(label)
        return found if isinstance(found, str) else found.name

    names = {(kind, label): name(kind, label) for kind, label in asked}
    assert len(set(names.values())) == len(names)
    assert all(made.isidentifier() for made in names.values())
    assert names == {(kind, label): name(kind, label) for kind, label in reversed(asked)}


@settings(max_examples=40)
@given(st.lists(LABELS))
def test_open_roles_are_names_of_their_own(labels: list[str]) -> None:
    classes, event = Classes(open=True), EventClass("Meet")
    names = {label: classes.role(event, label) for label in labels}
    assert len(set(names.values())) == len(names)
    assert names == {label: classes.role(event, label) for label in labels}


def test_what_has_no_class_says_why() -> None:
    classes = Classes({"per": "Person", "misc": "Other"}, left_out=frozenset({"misc"}))
    assert classes.entity("per") == "Person"
    for label, reason in (
        ("misc", "label left out"),
        ("loc", "label without a class"),
        ("Per", "label without a class"),
    ):
        with pytest.raises(Unusable, match=reason):
            classes.entity(label)
    with pytest.raises(Unusable, match="role without a name"):
        classes.role(EventClass("Meet", {"who": "who"}), "whom")


LIBRARY = SchemaLibrary(
    (
        EntityType(id="Q5", name="Human", label="human being", aliases=("person", "City")),
        EntityType(id="Q515", name="City", label="big town"),
    ),
    (
        RelationType(id="P1", name="LivesIn", label="lives in", head=("Q5",), tail=("Q5", "Q515")),
        RelationType(id="P2", name="Near", label="lives in"),
    ),
    (EventType(id="E1", name="Meet", label="lives in", roles=(Role(name="point_in_time"), Role(name="from_"))),),
)


def test_classes_of_a_library_are_found_by_every_word_in_any_case() -> None:
    classes = classes_of(LIBRARY)
    assert {classes.entity(word) for word in ("Human", "q5", "HUMAN BEING", "Person")} == {"Human"}
    assert {classes.entity(word) for word in ("city", "Big Town")} == {"City"}  # a name goes before another's alias
    assert classes.relation("Lives In") == RelationClass("LivesIn", "Human", "Entity")  # several hints say none
    assert classes.relation("near") == RelationClass("Near")
    event = classes.event("lives in")
    assert event.name == "Meet"
    assert {classes.role(event, word) for word in ("point_in_time", "Point in time", "point-in-time")} == {
        "point_in_time"
    }
    assert classes.role(event, "from") == "from_"
    with pytest.raises(Unusable, match="role without a name"):
        classes.role(event, "place")


def test_relations_are_found_by_id_and_the_first_by_its_label() -> None:
    known = relation_classes(LIBRARY)
    assert known == {"P1": known["lives in"], "lives in": known["P1"], "P2": RelationClass("Near")}
