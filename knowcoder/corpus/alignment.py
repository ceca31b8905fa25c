"""Where in the text an answer stands: the k-th equal answer is aligned to the k-th occurrence."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace

from knowcoder.corpus.sentence import Annotations, Argument, Event, Mention, Relation


def occurrences(text: str, part: str) -> list[int]:
    """Starts of ``part`` in ``text``: those at word boundaries where there are any, else all of them.

    A mention "art" means the word and not the end of "start"; scripts without spaces have no such boundaries.
    """
    if not part:
        return []
    starts: list[int] = []
    start = text.find(part)
    while start >= 0:
        starts.append(start)
        start = text.find(part, start + 1)
    return [start for start in starts if at_word_boundaries(text, start, start + len(part))] or starts


def at_word_boundaries(text: str, start: int, end: int) -> bool:
    """Whether ``text[start:end]`` neither begins nor ends inside a run of letters and digits."""
    cut_before = start > 0 and text[start - 1].isalnum() and text[start].isalnum()
    cut_after = end < len(text) and text[end - 1].isalnum() and text[end].isalnum()
    return not cut_before and not cut_after


class _Aligner:
    """Hands out occurrences of one text; each kind of answer counts its own."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.used: defaultdict[object, int] = defaultdict(int)

    def place(self, mention: Mention, number: int) -> Mention:
        """Align to occurrence ``number``, to the last one if there are fewer, to none if there is none."""
        if mention.start is not None:
            return mention
        starts = occurrences(self.text, mention.text)
        if not starts:
            return mention
        start = starts[min(number, len(starts) - 1)]
        return replace(mention, start=start, end=start + len(mention.text))

    def next(self, *answer: object) -> int:
        """How many equal answers came before this one."""
        self.used[answer] += 1
        return self.used[answer] - 1


def align(text: str, annotations: Annotations) -> Annotations:
    """Give every mention that has no offsets the offsets of its occurrence in ``text``.

    Entities and triggers that are spelled alike take one occurrence after the other, whatever their types; equal
    relations, and equal arguments of an event, likewise. A mention that does not stand in the text stays without.
    """
    aligner = _Aligner(text)
    entities = tuple(aligner.place(entity, aligner.next("entity", entity.text)) for entity in annotations.entities)
    relations = tuple(_align_relation(aligner, relation) for relation in annotations.relations)
    events = tuple(_align_event(aligner, event) for event in annotations.events)
    return Annotations(entities, relations, events)


def _align_relation(aligner: _Aligner, relation: Relation) -> Relation:
    number = aligner.next("relation", relation.type, relation.head.text, relation.tail.text)
    return replace(relation, head=aligner.place(relation.head, number), tail=aligner.place(relation.tail, number))


def _align_event(aligner: _Aligner, event: Event) -> Event:
    trigger = event.trigger
    if trigger is not None:
        trigger = aligner.place(trigger, aligner.next("trigger", trigger.text))
    return replace(event, trigger=trigger, arguments=_align_arguments(aligner.text, event.arguments))


def _align_arguments(text: str, arguments: tuple[Argument, ...]) -> tuple[Argument, ...]:
    within = _Aligner(text)
    return tuple(
        replace(argument, mention=within.place(argument.mention, within.next(argument.role, argument.mention.text)))
        for argument in arguments
    )
