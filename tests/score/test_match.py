"""Which predictions meet which gold, and what is refused."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from knowcoder.corpus.sentence import Annotations, Argument, Event, Mention, Relation
from knowcoder.errors import DataError
from knowcoder.score.match import COLUMNS, join, pair
from tests.score.strategies import LABELS, predict, sentence

_triggers = st.sampled_from([None, "x", "y"])
_keys = st.lists(st.tuples(st.sampled_from("AB"), _triggers, st.just("role"), st.just("p")), max_size=3)


def _fit(one: tuple, other: tuple) -> bool:
    return (one[0], *one[2:]) == (other[0], *other[2:]) and (None in (one[1], other[1]) or one[1] == other[1])


@settings(max_examples=100, deadline=None)
@given(_keys, _keys)
def test_arguments_pair_one_to_one_and_as_many_as_can(gold, predicted) -> None:
    partners = pair(gold, predicted, "EAE")
    used = [partner for partner in partners if partner >= 0]
    assert len(set(used)) == len(used)
    assert all(_fit(gold[g], predicted[p]) for p, g in enumerate(partners) if g >= 0)
    slots = [*gold, *[("", None, "", "")] * len(predicted)]  # a predicted key may also stay alone
    orders = permutations(slots, len(predicted))
    assert len(used) == max(sum(map(_fit, order, predicted)) for order in orders)


def test_the_trigger_ties_an_argument_to_its_event() -> None:
    def event(trigger: str | None) -> Annotations:
        mention = Mention("Firm", trigger) if trigger else None
        return Annotations(events=(Event("Firm", mention, (Argument("agent", Mention("Human", "Ana")),)),))

    rule = COLUMNS["EAE"]["strict"]
    assert pair(rule(event("met")), rule(event("met")), "EAE") == [0]
    assert pair(rule(event("met")), rule(event("paid")), "EAE") == [-1]
    assert pair(rule(event("met")), rule(event(None)), "EAE") == [0]


def test_columns_of_relations() -> None:
    human, city, oslo = Mention("Human", "Ana"), Mention("City", "Ana"), Mention("City", "Oslo")
    gold = Annotations(relations=(Relation("Firm", human, oslo),))
    other = Annotations(relations=(Relation("Firm", city, oslo),))
    typed = {name: pair(rule(gold), rule(other), "RE") for name, rule in COLUMNS["RE"].items()}
    assert typed == {"strict": [0], "strict_offsets": [0], "identification": [0], "entity_types": [-1]}


def test_predictions_are_matched_by_id_never_by_place() -> None:
    gold = [sentence(0, Annotations()), sentence(1, Annotations())]
    with pytest.raises(DataError, match="none for sentence 's1'"):
        join(gold, predict(0, Annotations()), LABELS)
    with pytest.raises(DataError, match="no gold sentence has the id 's7'"):
        join(gold, [*predict(0, Annotations()), *predict(1, Annotations()), *predict(7, Annotations())], LABELS)
    with pytest.raises(DataError, match="'s0 \\(NER\\)' stand more than once"):
        join(gold, predict(0, Annotations())[:1] * 2, LABELS)
    with pytest.raises(DataError, match="'s0' stand more than once"):
        join(gold[:1] * 2, predict(0, Annotations()), LABELS)
    with pytest.raises(DataError, match="source 'one' has no label set"):
        join(gold[:1], predict(0, Annotations()), {})


def test_a_task_that_is_not_annotated_is_not_scored() -> None:
    gold = [replace(sentence(0, Annotations()), tasks=("NER",))]
    assert [example.task for example in join(gold, predict(0, Annotations()), LABELS)] == ["NER"]


def test_gold_is_cut_to_the_label_set_and_predictions_are_not() -> None:
    foreign = Annotations((Mention("Ship", "Oslo"), Mention("Human", "Ana")))
    example = join([sentence(0, foreign)], predict(0, foreign), LABELS)[0]
    assert [mention.type for mention in example.gold.entities] == ["Human"]
    assert [mention.type for mention in example.predicted.entities] == ["Ship", "Human"]
    assert example.outside == 1
