"""The matrices of the report."""

from __future__ import annotations

from hypothesis import given, settings

from knowcoder.corpus.sentence import Annotations, Mention
from knowcoder.score.confusion import confused_classes, kinds_by_class
from knowcoder.score.match import join
from knowcoder.score.metrics import measure
from knowcoder.score.mistakes import find_mistakes
from tests.score.strategies import LABELS, predict, sentence, systems


@settings(max_examples=40)
@given(systems())
def test_each_cell_counts_the_mistakes_of_its_class_and_kind(case) -> None:
    mistakes = find_mistakes(join(*case, LABELS))
    found = kinds_by_class(mistakes, "NER")
    for (name, kind), count in found.counts.items():
        fitting = [m for m in mistakes if (m.task, m.kind) == ("NER", kind)]
        assert count == sum(name in {item.type for item in (m.gold, m.predicted) if item} for m in fitting)
    assert found.hidden == 0


def test_rows_are_gold_columns_are_answers_and_the_diagonal_is_right() -> None:
    gold = [sentence(i, Annotations((Mention("Human", "Ana"),))) for i in range(5)]
    said = [line for i in range(5) for line in predict(i, Annotations((Mention("City" if i < 2 else "Human", "Ana"),)))]
    examples = join(gold, said, LABELS, tasks=["NER"])
    mistakes = find_mistakes(examples)
    classes = measure(gold, examples, mistakes).tasks["NER"].by_class
    found = confused_classes(mistakes, "NER", classes)
    assert found.rows == found.columns == ("City", "Human")
    assert found.counts == {("Human", "City"): 2, ("Human", "Human"): 3, ("City", "City"): 0}
