"""Precision, recall and F1 from matched examples: micro and macro, by source, group and class, with intervals.

Every score keeps its counts, which add up: the classes, the sources and the groups of a task each sum to the
task's own true positives, false positives and false negatives. Intervals are percentile bootstraps over
sentences. Resampling draws how often each distinct row of counts occurs, which is the same as drawing the
sentences themselves and makes 1,000 resamples of any corpus cheap.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from knowcoder.corpus.class_methods import Rules
from knowcoder.corpus.sentence import LabelSet, Sentence
from knowcoder.errors import DataError
from knowcoder.schema.concepts import TASKS, Task
from knowcoder.score.match import COLUMNS, Example, Key, join, pair
from knowcoder.score.mistakes import Kind, Mistake, count_mistakes, find_mistakes
from knowcoder.score.prediction import Prediction

Counts = npt.NDArray[np.int64]  # (sentences, 3): true positives, false positives, false negatives
RESAMPLES = 1000
CONFIDENCE = 0.95


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Counts and what follows from them. ``interval`` is the 95 % bootstrap interval of F1 over sentences.

    Where there is nothing to find and nothing was found, all three are 1; else 0/0 is 0.
    """

    tp: int
    fp: int
    fn: int
    precision: float
    recall: float
    f1: float
    interval: tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Macro:
    """The mean over classes (or sources) that occur in gold or in the predictions."""

    precision: float
    recall: float
    f1: float
    over: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskMetrics:
    """The scores of one task.

    Attributes:
        sentences: how many were scored.
        outside_labels: gold items left out because their class is not in the label set of their source.
        problems: predictions whose answers did not parse without a problem.
        columns: rule of matching -> micro score; ``strict`` is the headline. ``class_methods``, strict after
            the rules of the library have finished the predictions, stands only where a class has a rule.
        macro, macro_sources: mean of the strict scores of classes, of sources.
        by_source, by_group, by_class: strict scores of parts of the task.
        mistakes: how many of each kind ``errors.jsonl`` holds.
    """

    sentences: int
    outside_labels: int
    problems: int
    columns: dict[str, Score]
    macro: Macro
    macro_sources: Macro
    by_source: dict[str, Score]
    by_group: dict[str, Score]
    by_class: dict[str, Score]
    mistakes: dict[Kind, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Metrics:
    """All that ``score`` measures on one set of predictions.

    Attributes:
        sentences: gold sentences given; each task says how many of them it scored.
        not_predicted: tasks that gold annotates and the predictions do not have.
    """

    sentences: int
    tasks: dict[Task, TaskMetrics]
    not_predicted: tuple[Task, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Strict F1 of two systems on the same sentences, by paired bootstrap.

    Attributes:
        difference: second minus first, with its 95 % interval.
        p_value: two-sided: twice the share of resamples in which the sign is the other one (at least
            1 / (resamples + 1)).
    """

    first: float
    second: float
    difference: float
    interval: tuple[float, float]
    p_value: float


@dataclass(slots=True)
class Tally:
    """The counts of one task, sentence by sentence.

    Attributes:
        columns: column -> counts of each example, in the order of the examples.
        classes: class -> {index of example: [tp, fp, fn]} under ``strict``; most sentences lack most classes.
    """

    examples: list[Example]
    columns: dict[str, Counts]
    classes: dict[str, dict[int, list[int]]]


def score(
    gold: Sequence[Sentence],
    predictions: Iterable[Prediction],
    labels: Mapping[str, LabelSet],
    tasks: Sequence[Task] | None = None,
    seed: int = 1,
    rules: Rules | None = None,
) -> Metrics:
    """Score predictions against gold; see :func:`knowcoder.score.match.join` for what is matched to what."""
    examples = join(gold, predictions, labels, tasks, rules)
    return measure(gold, examples, find_mistakes(examples), seed)


def measure(
    gold: Sequence[Sentence], examples: Sequence[Example], mistakes: Sequence[Mistake], seed: int = 1
) -> Metrics:
    """The metrics of examples that :func:`knowcoder.score.match.join` made of ``gold``, and of their mistakes."""
    tallies, kinds = tally(examples), count_mistakes(mistakes)
    annotated = {task for sentence in gold for task in sentence.tasks}
    return Metrics(
        sentences=len(gold),
        tasks={task: _task_metrics(counted, kinds.get(task, {}), seed) for task, counted in tallies.items()},
        not_predicted=tuple(task for task in TASKS if task in annotated and task not in tallies),
    )


def tally(examples: Sequence[Example]) -> dict[Task, Tally]:
    """Count true and false positives and false negatives of every example under every column."""
    by_task: dict[Task, list[Example]] = {}
    for example in examples:
        by_task.setdefault(example.task, []).append(example)
    return {task: _tally_task(task, by_task[task]) for task in TASKS if task in by_task}


def _tally_task(task: Task, examples: list[Example]) -> Tally:
    rules = COLUMNS[task]
    rows: dict[str, list[tuple[int, int, int]]] = {name: [] for name in (*rules, "distinct")}
    classes: dict[str, dict[int, list[int]]] = {}
    for index, example in enumerate(examples):
        for name, rule in rules.items():
            gold, predicted = rule(example.gold), rule(example.predicted)
            partners = pair(gold, predicted, task)
            rows[name].append(_row(gold, partners))
            if name == "strict":
                _tally_classes(classes, index, gold, predicted, partners)
                one_each = list(dict.fromkeys(gold)), list(dict.fromkeys(predicted))
                repeats = len(one_each[0]) < len(gold) or len(one_each[1]) < len(predicted)
                rows["distinct"].append(_row(one_each[0], pair(*one_each, task)) if repeats else rows[name][-1])
                if example.finished is not None:
                    rows.setdefault("class_methods", []).append(_row(gold, pair(gold, rule(example.finished), task)))
    columns = {name: np.array(counts, dtype=np.int64).reshape(-1, 3) for name, counts in rows.items()}
    return Tally(examples, columns, classes)


def _row(gold: Sequence[Key], partners: Sequence[int]) -> tuple[int, int, int]:
    """(tp, fp, fn) of one example; ``partners`` has an entry for every predicted key."""
    right = len(partners) - partners.count(-1)
    return right, len(partners) - right, len(gold) - right


def _tally_classes(
    classes: dict[str, dict[int, list[int]]],
    index: int,
    gold: Sequence[Key],
    predicted: Sequence[Key],
    partners: Sequence[int],
) -> None:
    for key, partner in zip(predicted, partners, strict=True):
        classes.setdefault(key[0], {}).setdefault(index, [0, 0, 0])[0 if partner >= 0 else 1] += 1
    if len(gold) > len(partners) - partners.count(-1):
        found = set(partners)
        for place, key in enumerate(gold):
            if place not in found:
                classes.setdefault(key[0], {}).setdefault(index, [0, 0, 0])[2] += 1


def _task_metrics(counted: Tally, kinds: dict[Kind, int], seed: int) -> TaskMetrics:
    examples, strict = counted.examples, counted.columns["strict"]
    by_class = {
        name: _score(np.array(list(rows.values()), dtype=np.int64), seed, zeros=len(examples) - len(rows))
        for name, rows in sorted(counted.classes.items())
    }
    by_source = _by([example.sentence.source for example in examples], strict, seed)
    return TaskMetrics(
        sentences=len(examples),
        outside_labels=sum(example.outside for example in examples),
        problems=sum(bool(example.problems) for example in examples),
        columns={name: _score(counts, seed) for name, counts in counted.columns.items()},
        macro=_macro(by_class.values()),
        macro_sources=_macro(by_source.values()),
        by_source=by_source,
        by_group=_by([example.sentence.group for example in examples], strict, seed),
        by_class=by_class,
        mistakes=kinds,
    )


def _by(names: Sequence[str], counts: Counts, seed: int) -> dict[str, Score]:
    array = np.array(names, dtype=object)
    return {name: _score(counts[array == name], seed) for name in sorted(set(names))}


def _macro(scores: Iterable[Score]) -> Macro:
    rows = [(one.precision, one.recall, one.f1) for one in scores]
    if not rows:
        return Macro(precision=1.0, recall=1.0, f1=1.0, over=0)
    precision, recall, f1 = (sum(column) / len(rows) for column in zip(*rows, strict=True))
    return Macro(precision=precision, recall=recall, f1=f1, over=len(rows))


def _score(counts: Counts, seed: int, zeros: int = 0) -> Score:
    """The score of the sum of ``counts``, and of ``zeros`` more sentences in which nothing is to be counted."""
    tp, fp, fn = (int(total) for total in counts.sum(axis=0))
    nothing = tp + fp + fn == 0
    rows, times = _distinct_rows(counts, zeros)
    low, high = np.quantile(f1_of(_resample(rows, times, seed)), [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    return Score(
        tp=tp,
        fp=fp,
        fn=fn,
        precision=1.0 if nothing else tp / max(tp + fp, 1),
        recall=1.0 if nothing else tp / max(tp + fn, 1),
        f1=1.0 if nothing else 2 * tp / (2 * tp + fp + fn),
        interval=(float(low), float(high)),
    )


def f1_of(totals: Counts) -> npt.NDArray[np.float64]:
    """F1 of rows of (tp, fp, fn): shape (n, 3) -> (n,). 1 where a row is all zero."""
    tp, both = totals[:, 0], 2 * totals[:, 0] + totals[:, 1] + totals[:, 2]
    return np.where(both == 0, 1.0, 2 * tp / np.maximum(both, 1))


def _distinct_rows(counts: Counts, zeros: int = 0) -> tuple[Counts, Counts]:
    """The distinct rows, and how often each occurs."""
    occurring = Counter(map(tuple, counts.tolist()))
    if zeros:
        occurring[(0,) * counts.shape[1]] += zeros
    ordered = sorted(occurring.items())
    rows = np.array([row for row, _ in ordered], dtype=np.int64).reshape(-1, counts.shape[1])
    return rows, np.array([times for _, times in ordered], dtype=np.int64)


def _resample(rows: Counts, times: Counts, seed: int) -> Counts:
    """Totals of RESAMPLES bootstrap samples: shape (RESAMPLES, columns of ``rows``)."""
    size = int(times.sum())
    if size == 0:
        return np.zeros((RESAMPLES, rows.shape[1]), dtype=np.int64)
    drawn: Counts = np.random.default_rng(seed).multinomial(size, times / size, size=RESAMPLES)
    return drawn @ rows


def compare(first: Sequence[Example], second: Sequence[Example], seed: int = 1) -> dict[Task, Difference]:
    """Test two systems on the same gold, task by task, by paired bootstrap on strict F1.

    Raises:
        DataError: the two were not scored on the same sentences.
    """
    one, other = tally(first), tally(second)
    if {task: _ids(counted) for task, counted in one.items()} != {t: _ids(counted) for t, counted in other.items()}:
        raise DataError("compare: the two predictions cover other sentences or tasks; predict both on the same corpus")
    return {task: _difference(one[task].columns["strict"], other[task].columns["strict"], seed) for task in one}


def _ids(counted: Tally) -> list[str]:
    return [example.sentence.id for example in counted.examples]


def _difference(first: Counts, second: Counts, seed: int) -> Difference:
    drawn = _resample(*_distinct_rows(np.hstack([first, second])), seed)
    differences = f1_of(drawn[:, 3:]) - f1_of(drawn[:, :3])
    low, high = np.quantile(differences, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2])
    whole = [float(f1_of(counts.sum(axis=0, keepdims=True))[0]) for counts in (first, second)]
    against = 1 + min(int((differences <= 0).sum()), int((differences >= 0).sum()))
    return Difference(
        first=whole[0],
        second=whole[1],
        difference=whole[1] - whole[0],
        interval=(float(low), float(high)),
        p_value=min(1.0, 2 * against / (RESAMPLES + 1)),
    )
