"""The numbers: what must hold of them for any gold and any predictions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowcoder.corpus.sentence import Annotations, Mention, Relation
from knowcoder.errors import DataError
from knowcoder.schema.concepts import TASKS
from knowcoder.score.bootstrap import f1_of
from knowcoder.score.compare import compare
from knowcoder.score.match import join
from knowcoder.score.metrics import score
from tests.score.strategies import LABELS, annotations, predict, sentence, systems

few = settings(max_examples=60, deadline=None)
ana, bo = Mention("Human", "Ana"), Mention("Human", "Bo")


@few
@given(systems())
def test_every_score_lies_between_zero_and_one_and_so_does_its_interval(case) -> None:
    gold, predictions = case
    for task in score(gold, predictions, LABELS).tasks.values():
        for one in (*task.columns.values(), *task.by_class.values(), *task.by_source.values()):
            assert 0 <= one.precision <= 1
            assert 0 <= one.recall <= 1
            assert 0 <= one.f1 <= 1
            assert 0 <= one.interval[0] <= one.interval[1] <= 1


@few
@given(st.lists(annotations, min_size=1, max_size=5))
def test_gold_against_gold_is_one_in_every_column(found) -> None:
    gold = [sentence(i, one) for i, one in enumerate(found)]
    metrics = score(gold, [line for i, one in enumerate(found) for line in predict(i, one)], LABELS)
    assert list(metrics.tasks) == list(TASKS)
    for task in metrics.tasks.values():
        # The text filter drops what the sentence does not say, even where gold says it.
        scores = [one for name, one in task.columns.items() if name != "text_filter"]
        assert {(s.f1, s.fp, s.fn, s.interval) for s in scores} == {(1.0, 0, 0, (1.0, 1.0))}
        assert task.columns["text_filter"].fp == 0
        assert task.macro.f1 == task.macro_sources.f1 == 1.0


@few
@given(systems(), st.randoms(use_true_random=False))
def test_order_of_sentences_predictions_and_answers_does_not_matter(case, random) -> None:
    gold, predictions = case
    shuffled = [random.sample(gold, len(gold)), random.sample(predictions, len(predictions))]
    assert score(*shuffled, LABELS) == score(gold, predictions, LABELS)


@few
@given(systems())
def test_classes_sources_and_groups_each_add_up_to_the_task(case) -> None:
    gold, predictions = case
    for task in score(gold, predictions, LABELS).tasks.values():
        whole = task.columns["strict"]
        for parts in (task.by_class, task.by_source, task.by_group):
            for count in ("tp", "fp", "fn"):
                assert sum(getattr(part, count) for part in parts.values()) == getattr(whole, count)


@few
@given(systems(), st.integers(0, 4))
def test_a_wrong_answer_more_never_raises_precision(case, place) -> None:
    gold, predictions = case
    place = 4 * (place % len(gold))  # the NER prediction of one sentence
    before = score(gold, predictions, LABELS).tasks["NER"].columns["strict"]
    entities = (*predictions[place].annotations.entities, Mention("Human", "nobody"))
    predictions[place] = predict(place // 4, Annotations(entities=entities))[0]
    after = score(gold, predictions, LABELS).tasks["NER"].columns["strict"]
    assert after.precision <= before.precision
    assert (after.tp, after.fp) == (before.tp, before.fp + 1)


def test_three_copies_of_one_right_answer_are_one_right_and_two_wrong() -> None:
    metrics = score([sentence(0, Annotations((ana,)))], predict(0, Annotations((ana,) * 3)), LABELS)
    columns = metrics.tasks["NER"].columns
    for name in ("strict", "strict_offsets", "identification"):
        assert (columns[name].tp, columns[name].fp, columns[name].fn) == (1, 2, 0)
    assert (columns["distinct"].tp, columns["distinct"].fp) == (1, 0)


def test_scores_follow_from_the_counts() -> None:
    gold = [sentence(0, Annotations((ana, bo))), sentence(1, Annotations((ana,)))]
    guesses = [*predict(0, Annotations((ana, Mention("City", "Bo")))), *predict(1, Annotations())]
    ner = score(gold, guesses, LABELS, tasks=["NER"]).tasks["NER"]
    strict = ner.columns["strict"]
    assert (strict.tp, strict.fp, strict.fn) == (1, 1, 2)
    assert (strict.precision, strict.recall, strict.f1) == (1 / 2, 1 / 3, 2 / 5)
    assert ner.columns["identification"].tp == 2
    assert ner.macro.over == 2  # City occurs in the predictions alone, and counts as a class of F1 0
    assert ner.macro.f1 == pytest.approx((1 / 2 + 0) / 2)


def test_the_interval_is_that_of_resampled_sentences() -> None:
    gold = [sentence(i, Annotations((ana,))) for i in range(100)]
    guesses = [line for i in range(100) for line in predict(i, Annotations((ana,) if i < 60 else (bo,)))]
    low, high = score(gold, guesses, LABELS).tasks["NER"].columns["strict"].interval
    drawn = np.random.default_rng(7).binomial(100, 0.6, 100_000) / 100  # here F1 is the share of right sentences
    assert (low, high) == pytest.approx(np.quantile(drawn, [0.025, 0.975]), abs=0.02)


def test_entity_types_of_relations_are_scored_only_where_answers_name_them() -> None:
    gold = Annotations(relations=(Relation("Firm", ana, bo),))
    bare = Annotations(relations=(Relation("Firm", Mention("Entity", "Ana"), Mention("Entity", "Bo")),))
    for said, stands in ((gold, True), (bare, False), (Annotations(), True)):
        columns = score([sentence(0, gold)], predict(0, said), LABELS).tasks["RE"].columns
        assert ("entity_types" in columns) == stands


def test_a_class_that_is_always_wrong_has_no_interval_above_zero() -> None:
    gold = [sentence(i, Annotations((ana,) if i else (Mention("City", "Oslo"),))) for i in range(20)]
    guesses = [line for i in range(20) for line in predict(i, Annotations((ana,) if i else ()))]
    classes = score(gold, guesses, LABELS).tasks["NER"].by_class
    assert (classes["City"].f1, classes["City"].interval) == (0.0, (0.0, 0.0))
    assert classes["Human"].interval == (1.0, 1.0)


@few
@given(systems())
def test_tasks_add_up_to_the_whole_and_its_macro_is_their_mean(case) -> None:
    metrics = score(*case, LABELS)
    for count in ("tp", "fp", "fn"):
        parts = [getattr(task.columns["strict"], count) for task in metrics.tasks.values()]
        assert getattr(metrics.overall, count) == sum(parts)
    assert metrics.macro.f1 == pytest.approx(np.mean([t.columns["strict"].f1 for t in metrics.tasks.values()]))


def test_a_task_without_gold_and_without_predictions_is_complete() -> None:
    assert f1_of(np.array([[0, 0, 0], [0, 1, 0], [1, 1, 0]])).tolist() == [1.0, 0.0, 2 / 3]


def test_comparison_of_a_system_with_itself_and_with_a_better_one() -> None:
    gold = [sentence(i, Annotations((ana,))) for i in range(60)]
    good = join(gold, [line for i in range(60) for line in predict(i, Annotations((ana,)))], LABELS)
    half = join(gold, [line for i in range(60) for line in predict(i, Annotations((ana if i % 2 else bo,)))], LABELS)
    same = compare(half, half)["NER"]
    assert (same.difference, same.interval, same.p_value) == (0.0, (0.0, 0.0), 1.0)
    better = compare(half, good)["NER"]
    assert better.difference == pytest.approx(0.5)
    assert better.interval[0] > 0.3
    assert better.p_value < 0.01
    with pytest.raises(DataError, match="same corpus"):
        compare(half[1:], good)
