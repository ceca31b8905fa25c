"""A library and annotated sentences in, a richer library out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import replace
from typing import TypeVar

from knowcoder.corpus.sentence import Sentence
from knowcoder.enrich.examples import most_frequent
from knowcoder.enrich.type_hints import Slot, count_fillers, hint_types
from knowcoder.schema.concepts import EventType, RelationType
from knowcoder.schema.library import SchemaLibrary

THRESHOLD = 0.05
WIDTH = 3


def enrich(
    library: SchemaLibrary, sentences: Iterable[Sentence], examples: int = 10, exclude: Collection[str] = frozenset()
) -> tuple[SchemaLibrary, dict[str, int]]:
    """Add examples and type hints; what the library says already stays and comes first.

    Args:
        examples: examples per type, at most, those of the library included.
        exclude: mentions that must not become examples (``examples.mentions_of`` of a test set).

    Returns:
        The richer library, and how many examples and hints were added to how many types.
    """
    sentences = list(sentences)
    found = most_frequent(sentences, examples, exclude)
    fillers = count_fillers(sentences)
    richer = SchemaLibrary(
        tuple(
            replace(type, examples=_first(type.examples, found.entities.get(type.name, ()), examples))
            for type in library.entities
        ),
        tuple(
            replace(
                _hinted_relation(type, fillers, library),
                examples=_first(type.examples, found.relations.get(type.name, ()), examples),
            )
            for type in library.relations
        ),
        tuple(
            replace(
                _hinted_event(type, fillers, library),
                examples=_first(type.examples, found.events.get(type.name, ()), examples),
            )
            for type in library.events
        ),
    )
    return richer, _added(library, richer)


T = TypeVar("T")


def _first(given: tuple[T, ...], found: tuple[T, ...], limit: int) -> tuple[T, ...]:
    """What was given, all of it, and as many of the found as fit under the limit."""
    return given + tuple(item for item in found if item not in given)[: max(0, limit - len(given))]


def _hinted_relation(relation: RelationType, fillers: dict[Slot, Counter[str]], library: SchemaLibrary) -> RelationType:
    return replace(
        relation,
        head=relation.head or _hint((relation.name, "head"), fillers, library),
        tail=relation.tail or _hint((relation.name, "tail"), fillers, library),
    )


def _hinted_event(event: EventType, fillers: dict[Slot, Counter[str]], library: SchemaLibrary) -> EventType:
    roles = (
        replace(role, types=role.types or _hint((event.name, role.name), fillers, library)) for role in event.roles
    )
    return replace(event, roles=tuple(roles))


def _hint(slot: Slot, fillers: dict[Slot, Counter[str]], library: SchemaLibrary) -> tuple[str, ...]:
    return hint_types(fillers[slot], library, THRESHOLD, WIDTH) if slot in fillers else ()


def _added(before: SchemaLibrary, after: SchemaLibrary) -> dict[str, int]:
    counts = Counter({"types with new examples": 0, "examples": 0, "slots with new hints": 0})
    for old, new in zip(before, after, strict=True):
        counts["types with new examples"] += len(new.examples) > len(old.examples)
        counts["examples"] += len(new.examples) - len(old.examples)
        if isinstance(old, RelationType) and isinstance(new, RelationType):
            counts["slots with new hints"] += (old.head != new.head) + (old.tail != new.tail)
        if isinstance(old, EventType) and isinstance(new, EventType):
            counts["slots with new hints"] += sum(a != b for a, b in zip(old.roles, new.roles, strict=True))
    return dict(counts)
