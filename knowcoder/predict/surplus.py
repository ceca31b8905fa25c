"""Objects that an answer repeats more often than the text has their mentions, which a grammar cannot count."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable

from msgspec.structs import replace

from knowcoder.corpus.alignment import occurrences
from knowcoder.corpus.sentence import Annotations


def drop_surplus(text: str, annotations: Annotations) -> tuple[Annotations, int]:
    """Drop equal objects beyond the number of places where the text has their mentions, which a grammar cannot count.

    Returns:
        The annotations that stay, and how many entities, relations, triggers and arguments were dropped.
    """
    seen: Counter[Hashable] = Counter()

    def fits(key: Hashable, *mentions: str) -> bool:
        seen[key] += 1
        return seen[key] <= max(len(occurrences(text, mention)) for mention in mentions)

    entities = tuple(e for e in annotations.entities if fits(("entity", e.type, e.text), e.text))
    relations = tuple(
        r
        for r in annotations.relations
        if fits(("relation", r.type, r.head.text, r.tail.text), r.head.text, r.tail.text)
    )
    events = tuple(
        replace(
            event,
            arguments=tuple(a for a in event.arguments if fits((number, a.role, a.mention.text), a.mention.text)),
        )
        for number, event in enumerate(annotations.events)
        if not event.trigger
        or event.trigger.start is not None  # it was given
        or fits(("event", event.type, event.trigger.text), event.trigger.text)
    )
    kept = Annotations(entities, relations, events)
    return kept, _size(annotations) - _size(kept)


def _size(annotations: Annotations) -> int:
    arguments = sum(len(event.arguments) for event in annotations.events)
    return len(annotations.entities) + len(annotations.relations) + len(annotations.events) + arguments
