"""Precision, recall and F1 from matched examples: micro and macro, by source, group and class, with intervals.

Every score keeps its counts, which add up: the classes, the sources and the groups of a task each sum to the
task's own true positives, false positives and false negatives, and the tasks to those of the whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from knowcoder.corpus.sentence import LabelSet, Sentence
from knowcoder.schema.concepts import TASKS, Task
from knowcoder.score.bootstrap import Counts, f1_interval
from knowcoder.score.match import COLUMNS, Example, Key, join, pair, row_of
from knowcoder.score.mistakes import Kind, Mistake, count_mistakes, find_mistakes
from knowcoder.score.prediction import Prediction
from knowcoder.score.relax import Context, Rule, relaxed_columns, relaxed_keys


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
    """The mean over classes (or sources, or tasks) that occur in gold or in the predictions."""

    precision: float
    recall: float
    f1: float
    over: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileScore:
    """Scores under the rules by which a paper's numbers were made; not comparable with ``strict``."""

    score: Score
    by_source: dict[str, Score]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskMetrics:
    """The scores of one task.

    Attributes:
        sentences: how many were scored.
        outside_labels: gold items left out because their class is not in the label set of their source.
        problems: predictions whose answers did not parse without a problem.
        columns: rule of matching -> micro score; ``strict`` is the headline. A relaxation (``relax.py``) stands
            only where there is what it needs, such as a taxonomy or a map.
        profiles: profile -> score under the rules of a paper, as a whole and by source.
        macro, macro_sources: mean of the strict scores of classes, of sources.
        by_source, by_group, by_class: strict scores of parts of the task.
        mistakes: how many of each kind ``errors.jsonl`` holds.
    """

    sentences: int
    outside_labels: int
    problems: int
    columns: dict[str, Score]
    profiles: dict[str, ProfileScore]
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
        overall: strict score of all tasks together.
        macro: mean of the strict scores of the tasks.
        not_predicted: tasks that gold annotates and the predictions do not have.
    """

    sentences: int
    overall: Score
    macro: Macro
    tasks: dict[Task, TaskMetrics]
    not_predicted: tuple[Task, ...] = ()


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
    context: Context | None = None,
) -> Metrics:
    """Score predictions against gold; see :func:`knowcoder.score.match.join` for what is matched to what."""
    examples = join(gold, predictions, labels, tasks)
    return measure(gold, examples, find_mistakes(examples), seed, context)


def measure(
    gold: Sequence[Sentence],
    examples: Sequence[Example],
    mistakes: Sequence[Mistake],
    seed: int = 1,
    context: Context | None = None,
) -> Metrics:
    """The metrics of examples that :func:`knowcoder.score.match.join` made of ``gold``, and of their mistakes."""
    context = context or Context()
    tallies, kinds = tally(examples, context), count_mistakes(mistakes)
    profiles = [profile.name for profile in context.profiles]
    tasks = {task: _task_metrics(found, kinds.get(task, {}), profiles, seed) for task, found in tallies.items()}
    annotated = {task for sentence in gold for task in sentence.tasks}
    return Metrics(
        sentences=len(gold),
        overall=_score(_by_sentence(tallies.values()), seed),
        macro=_macro(numbers.columns["strict"] for numbers in tasks.values()),
        tasks=tasks,
        not_predicted=tuple(task for task in TASKS if task in annotated and task not in tallies),
    )


def tally(examples: Sequence[Example], context: Context | None = None) -> dict[Task, Tally]:
    """Count true and false positives and false negatives of every example under every column."""
    by_task: dict[Task, list[Example]] = {}
    for example in examples:
        by_task.setdefault(example.task, []).append(example)
    return {task: _tally_task(task, by_task[task], context or Context()) for task in TASKS if task in by_task}


def _tally_task(task: Task, examples: list[Example], context: Context) -> Tally:
    rules, relaxed = dict(COLUMNS[task]), relaxed_columns(task, context)
    if task == "RE" and _names_no_classes(examples):
        del rules["entity_types"]
    careful = {name for name, forgiven in relaxed.items() if _TOUCHES_RIGHT.intersection(forgiven)}
    rows: dict[str, list[tuple[int, int, int]]] = {name: [] for name in (*rules, *relaxed)}
    classes: dict[str, dict[int, list[int]]] = {}
    for index, example in enumerate(examples):
        gold, predicted = rules["strict"](example.gold), rules["strict"](example.predicted)
        partners = pair(gold, predicted, task)
        strict = row_of(gold, partners)
        _tally_classes(classes, index, gold, predicted, partners)
        same = example.gold == example.predicted
        for name, rule in rules.items():
            is_known = same or name == "strict"
            rows[name].append(strict if is_known else _row(rule(example.gold), rule(example.predicted), task))
        plain = _is_plain(example, gold, strict)
        for name, forgiven in relaxed.items():
            is_known = plain and name not in careful
            rows[name].append(strict if is_known else _row(*relaxed_keys(example, forgiven, context), task))
    columns = {name: np.array(counts, dtype=np.int64).reshape(-1, 3) for name, counts in rows.items()}
    return Tally(examples, columns, classes)


def _names_no_classes(examples: Iterable[Example]) -> bool:
    """Whether all heads and tails that were predicted are of the class ``Entity``, which says nothing."""
    sides = [side.type for e in examples for r in e.predicted.relations for side in (r.head, r.tail)]
    return bool(sides) and set(sides) == {"Entity"}


def _row(gold: Sequence[Key], predicted: Sequence[Key], task: Task) -> tuple[int, int, int]:
    return row_of(gold, pair(gold, predicted, task))


#: Rules that can change a right answer.
_TOUCHES_RIGHT: frozenset[Rule] = frozenset({"class_methods", "as_often_as_said", "no_reflexive", "normalized_text"})


def _is_plain(example: Example, gold: Sequence[Key], row: tuple[int, int, int]) -> bool:
    """Whether all is right, stands in the text and stands but once: most rules then have nothing to forgive."""
    if row != (len(gold), 0, 0) or len(set(gold)) < len(gold):
        return False
    found = example.predicted
    mentions = [*found.entities, *(side for r in found.relations for side in (r.head, r.tail))]
    for event in found.events:
        mentions += ([event.trigger] if event.trigger else []) + [argument.mention for argument in event.arguments]
    return all(mention.text in example.sentence.text for mention in mentions)


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


def _task_metrics(counted: Tally, kinds: dict[Kind, int], profiles: Sequence[str], seed: int) -> TaskMetrics:
    examples, strict = counted.examples, counted.columns["strict"]
    sources = [example.sentence.source for example in examples]
    by_class = {
        name: _score(np.array(list(rows.values()), dtype=np.int64), seed, zeros=len(examples) - len(rows))
        for name, rows in sorted(counted.classes.items())
    }
    by_source = _by(sources, strict, seed)
    return TaskMetrics(
        sentences=len(examples),
        outside_labels=sum(example.outside for example in examples),
        problems=sum(bool(example.problems) for example in examples),
        columns={name: _score(counts, seed) for name, counts in counted.columns.items() if name not in profiles},
        profiles={
            name: ProfileScore(score=_score(counts, seed), by_source=_by(sources, counts, seed))
            for name, counts in counted.columns.items()
            if name in profiles
        },
        macro=_macro(by_class.values()),
        macro_sources=_macro(by_source.values()),
        by_source=by_source,
        by_group=_by([example.sentence.group for example in examples], strict, seed),
        by_class=by_class,
        mistakes=kinds,
    )


def _by_sentence(tallies: Iterable[Tally]) -> Counts:
    """The strict counts of each sentence, all tasks together: the tasks of one sentence are drawn together."""
    totals: dict[str, Counts] = {}
    for counted in tallies:
        for example, counts in zip(counted.examples, counted.columns["strict"], strict=True):
            known = totals.get(example.sentence.id)
            totals[example.sentence.id] = counts if known is None else known + counts
    return np.array(list(totals.values()), dtype=np.int64).reshape(-1, 3)


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
    return Score(
        tp=tp,
        fp=fp,
        fn=fn,
        precision=1.0 if nothing else tp / max(tp + fp, 1),
        recall=1.0 if nothing else tp / max(tp + fn, 1),
        f1=1.0 if nothing else 2 * tp / (2 * tp + fp + fn),
        interval=f1_interval(counts, seed, zeros),
    )
