"""Every error is told once, by its kind, with offsets that spell it."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from knowcoder.corpus.sentence import Annotations, Argument, Event, Mention, Relation
from knowcoder.score.match import join
from knowcoder.score.metrics import measure
from knowcoder.score.mistakes import KINDS, count_mistakes, find_mistakes
from tests.score.strategies import LABELS, TEXT, predict, sentence, systems

ana, bo, oslo = Mention("Human", "Ana"), Mention("Human", "Bo"), Mention("City", "Oslo")


@settings(max_examples=80, deadline=None)
@given(systems())
def test_each_false_positive_and_each_false_negative_stands_in_one_mistake(case) -> None:
    gold, predictions = case
    examples = join(gold, predictions, LABELS)
    mistakes = find_mistakes(examples)
    for task, numbers in measure(gold, examples, mistakes).tasks.items():
        strict = numbers.columns["strict"]
        assert sum(m.predicted is not None for m in mistakes if m.task == task) == strict.fp
        assert sum(m.gold is not None for m in mistakes if m.task == task) == strict.fn
        assert numbers.mistakes == count_mistakes(mistakes).get(task, {})
        assert sum(numbers.mistakes.values()) == sum(m.task == task for m in mistakes)


@settings(max_examples=60, deadline=None)
@given(systems())
def test_offsets_spell_the_text(case) -> None:
    for mistake in find_mistakes(join(*case, LABELS)):
        for item in (mistake.gold, mistake.predicted):
            for part in item.parts if item else ():
                inside = part.text in TEXT
                assert (part.start is not None) == inside
                assert not inside or TEXT[part.start : part.end] == part.text


def _entities(*mentions: Mention) -> Annotations:
    return Annotations(entities=mentions)


def _relation(kind: str, head: Mention, tail: Mention) -> Annotations:
    return Annotations(relations=(Relation(kind, head, tail),))


def _event(kind: str, trigger: str, *arguments: tuple[str, Mention]) -> Annotations:
    return Annotations(events=(Event(kind, Mention(kind, trigger), tuple(Argument(*a) for a in arguments)),))


def _longer(mention: Mention) -> Mention:
    return Mention(mention.type, f"{mention.text} in Oslo")


@pytest.mark.parametrize(
    ("task", "gold", "predicted", "kinds"),
    [
        ("NER", _entities(bo), _entities(_longer(bo)), ["boundary"]),
        ("NER", _entities(bo), _entities(Mention("City", "Bo")), ["type"]),
        ("NER", _entities(bo), _entities(bo, bo), ["duplicate"]),
        ("NER", _entities(bo), _entities(Mention("Ship", "Bo")), ["unknown class", "missed"]),
        ("NER", _entities(), _entities(Mention("City", "Rome")), ["not in text"]),
        ("NER", _entities(bo), _entities(oslo), ["spurious", "missed"]),
        ("RE", _relation("Firm", ana, oslo), _relation("Firm", oslo, ana), ["wrong role"]),
        ("RE", _relation("Firm", ana, oslo), _relation("City", ana, oslo), ["type"]),
        ("RE", _relation("Firm", bo, oslo), _relation("Firm", _longer(bo), oslo), ["boundary"]),
        ("RE", _relation("Firm", ana, oslo), _relation("Firm", ana, bo), ["spurious", "missed"]),
        ("ED", _event("Firm", "met"), _event("City", "met"), ["type"]),
        ("EAE", _event("Firm", "met", ("agent", ana)), _event("Firm", "met", ("place", ana)), ["wrong role"]),
        ("EAE", _event("Firm", "met", ("agent", bo)), _event("Firm", "met", ("agent", _longer(bo))), ["boundary"]),
        ("EAE", _event("Firm", "met", ("agent", bo)), _event("Firm", "met"), ["missed"]),
    ],
)
def test_kinds(task, gold, predicted, kinds) -> None:
    examples = join([sentence(0, gold)], predict(0, predicted), LABELS, tasks=[task])
    found = find_mistakes(examples)
    assert [mistake.kind for mistake in found] == kinds
    assert set(kinds) <= set(KINDS)


def test_a_problem_of_the_parser_is_told_in_its_words() -> None:
    examples = join([sentence(0, _entities(bo))], predict(0, _entities(bo), ("cut off",)), LABELS, tasks=["NER"])
    assert [(m.kind, m.detail, m.gold, m.predicted) for m in find_mistakes(examples)] == [
        ("unparsable", "cut off", None, None)
    ]
