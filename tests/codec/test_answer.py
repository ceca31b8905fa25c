"""Answers name the offered classes' annotations, in order of appearance, in the classes that the hints allow."""

from __future__ import annotations

import pytest
from codec_example import ADA, ANNOTATIONS, BOMBED, CLASSES, LIBRARY, LONDON

from knowcoder.codec.answer import build_answer
from knowcoder.corpus.sentence import Annotations, Argument, Event, Mention, Relation
from knowcoder.errors import DataError
from knowcoder.schema.render import Style


def test_only_offered_classes_in_order_of_appearance() -> None:
    assert build_answer("NER", ANNOTATIONS, CLASSES["NER"], LIBRARY, Style()) == (
        'results = [\n    Poet("Ada \\"A\\" Byron"),\n    City("London"),\n]'
    )
    assert build_answer("NER", ANNOTATIONS, ["City"], LIBRARY, Style()) == 'results = [\n    City("London"),\n]'
    assert build_answer("NER", ANNOTATIONS, ["Place"], LIBRARY, Style()) == "results = []"


def test_mentions_without_offsets_stay_where_they_are_given() -> None:
    mentions = (Mention("City", "b", 5, 6), Mention("City", "c"), Mention("City", "a", 1, 2), Mention("City", "d"))
    answer = build_answer("NER", Annotations(mentions), ["City"], LIBRARY, Style())
    assert [line[10:-3] for line in answer.splitlines()[1:-1]] == ["a", "d", "b", "c"]


@pytest.mark.parametrize(
    ("relation", "tail_type", "written"),
    [
        ("BornIn", "City", "Settlement"),
        ("BornIn", "Settlement", "Settlement"),
        ("BornIn", "Place", "Place"),
        ("BornIn", "Poet", "Entity"),
        ("BornIn", "Entity", "Entity"),
        ("BornIn", "never heard of", "Entity"),
        ("BornInCity", "City", "City"),
        ("BornInCity", "Settlement", "Entity"),
        ("Knows", "City", "Entity"),
    ],
)
def test_an_argument_has_the_nearest_hinted_class(relation: str, tail_type: str, written: str) -> None:
    found = Annotations(relations=(Relation(relation, ADA, Mention(tail_type, "x")),))
    assert f', {written}("x"))' in build_answer("RE", found, [relation], LIBRARY, Style())


def test_events_carry_arguments_only_where_they_are_asked_for() -> None:
    detected = build_answer("ED", ANNOTATIONS, ["Attack"], LIBRARY, Style())
    assert detected == 'results = [\n    Attack("bombed"),\n]'
    nothing_known = Annotations(events=(Event("Attack", None, (Argument("place", LONDON),)),))
    answer = build_answer("EAE", nothing_known, ["Attack"], LIBRARY, Style())
    assert answer == 'results = [\n    Attack(place=[Settlement("London")]),\n]'


def test_an_undeclared_role_is_refused() -> None:
    found = Annotations(events=(Event("Attack", BOMBED, (Argument("mood", ADA),)),))
    with pytest.raises(DataError, match="'mood'"):
        build_answer("EAE", found, ["Attack"], LIBRARY, Style())


def test_an_annotation_of_the_wrong_kind_is_refused() -> None:
    with pytest.raises(DataError, match="'City' is no relation"):
        build_answer("RE", Annotations(relations=(Relation("City", ADA, LONDON),)), ["City"], LIBRARY, Style())
    with pytest.raises(DataError, match="'City' is no event"):
        build_answer("EAE", Annotations(events=(Event("City", BOMBED),)), ["City"], LIBRARY, Style())


def test_the_released_dialect_quotes_raw_and_keeps_the_order_given() -> None:
    style = Style(dialect="released")
    assert build_answer("NER", ANNOTATIONS, CLASSES["NER"], LIBRARY, style) == (
        'results = [\n\tCity("London"),\n\tPoet("Ada "A" Byron")\n]'
    )
    assert build_answer("EAE", ANNOTATIONS, ["Attack"], LIBRARY, style) == (
        'results = [\n\tAttack(trigger = "bombed", attacker = [Human("Ada "A" Byron")], '
        'place = [Settlement("London")], from = [Entity("London")])\n]'
    )
