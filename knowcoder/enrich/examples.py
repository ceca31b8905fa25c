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


class ExampleCounts:
    """How often entity types have each mention, relations each pair of arguments, events each trigger.

    Args:
        exclude: mentions that must become no example, nor part of one, because a test asks for them. Triggers
            are words of the language rather than answers that could leak, and stay.
    """

    def __init__(self, exclude: Collection[str] = frozenset()) -> None:
        self._exclude = exclude
        self._entities: dict[str, Counter[str]] = {}
        self._relations: dict[str, Counter[Pair]] = {}
        self._events: dict[str, Counter[str]] = {}

    def add(self, sentence: Sentence) -> None:
        """Count what is annotated in a sentence."""
        for mention in sentence.entities:
            if not tells(mention.text, self._exclude):
                self._entities.setdefault(mention.type, Counter())[mention.text] += 1
        for relation in sentence.relations:
            pair = (relation.head.text, relation.tail.text)
            if not tells(pair, self._exclude):
                self._relations.setdefault(relation.type, Counter())[pair] += 1
        for event in sentence.events:
            if event.trigger:
                self._events.setdefault(event.type, Counter())[event.trigger.text] += 1

    def top(self, limit: int) -> Examples:
        """The most frequent of each type; among equally frequent ones the alphabet decides."""
        return Examples(_top(self._entities, limit), _top(self._relations, limit), _top(self._events, limit))


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
