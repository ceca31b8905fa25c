"""Gold as its own prediction scores exactly one, for every corpus at hand and under every column."""

from __future__ import annotations

from pathlib import Path

import pytest

from knowcoder.corpus.benchmark import read_benchmark
from knowcoder.schema.concepts import TASKS
from knowcoder.score.match import of_task
from knowcoder.score.metrics import score
from knowcoder.score.prediction import Prediction
from knowcoder.score.profiles import PROFILES
from knowcoder.score.relax import Context

CORPORA = (
    *("crossner-ai", "crossner-literature", "crossner-music", "crossner-politics", "crossner-science"),
    *("weibo-ner", "conll04", "wikievents", "phee", "text2kg"),
)


@pytest.mark.parametrize("name", CORPORA)
def test_gold_scores_exactly_one(name: str, data_root: Path) -> None:
    corpus = read_benchmark(name, data_root)
    for sentences in corpus.splits.values():
        gold = sentences[:400]
        answers = [
            Prediction(id=sentence.id, task=task, annotations=of_task(sentence.annotations, task))
            for sentence in gold
            for task in TASKS
            if task in sentence.tasks
        ]
        metrics = score(gold, answers, corpus.labels, context=Context(profiles=tuple(PROFILES.values())))
        found = 0
        for task in metrics.tasks.values():
            scores = task.columns | {profile: one.score for profile, one in task.profiles.items()}
            # What the sentence does not spell as gold does, or says of a mention and itself, profiles drop.
            exact = {name: one for name, one in scores.items() if name not in ("text_filter", *PROFILES)}
            assert {(one.f1, one.fp, one.fn) for one in exact.values()} == {(1.0, 0, 0)}
            assert {one.fp for one in scores.values()} == {0}
            found += task.columns["strict"].tp
        assert found == metrics.overall.tp > 0
