"""Which classes a training sample offers beside the gold ones (KnowCoder, section 3.2.2)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from knowcoder.samples.draw import Draw
from knowcoder.schema.library import KINDS, SchemaLibrary


@dataclass(frozen=True, slots=True)
class NegativeSampling:
    """How many classes that a sentence does not have are offered, and which.

    Attributes:
        rate: other classes per gold class, rounded up.
        fully_negative: share of samples that are offered only other classes, and whose answer is empty.
        fully_negative_classes: classes offered to those, and to sentences without gold.
        whole: share of samples that are offered the whole label set, as every sentence is at prediction.
        near: class -> classes that are taken for it; they are offered before random ones.
    """

    rate: float = 0.2
    fully_negative: float = 0.05
    fully_negative_classes: int = 5
    whole: float = 0.0
    near: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def offer(self, gold: Sequence[str], label_set: Sequence[str], draw: Draw) -> tuple[list[str], list[str]]:
        """Draw the classes of one sample.

        Returns:
            (gold classes that are offered, other classes that are offered), both without order.
        """
        if draw.chance(self.whole):
            known = set(gold)
            return list(gold), [name for name in label_set if name not in known]
        if not gold or draw.chance(self.fully_negative):
            return [], draw.sample(label_set, self.fully_negative_classes, set(gold))
        return list(gold), self._others(gold, label_set, math.ceil(self.rate * len(gold)), draw)

    def _others(self, gold: Sequence[str], label_set: Sequence[str], count: int, draw: Draw) -> list[str]:
        known = set(gold)
        if not self.near:
            return draw.sample(label_set, count, known)
        offered = set(label_set)
        near = dict.fromkeys(name for own in gold for name in self.near.get(own, ()) if name in offered)
        found = draw.sample(list(near), count, known)
        return found + draw.sample(label_set, count - len(found), known.union(found))


def siblings(library: SchemaLibrary) -> dict[str, tuple[str, ...]]:
    """Class -> the classes of its kind with the same parent, itself among them; those without a parent are siblings."""
    families: dict[tuple[str, str | None], list[str]] = {}
    for kind in KINDS:
        for concept in library.of_kind(kind):
            families.setdefault((kind, concept.parent), []).append(concept.name)
    return {name: family for family in map(tuple, families.values()) for name in family}
