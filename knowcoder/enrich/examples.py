"""Examples of a type: the mentions that annotated sentences have of it most often (KnowCoder, section 2.2)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from knowcoder.corpus.sentence import Sentence

Pair = tuple[str, str]
Example = str | Pair
E = TypeVar("E", str, Pair)


@dataclass(slots=True)
class Examples:
    """Class name -> examples, the most frequent first."""

    entities: dict[str, tuple[str, ...]] = field(default_factory=dict)
    relations: dict[str, tuple[Pair, ...]] = field(default_factory=dict)
    events: dict[str, tuple[str, ...]] = field(default_factory=dict)


def most_frequent(sentences: Iterable[Sentence], limit: int, exclude: Collection[str] = frozenset()) -> Examples:
    """The most frequent mentions of entity types, argument pairs of relations and triggers of events.

    Args:
        limit: examples per type, at most. Among equally frequent ones the alphabet decides.
        exclude: mentions that must become no example, nor part of one, because a test asks for them. Triggers
            are words of the language rather than answers that could leak, and stay.
    """
    entities: dict[str, Counter[str]] = {}
    relations: dict[str, Counter[Pair]] = {}
    events: dict[str, Counter[str]] = {}
    for sentence in sentences:
        for mention in sentence.entities:
            if not tells(mention.text, exclude):
                entities.setdefault(mention.type, Counter())[mention.text] += 1
        for relation in sentence.relations:
            pair = (relation.head.text, relation.tail.text)
            if not tells(pair, exclude):
                relations.setdefault(relation.type, Counter())[pair] += 1
        for event in sentence.events:
            if event.trigger:
                events.setdefault(event.type, Counter())[event.trigger.text] += 1
    return Examples(_top(entities, limit), _top(relations, limit), _top(events, limit))


def tells(example: Example, exclude: Collection[str]) -> bool:
    """Whether an example is, or holds, one of the excluded mentions."""
    return any(text in exclude for text in ((example,) if isinstance(example, str) else example))


def mentions_of(sentences: Iterable[Sentence]) -> frozenset[str]:
    """Every text that is a mention in the sentences: what ``exclude`` takes for a test set."""
    found: set[str] = set()
    for sentence in sentences:
        found.update(mention.text for mention in sentence.entities)
        for relation in sentence.relations:
            found.update((relation.head.text, relation.tail.text))
        for event in sentence.events:
            found.update(argument.mention.text for argument in event.arguments)
    return frozenset(found)


def _top(counted: Mapping[str, Counter[E]], limit: int) -> dict[str, tuple[E, ...]]:
    return {
        name: tuple(sorted(counts, key=lambda example: (-counts[example], example))[:limit])
        for name, counts in sorted(counted.items())
    }
