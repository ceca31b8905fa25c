"""Which classes a training sample offers beside the gold ones (KnowCoder, section 3.2.2)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random


@dataclass(frozen=True, slots=True)
class NegativeSampling:
    """How many classes that a sentence does not have are offered.

    Attributes:
        rate: random other classes per gold class, rounded up.
        fully_negative: share of samples that are offered only other classes, and whose answer is empty.
        fully_negative_classes: classes offered to those, and to sentences without gold.
        whole: share of samples that are offered the whole label set, as every sentence is at prediction.
    """

    rate: float = 0.2
    fully_negative: float = 0.05
    fully_negative_classes: int = 5
    whole: float = 0.0

    def offer(self, gold: Sequence[str], label_set: Sequence[str], random: Random) -> tuple[list[str], list[str]]:
        """Draw the classes of one sample.

        Returns:
            (gold classes that are offered, other classes that are offered), both without order.
        """
        known = set(gold)
        others = [name for name in label_set if name not in known]
        draw = random.random()
        if draw < self.whole:
            return list(gold), others
        if not gold or draw < self.whole + (1 - self.whole) * self.fully_negative:
            return [], random.sample(others, min(self.fully_negative_classes, len(others)))
        return list(gold), random.sample(others, min(math.ceil(self.rate * len(gold)), len(others)))
