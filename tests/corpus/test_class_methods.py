"""Rules of types on annotations: what they change, what they leave out, and that all else stays."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from knowcoder.corpus.alignment import align
from knowcoder.corpus.class_methods import apply_rules, rules_of
from knowcoder.corpus.sentence import Annotations, Argument, Event, Mention, Relation
from knowcoder.schema.concepts import EntityType, EventType, RelationType
from knowcoder.schema.library import SchemaLibrary

LIBRARY = SchemaLibrary(
    (
        EntityType(id="firm", name="Firm", rules=("cut_at:such as", "drop_pronouns")),
        EntityType(id="bank", name="Bank", parent="firm", rules=("append:bank",)),
        EntityType(id="city", name="City"),
    ),
    (RelationType(id="in", name="In", rules=("drop_pronouns",)), RelationType(id="owns", name="Owns")),
    (EventType(id="sale", name="Sale", rules=("cut_at:as",)),),
)
RULES = rules_of(LIBRARY)
TEXT = "It sold 2 banks such as Zed and 2 bank shares as they fell in Oslo."


def test_a_type_has_its_own_rules_and_those_of_its_ancestors() -> None:
    assert RULES == {
        "Firm": ("cut_at:such as", "drop_pronouns"),
        "Bank": ("append:bank", "cut_at:such as", "drop_pronouns"),
        "In": ("drop_pronouns",),
        "Sale": ("cut_at:as",),
    }


def test_mentions_are_finished_wherever_they_stand_and_offsets_follow() -> None:
    zed, it, oslo = Mention("Firm", "2 banks such as Zed"), Mention("Firm", "It"), Mention("City", "Oslo")
    sold = Mention("Sale", "shares as they")
    arguments = (Argument("what", zed), Argument("who", it), Argument("where", oslo))
    found = apply_rules(
        RULES,
        TEXT,
        Annotations(
            (zed, it, oslo, Mention("Bank", "2", 32, 33)),
            (Relation("Owns", zed, oslo), Relation("Owns", oslo, it), Relation("In", Mention("Entity", "they"), oslo)),
            (Event("Sale", sold, arguments), Event("Sale", None, arguments[2:])),
        ),
    )
    banks, place = Mention("Firm", "2 banks", 8, 15), Mention("City", "Oslo", 62, 66)
    assert found == Annotations(
        (banks, place, Mention("Bank", "2 bank", 32, 38)),
        (Relation("Owns", banks, place),),
        (
            Event("Sale", Mention("Sale", "shares", 39, 45), (Argument("what", banks), Argument("where", place))),
            Event("Sale", None, (Argument("where", place),)),
        ),
    )


pieces = st.sampled_from(["It", "2", "2 banks such as Zed", "Oslo", "they", "not there such as this", "as"])
mentions = st.builds(Mention, st.sampled_from(["Firm", "Bank", "City", "Entity"]), pieces)


@given(
    st.lists(mentions).map(tuple), st.lists(st.builds(Relation, st.sampled_from(["In", "Owns"]), mentions, mentions))
)
def test_what_is_finished_stands_in_the_text_and_a_type_without_rules_keeps_all(entities, relations) -> None:
    given_ones = Annotations(entities, tuple(relations))
    found = apply_rules(RULES, TEXT, given_ones)
    kept = [*found.entities, *(mention for relation in found.relations for mention in (relation.head, relation.tail))]
    assert all(mention.start is None or TEXT[mention.start : mention.end] == mention.text for mention in kept)
    plain = ("City", "Entity")
    assert [m for m in found.entities if m.type in plain] == [
        m for m in align(given_ones, TEXT).entities if m.type in plain
    ]
    assert apply_rules({}, TEXT, given_ones) is given_ones
