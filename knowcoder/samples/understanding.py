"""Schema-understanding samples, trained as plain text: definition codes and instance codes (paper, 3.1)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from random import Random

from knowcoder.codec.prompt import definitions, instance_code
from knowcoder.corpus.sentence import Sentence
from knowcoder.samples.budget import Budget, Draft
from knowcoder.samples.sample import Sample
from knowcoder.schema.concepts import Task
from knowcoder.schema.library import SchemaLibrary
from knowcoder.schema.render import Style

#: Events are shown with their arguments, which makes detection a part of argument extraction.
_INSTANCE_TASKS: tuple[Task, ...] = ("NER", "RE", "EAE")


def definition_samples(
    library: SchemaLibrary, style: Style, budget: Budget, passes: int, seed: int
) -> Iterator[Sample]:
    """Random concepts, as many as fill the budget; every concept is defined once per pass.

    A concept whose definition alone is longer than the budget is counted as rejected.
    """
    names = sorted(concept.name for concept in library)
    lengths = {
        name: budget.length(Sample("", definitions([name], library, style), "definition", name)) for name in names
    }
    for number in range(passes):
        order = Random(f"{seed}/definitions/{number}").sample(names, len(names))
        chosen: list[str] = []
        length = 0
        for name in order:
            if lengths[name] > budget.max_length:
                budget.rejected += 1
                continue
            if chosen and length + lengths[name] > budget.max_length:
                yield _definition(chosen, library, style, number)
                chosen, length = [], 0
            chosen.append(name)
            length += lengths[name]
        if chosen:
            yield _definition(chosen, library, style, number)


def _definition(names: list[str], library: SchemaLibrary, style: Style, number: int) -> Sample:
    return Sample("", definitions(names, library, style), "definition", f"definitions/{number}/{names[0]}")


def instance_drafts(sentences: Iterable[Sentence], library: SchemaLibrary) -> Iterator[Draft]:
    """One draft per sentence and concept that it mentions: the sentence, the imports, all instances."""
    for sentence in sentences:
        for task in _INSTANCE_TASKS:
            if task == "EAE" and "EAE" not in sentence.tasks and "ED" not in sentence.tasks:
                continue
            for name in sentence.classes(task):
                yield _instance(task, sentence, name, library)


def _instance(task: Task, sentence: Sentence, name: str, library: SchemaLibrary) -> Draft:
    def write(negatives: object, style: Style) -> Sample:
        return Sample(
            "", instance_code(task, name, sentence.text, sentence.annotations, library, style), "instance", sentence.id
        )

    return Draft((), write)
