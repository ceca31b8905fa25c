"""The matcher: which predicted annotations are right. A multiset, one to one, in one place for every column.

A column is a rule of equality. ``strict`` (the headline) compares texts and types; every other column is named
and stands beside it (relaxations in ``relax.py``). The first element of a strict key is the class by which scores
are broken down.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from knowcoder.corpus.alignment import align
from knowcoder.corpus.sentence import Annotations, Event, LabelSet, Mention, Relation, Sentence
from knowcoder.errors import DataError
from knowcoder.schema.concepts import TASKS, Task
from knowcoder.score.prediction import Prediction

Key = tuple[Any, ...]
KeyRule = Callable[[Annotations], list[Key]]


@dataclass(frozen=True, slots=True)
class Example:
    """One scored (sentence, task): gold within the label set, and what was predicted, both with offsets.

    ``predicted`` holds what was said of classes that were not offered too; ``not_offered`` names those classes.
    """

    sentence: Sentence
    task: Task
    gold: Annotations
    predicted: Annotations
    labels: frozenset[str]
    problems: tuple[str, ...] = ()
    outside: int = 0
    not_offered: frozenset[str] = frozenset()


# -- gold and predictions, joined by id ------------------------------------------------------------------------


def join(
    gold: Sequence[Sentence],
    predictions: Iterable[Prediction],
    labels: Mapping[str, LabelSet],
    tasks: Sequence[Task] | None = None,
) -> list[Example]:
    """Match predictions to gold by sentence id and task.

    A task that is not annotated in a sentence is not scored there, and gold of classes outside the label set
    of the sentence's source is left out (``Example.outside`` counts it). Predictions are never filtered: an answer
    of a class that was not offered is a wrong answer, here and in every column but those with the type filter.

    Args:
        gold: sentences with unique ids.
        predictions: at most one for a sentence and task.
        labels: label set by source.
        tasks: the tasks to score; by default those that occur in the predictions.

    Raises:
        DataError: an id stands twice, a prediction is missing or has no sentence, or a source has no label set.
    """
    sentences = {sentence.id: sentence for sentence in gold}
    if len(sentences) < len(gold):
        raise DataError(f"gold: {_names(_repeated(s.id for s in gold))} stand more than once; make the ids unique")
    given = list(predictions)
    found = {(prediction.id, prediction.task): prediction for prediction in given}
    if len(found) < len(given):
        twice = _names(_repeated(f"{p.id} ({p.task})" for p in given))
        raise DataError(f"predictions: {twice} stand more than once; predict into a new output")
    extra = {prediction.id for prediction in given if prediction.id not in sentences}
    if extra:
        raise DataError(f"predictions: no gold sentence has the id {_names(extra)}; give the corpus that was predicted")
    present = {prediction.task for prediction in given}
    wanted = [task for task in TASKS if task in (present if tasks is None else tasks)]
    pairs = [(sentence, task) for task in wanted for sentence in gold if task in sentence.tasks]
    missing = {sentence.id for sentence, task in pairs if (sentence.id, task) not in found}
    if missing:
        raise DataError(
            f"predictions: none for sentence {_names(missing)}; finish the prediction with resume=true, or give the "
            "limit= that it had"
        )
    offered = {
        (source, task): frozenset(_offered(labels, source, task)) for source, task in {(s.source, t) for s, t in pairs}
    }
    return [_example(s, t, found[s.id, t], offered[s.source, t]) for s, t in pairs]


def _example(sentence: Sentence, task: Task, prediction: Prediction, labels: frozenset[str]) -> Example:
    gold, outside = _restrict(of_task(sentence.annotations, task), labels)
    said, more = of_task(prediction.annotations, task), of_task(prediction.not_offered, task)
    items: list[Mention | Relation | Event] = [*more.entities, *more.relations, *more.events]
    not_offered = frozenset(item.type for item in items)
    gold, predicted = align(gold, sentence.text), align(said + more if not_offered else said, sentence.text)
    return Example(sentence, task, gold, predicted, labels, prediction.problems, outside, not_offered)


def of_task(annotations: Annotations, task: Task) -> Annotations:
    """The part of the annotations that a task is about."""
    if task == "NER":
        return Annotations(entities=annotations.entities)
    if task == "RE":
        return Annotations(relations=annotations.relations)
    return Annotations(events=annotations.events)


def _restrict(annotations: Annotations, labels: frozenset[str]) -> tuple[Annotations, int]:
    """Gold of one task within the label set, and the number of items outside it."""
    found: list[Mention | Relation | Event] = [*annotations.entities, *annotations.relations, *annotations.events]
    outside = sum(item.type not in labels for item in found)
    if not outside:
        return annotations, 0
    kept = Annotations(
        tuple(entity for entity in annotations.entities if entity.type in labels),
        tuple(relation for relation in annotations.relations if relation.type in labels),
        tuple(event for event in annotations.events if event.type in labels),
    )
    return kept, outside


def _offered(labels: Mapping[str, LabelSet], source: str, task: Task) -> tuple[str, ...]:
    if source not in labels:
        raise DataError(f"gold: source {source!r} has no label set in labels.json; it has {_names(labels)}")
    return labels[source].of(task)


def _repeated(names: Iterable[str]) -> set[str]:
    seen: set[str] = set()
    return {name for name in names if name in seen or seen.add(name)}  # type: ignore[func-returns-value]


def _names(names: Iterable[str], most: int = 5) -> str:
    """A few names for a message, and how many more there are."""
    ordered = sorted(names)
    more = f" and {len(ordered) - most} more" if len(ordered) > most else ""
    return ", ".join(map(repr, ordered[:most])) + more


# -- the columns -----------------------------------------------------------------------------------------------


def _span(mention: Mention | None) -> tuple[str, int | None, int | None] | None:
    return (mention.text, mention.start, mention.end) if mention else None


def _text(mention: Mention | None) -> str | None:
    return mention.text if mention else None


#: Column -> rule, by task. Strict rules first; ``identification`` asks for the place and not for the class
#: (EAE: not for the role), ``entity_types`` asks for the classes of head and tail as well.
COLUMNS: dict[Task, dict[str, KeyRule]] = {
    "NER": {
        "strict": lambda a: [(e.type, e.text) for e in a.entities],
        "strict_offsets": lambda a: [(e.type, e.text, e.start, e.end) for e in a.entities],
        "identification": lambda a: [(e.text,) for e in a.entities],
    },
    "RE": {
        "strict": lambda a: [(r.type, r.head.text, r.tail.text) for r in a.relations],
        "strict_offsets": lambda a: [(r.type, _span(r.head), _span(r.tail)) for r in a.relations],
        "identification": lambda a: [(r.head.text, r.tail.text) for r in a.relations],
        "entity_types": lambda a: [(r.type, r.head.type, r.head.text, r.tail.type, r.tail.text) for r in a.relations],
    },
    "ED": {
        "strict": lambda a: [(e.type, _text(e.trigger)) for e in a.events],
        "strict_offsets": lambda a: [(e.type, _span(e.trigger)) for e in a.events],
        "identification": lambda a: [(_text(e.trigger),) for e in a.events],
    },
    "EAE": {
        "strict": lambda a: [(e.type, _text(e.trigger), x.role, x.mention.text) for e in a.events for x in e.arguments],
        "strict_offsets": lambda a: [
            (e.type, _span(e.trigger), x.role, *(_span(x.mention) or ())) for e in a.events for x in e.arguments
        ],
        "identification": lambda a: [(e.type, _text(e.trigger), x.mention.text) for e in a.events for x in e.arguments],
    },
}


def pair(gold: Sequence[Key], predicted: Sequence[Key], task: Task) -> list[int]:
    """Pair predicted keys with equal gold keys, each used once, as many as can be.

    In EAE the trigger (second element of a key) counts where both sides have one; None fits any trigger.

    Returns:
        For each predicted key the index of its gold key, or -1.
    """
    if gold == predicted:
        return list(range(len(gold)))
    partners = [-1] * len(predicted)
    if not gold or not predicted:
        return partners
    if task != "EAE" or not any(key[1] is None for key in (*gold, *predicted)):
        _pair_equal(gold, predicted, range(len(gold)), range(len(predicted)), partners)
        return partners
    # Known triggers pair first, two unknown ones last: no other order leaves fewer items without a partner.
    loose_gold, loose_predicted = [(k[0], *k[2:]) for k in gold], [(k[0], *k[2:]) for k in predicted]
    for known_gold, known_predicted in ((True, True), (True, False), (False, True), (False, False)):
        exact = known_gold and known_predicted
        taken = {partner for partner in partners if partner >= 0}
        _pair_equal(
            gold if exact else loose_gold,
            predicted if exact else loose_predicted,
            [i for i, key in enumerate(gold) if i not in taken and (key[1] is not None) == known_gold],
            [j for j, key in enumerate(predicted) if partners[j] < 0 and (key[1] is not None) == known_predicted],
            partners,
        )
    return partners


def _pair_equal(
    gold: Sequence[Key],
    predicted: Sequence[Key],
    some_gold: Sequence[int],
    some_predicted: Sequence[int],
    partners: list[int],
) -> None:
    """Pair equal keys among the given indices, in order, into ``partners``."""
    free: dict[Key, list[int]] = {}
    for i in reversed(some_gold):
        free.setdefault(gold[i], []).append(i)
    for j in some_predicted:
        places = free.get(predicted[j])
        if places:
            partners[j] = places.pop()


def row_of(gold: Sequence[Key], partners: Sequence[int]) -> tuple[int, int, int]:
    """(tp, fp, fn) of one example; ``partners`` has an entry for every predicted key."""
    right = len(partners) - partners.count(-1)
    return right, len(partners) - right, len(gold) - right
