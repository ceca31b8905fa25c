"""A library and annotated sentences in, a richer library out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from typing import TypeVar

from knowcoder.corpus.sentence import Sentence
from knowcoder.enrich.examples import Example, ExampleCounts, tells
from knowcoder.enrich.type_hints import Slot, count_fillers, hint_types
from knowcoder.schema.concepts import Concept, EntityType, RelationType
from knowcoder.schema.library import SchemaLibrary


@dataclass(frozen=True, slots=True)
class HintRules:
    """What a slot's fillers must be to become its type hints.

    Attributes:
        threshold: the share of all fillers that a type needs to count.
        width: types in the union, at most; a wider one is lifted to lowest common ancestors.
    """

    threshold: float = 0.05
    width: int = 3


def enrich(
    library: SchemaLibrary,
    sentences: Iterable[Sentence],
    examples: int = 10,
    exclude: Collection[str] = frozenset(),
    hints: HintRules | None = None,
) -> tuple[SchemaLibrary, dict[str, int]]:
    """Add examples and type hints; what the library says already stays and comes first. Sentences are read once.

    Args:
        examples: examples per type, at most, those of the library included.
        exclude: mentions that must not be examples (``examples.mentions_of`` of a test set), those of the library
            included.

    Returns:
        The richer library, and how many examples and hints were added to how many types.
    """
    mentions, fillers = ExampleCounts(exclude), dict[Slot, Counter[str]]()
    for sentence in sentences:
        mentions.add(sentence)
        count_fillers(sentence, fillers)
    found = mentions.top(examples)
    hints = hints or HintRules()

    def hinted(name: str, slot: str, given: tuple[str, ...]) -> tuple[str, ...]:
        return given or _hint((name, slot), fillers, library, hints)

    clean = without_examples(library, exclude)
    richer = SchemaLibrary(
        tuple(
            replace(type, examples=_first(type.examples, found.entities.get(type.name, ()), examples))
            for type in clean.entities
        ),
        tuple(
            replace(
                type,
                head=hinted(type.name, "head", type.head),
                tail=hinted(type.name, "tail", type.tail),
                examples=_first(type.examples, found.relations.get(type.name, ()), examples),
            )
            for type in clean.relations
        ),
        tuple(
            replace(
                type,
                roles=tuple(replace(role, types=hinted(type.name, role.name, role.types)) for role in type.roles),
                examples=_first(type.examples, found.events.get(type.name, ()), examples),
            )
            for type in clean.events
        ),
    )
    return richer, _added(library, clean, richer)


def without_examples(library: SchemaLibrary, exclude: Collection[str]) -> SchemaLibrary:
    """The library without the examples that are, or hold, an excluded mention; triggers stay (see ``examples``)."""
    if not exclude:
        return library
    return SchemaLibrary(
        tuple(replace(type, examples=_untold(type.examples, exclude)) for type in library.entities),
        tuple(replace(type, examples=_untold(type.examples, exclude)) for type in library.relations),
        library.events,
    )


T = TypeVar("T")
E = TypeVar("E", bound=Example)


def _untold(examples: tuple[E, ...], exclude: Collection[str]) -> tuple[E, ...]:
    return tuple(example for example in examples if not tells(example, exclude))


def _first(given: tuple[T, ...], found: tuple[T, ...], limit: int) -> tuple[T, ...]:
    """What was given, all of it, and as many of the found as fit under the limit."""
    return given + tuple(item for item in found if item not in given)[: max(0, limit - len(given))]


def _hint(slot: Slot, fillers: dict[Slot, Counter[str]], library: SchemaLibrary, hints: HintRules) -> tuple[str, ...]:
    return hint_types(fillers[slot], library, hints.threshold, hints.width) if slot in fillers else ()


def _added(before: SchemaLibrary, clean: SchemaLibrary, after: SchemaLibrary) -> dict[str, int]:
    counts = Counter({"types with new examples": 0, "examples": 0, "examples left out": 0, "slots with new hints": 0})
    for old, kept, new in zip(before, clean, after, strict=True):
        counts["types with new examples"] += len(new.examples) > len(kept.examples)
        counts["examples"] += len(new.examples) - len(kept.examples)
        counts["examples left out"] += len(old.examples) - len(kept.examples)
        counts["slots with new hints"] += sum(one != other for one, other in zip(_slots(old), _slots(new), strict=True))
    return dict(counts)


def _slots(concept: Concept) -> list[tuple[str, ...]]:
    """The type hints of each slot."""
    if isinstance(concept, EntityType):
        return []
    return [concept.head, concept.tail] if isinstance(concept, RelationType) else [role.types for role in concept.roles]
