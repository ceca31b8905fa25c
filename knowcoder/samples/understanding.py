"""Schema-understanding samples, trained as plain text: definition codes and instance codes (paper, 3.1)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from knowcoder.codec.prompt import InstanceOrder, definitions, instance_code
from knowcoder.corpus.sentence import Sentence
from knowcoder.samples.budget import Budget, Draft
from knowcoder.samples.draw import Draw
from knowcoder.samples.sample import Sample
from knowcoder.schema.concepts import Task
from knowcoder.schema.library import SchemaLibrary
from knowcoder.schema.render import Style

#: Events are shown with their arguments, which makes detection a part of argument extraction.
_INSTANCE_TASKS: tuple[Task, ...] = ("NER", "RE", "EAE")


def definition_lengths(library: SchemaLibrary, style: Style, budget: Budget) -> dict[str, int]:
    """Tokens of every concept's definition alone, by name; the same for all rounds."""
    names = sorted(concept.name for concept in library)
    codes = (Sample("", definitions([name], library, style), "definition", name) for name in names)
    return dict(zip(names, budget.lengths(codes), strict=True))


def definition_samples(
    library: SchemaLibrary, style: Style, budget: Budget, lengths: Mapping[str, int], key: str
) -> Iterator[Sample]:
    """Random concepts, as many as fill the budget; every concept is defined once.

    A concept whose definition alone is longer than the budget is counted as rejected.

    Args:
        lengths: see ``definition_lengths``.
        key: makes the order.
    """
    names = list(lengths)
    Draw(key).shuffle(names)
    chosen: list[str] = []
    length = 0
    for name in names:
        if lengths[name] > budget.max_length:
            budget.reject_long()
            continue
        if chosen and length + lengths[name] > budget.max_length:
            yield _definition(chosen, library, style, key)
            chosen, length = [], 0
        chosen.append(name)
        length += lengths[name]
    if chosen:
        yield _definition(chosen, library, style, key)


def _definition(names: list[str], library: SchemaLibrary, style: Style, key: str) -> Sample:
    return Sample("", definitions(names, library, style), "definition", f"{key}/{names[0]}")


def instance_drafts(
    sentences: Iterable[Sentence], library: SchemaLibrary, order: InstanceOrder = "sentence"
) -> Iterator[Draft]:
    """One draft per sentence and concept that it mentions: the sentence, the imports, all instances."""
    for sentence in sentences:
        for task in _INSTANCE_TASKS:
            for name in sentence.classes(task):
                yield _instance(task, sentence, name, library, order)


def _instance(task: Task, sentence: Sentence, name: str, library: SchemaLibrary, order: InstanceOrder) -> Draft:
    def write(negatives: object, style: Style) -> Sample:
        code = instance_code(task, name, sentence.text, sentence.annotations, library, style, order)
        return Sample("", code, "instance", sentence.id, sentence.source)

    return Draft((), write)
