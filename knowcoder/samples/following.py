"""Schema-following samples: class definitions and a sentence in, the code of its annotations out (paper, 3.2)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from random import Random

from knowcoder.codec.answer import build_answer
from knowcoder.codec.prompt import build_prompt
from knowcoder.corpus.sentence import LabelSet, Sentence
from knowcoder.samples.budget import Draft
from knowcoder.samples.negatives import NegativeSampling
from knowcoder.samples.sample import Sample
from knowcoder.schema.concepts import Task
from knowcoder.schema.library import SchemaLibrary
from knowcoder.schema.render import Style


def following_drafts(
    sentences: Iterable[Sentence],
    labels: Mapping[str, LabelSet],
    library: SchemaLibrary,
    tasks: Sequence[Task],
    sampling: NegativeSampling,
    seed: int,
) -> Iterator[Draft]:
    """One draft per sentence and task that is annotated in it.

    Classes stand in an order shuffled by seed, sentence and task. Argument extraction is given the event types
    and triggers of the sentence, as published, and has no sample where there is no event.
    """
    for sentence in sentences:
        for task in tasks:
            if task not in sentence.tasks or (task == "EAE" and not sentence.events):
                continue
            random = Random(f"{seed}/{task}/{sentence.id}")
            gold = sentence.classes(task)
            offered, others = gold, list[str]()
            if task != "EAE":
                offered, others = sampling.offer(gold, labels[sentence.source].of(task), random)
            random.shuffle(others)
            yield _draft(task, sentence, offered, others, library, random.random())


def _draft(
    task: Task, sentence: Sentence, gold: Sequence[str], others: Sequence[str], library: SchemaLibrary, order: float
) -> Draft:
    triggers = sentence.triggers if task == "EAE" else ()

    def write(negatives: Sequence[str], style: Style) -> Sample:
        classes = [*gold, *negatives]
        Random(order).shuffle(classes)
        prompt = build_prompt(task, classes, sentence.text, library, style, events=triggers)
        return Sample(prompt, build_answer(task, sentence.annotations, classes, library, style), task, sentence.id)

    return Draft(tuple(others), write)
