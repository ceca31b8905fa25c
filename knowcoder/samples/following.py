"""Schema-following samples: class definitions and a sentence in, the code of its annotations out (paper, 3.2).

Refinement (paper, 3.3) is the same with the name of the data set in the instruction.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from typing import Literal, TypeAlias, TypeVar

from msgspec import structs

from knowcoder.codec.answer import build_answer
from knowcoder.codec.prompt import build_prompt
from knowcoder.corpus.sentence import LabelSet, Mention, Sentence
from knowcoder.samples.budget import Draft
from knowcoder.samples.draw import Draw
from knowcoder.samples.masking import masked_annotations, masked_library, masked_names
from knowcoder.samples.negatives import NegativeSampling
from knowcoder.samples.sample import Sample
from knowcoder.schema.concepts import Task
from knowcoder.schema.library import SchemaLibrary
from knowcoder.schema.render import Style

SampleTask: TypeAlias = Task | Literal["EE"]
"""A task, or EE: events with their arguments at once, found without being told of any."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How samples differ from what is asked at prediction. The published data (paper, section 3.2) have none of it.

    Attributes:
        classes_per_prompt: classes offered at a time; a sample with more becomes several. 0 offers all at once.
        drop_descriptions, drop_examples: share of samples without them.
        mask_names: share of samples whose classes are called Label1, Label2, ...
        tagged: the instruction names the data set; a model asked so must have learnt it so.
    """

    classes_per_prompt: int = 0
    drop_descriptions: float = 0.0
    drop_examples: float = 0.0
    mask_names: float = 0.0
    tagged: bool = False


@dataclass(frozen=True, slots=True)
class Recipe:
    """What samples are made of beside sentences; all that is random in them follows from ``key``."""

    library: SchemaLibrary
    labels: Mapping[str, LabelSet]
    tasks: Sequence[SampleTask]
    sampling: NegativeSampling = field(default_factory=NegativeSampling)
    form: Form = field(default_factory=Form)
    key: str = "1"


def following_drafts(sentences: Iterable[Sentence], recipe: Recipe) -> Iterator[Draft]:
    """One draft per sentence and task that is annotated in it, or one per batch of its classes.

    Classes stand in an order shuffled by key, task and sentence. Argument extraction is told the event types and
    triggers of the sentence, as published, and has no sample where there is no event.
    """
    for sentence in sentences:
        for task in recipe.tasks:
            if not _asked(task, sentence):
                continue
            draw = Draw(f"{recipe.key}/{task}/{sentence.id}")
            gold = sentence.classes(_codec_task(task))
            others: list[str] = []
            if task != "EAE":
                gold, others = recipe.sampling.offer(gold, recipe.labels[sentence.source].of(_codec_task(task)), draw)
            classes = gold + others
            draw.shuffle(classes)
            for batch in split(classes, recipe.form.classes_per_prompt):
                yield _draft(task, sentence, batch, frozenset(others), recipe, draw)


def split(classes: Sequence[T], most: int) -> list[Sequence[T]]:
    """Classes in the fewest batches of at most ``most``, alike in size; one where it is 0, none without classes."""
    if not most or len(classes) <= most:
        return [classes] if classes else []
    count = -(-len(classes) // most)
    bounds = [len(classes) * number // count for number in range(count + 1)]
    return [classes[start:end] for start, end in pairwise(bounds)]


def _asked(task: SampleTask, sentence: Sentence) -> bool:
    if task == "EAE":
        return "EAE" in sentence.tasks and bool(sentence.events)
    return ("EAE" if task == "EE" else task) in sentence.tasks


def _codec_task(task: SampleTask) -> Task:
    """The task whose prompt is asked; events with arguments are those of argument extraction, nothing told."""
    return "EAE" if task == "EE" else task


def _draft(
    task: SampleTask, sentence: Sentence, classes: Sequence[str], others: frozenset[str], recipe: Recipe, draw: Draw
) -> Draft:
    form = recipe.form
    without: dict[str, int | bool] = {}
    if draw.chance(form.drop_descriptions):
        without["descriptions"] = False
    if draw.chance(form.drop_examples):
        without["examples"] = 0
    library, annotations = recipe.library, sentence.annotations
    triggers: Sequence[Mention] = ()
    asked = _codec_task(task)
    if task == "EAE":
        triggers = sentence.triggers
        if form.classes_per_prompt:
            triggers = tuple(trigger for trigger in triggers if trigger.type in classes)
    if draw.chance(form.mask_names):
        names = masked_names(classes, library, draw)
        library = masked_library(library, names)
        others = frozenset(names[name] for name in classes if name in others)
        classes = [names[name] for name in classes]
        annotations = masked_annotations(annotations, names)
        triggers = [structs.replace(trigger, type=names[trigger.type]) for trigger in triggers]
    dataset = sentence.source if form.tagged else ""
    negatives = tuple([name for name in classes if name in others]) if others else ()
    if len(negatives) == len(classes):  # a prompt without any class would ask nothing
        negatives = negatives[1:]

    def write(kept: Sequence[str], style: Style) -> Sample:
        offered = classes
        if len(kept) < len(negatives):
            dropped = set(negatives).difference(kept)
            offered = [name for name in classes if name not in dropped]
        if without:
            style = replace(style, **without)  # type: ignore[arg-type]
        prompt = build_prompt(asked, offered, sentence.text, library, style, triggers, dataset)
        return Sample(
            prompt, build_answer(asked, annotations, offered, library, style), task, sentence.id, sentence.source
        )

    return Draft(negatives, write)
