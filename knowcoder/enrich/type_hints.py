"""Type hints from co-occurrence: which entity types fill the slots of relations and events in annotated text.

The paper derives its constraints so (KnowCoder, section 2.2) but states no threshold. Here: types that fill
less than a share of a slot are noise, and a union that is too wide is lifted to common ancestors.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import combinations

from knowcoder.corpus.sentence import Mention, Sentence
from knowcoder.schema.library import SchemaLibrary

Slot = tuple[str, str]
"""Class name of a relation or event, and "head", "tail" or a role."""
UNTYPED = "Entity"


def count_fillers(sentence: Sentence, counts: dict[Slot, Counter[str]]) -> None:
    """Count how often each slot is filled by a mention of each type (class names)."""

    def add(type: str, slot: str, mention: Mention) -> None:
        counts.setdefault((type, slot), Counter())[mention.type] += 1

    for relation in sentence.relations:
        add(relation.type, "head", relation.head)
        add(relation.type, "tail", relation.tail)
    for event in sentence.events:
        for argument in event.arguments:
            add(event.type, argument.role, argument.mention)


def hint_types(fillers: Counter[str], library: SchemaLibrary, threshold: float, width: int) -> tuple[str, ...]:
    """The entity type ids that a slot's fillers suggest; empty for any entity.

    Args:
        fillers: class name -> how often it filled the slot. Where untyped fillers or names that the library
            lacks reach the threshold, nothing is concluded.
        threshold: the share of all fillers that a type needs to count.
        width: types in the union, at most; a wider one is lifted, the closest types first.
    """
    total = fillers.total()
    frequent = [name for name, count in sorted(fillers.items()) if count >= threshold * total]
    if any(name == UNTYPED or name not in library for name in frequent):
        return ()
    types = _without_descendants([library.by_name(name).id for name in frequent], library)
    while len(types) > width:
        lifted = _lift_closest(types, library)
        if lifted is None:
            return ()
        types = _without_descendants(lifted, library)
    return tuple(sorted(types))


def _without_descendants(types: Iterable[str], library: SchemaLibrary) -> list[str]:
    """Leave out types that another type of the union covers."""
    union = set(types)
    return sorted(type for type in union if not union.intersection(library.ancestors(type)))


def _lift_closest(types: Sequence[str], library: SchemaLibrary) -> list[str] | None:
    """Put the lowest common ancestor in the place of the two types that have the deepest one, if any have one."""
    common = [
        (len(library.ancestors(ancestor)), ancestor)
        for one, other in combinations(types, 2)
        if (ancestor := lowest_common_ancestor(one, other, library)) is not None
    ]
    return None if not common else [*types, max(common)[1]]


def lowest_common_ancestor(one: str, other: str, library: SchemaLibrary) -> str | None:
    """The nearest type that is above, or is, both types; None if they have nothing in common."""
    above = {other, *library.ancestors(other)}
    return next((type for type in (one, *library.ancestors(one)) if type in above), None)
