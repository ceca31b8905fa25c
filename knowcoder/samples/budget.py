"""The token budget: over-long samples lose negative classes, then examples, then descriptions, and nothing else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice

from knowcoder.codec.wrapper import Wrapper
from knowcoder.samples.sample import Sample
from knowcoder.schema.render import Style

_BATCH = 1024


@dataclass(frozen=True, slots=True)
class Draft:
    """A sample that can still be written shorter.

    ``write(negatives, style)`` renders it with a prefix of ``negatives``; the sentence, the gold classes and
    the answer are always in it.
    """

    negatives: tuple[str, ...]
    write: Callable[[Sequence[str], Style], Sample]


@dataclass(slots=True)
class Budget:
    """Counts tokens with the training tokenizer and keeps samples within ``max_length``.

    Attributes:
        shortened: samples that were written shorter.
        rejected: reason -> what it has kept out.
    """

    wrapper: Wrapper
    max_length: int
    shortened: int = 0
    rejected: Counter[str] = field(default_factory=Counter)

    def fit(self, drafts: Iterator[Draft], style: Style) -> Iterator[Sample]:
        """Yield the samples that fit, shortened where they must be; count the others."""
        while batch := list(islice(drafts, _BATCH)):
            samples = [draft.write(draft.negatives, style) for draft in batch]
            for draft, sample, length in zip(batch, samples, self.lengths(samples), strict=True):
                fitting = sample if length <= self.max_length else self._shorten(draft, style)
                if fitting is None:
                    self.reject_long()
                    continue
                self.shortened += fitting is not sample
                yield fitting

    def reject_long(self) -> None:
        """Count what does not fit in any form."""
        self.rejected[f"longer than {self.max_length} tokens"] += 1

    def lengths(self, samples: Iterable[Sample]) -> list[int]:
        """Tokens of samples as they are trained: wrapped prompt, completion and end."""
        return self.wrapper.lengths([(sample.prompt, sample.completion) for sample in samples])

    def length(self, sample: Sample) -> int:
        """Tokens of one sample."""
        return self.lengths([sample])[0]

    def _shorten(self, draft: Draft, style: Style) -> Sample | None:
        """The longest form that fits, or None."""
        kept = self._most_negatives(draft, style)
        if kept is not None:
            return kept
        without_examples = replace(style, examples=0)
        for poorer in (without_examples, replace(without_examples, descriptions=False)):
            sample = draft.write((), poorer)
            if self.length(sample) <= self.max_length:
                return sample
        return None

    def _most_negatives(self, draft: Draft, style: Style) -> Sample | None:
        """The form with the most negatives that fits, by bisection; None if it does not fit without any."""
        fitting = draft.write((), style)
        if self.length(fitting) > self.max_length:
            return None
        fits, too_many = 0, len(draft.negatives)
        while too_many - fits > 1:
            middle = (fits + too_many) // 2
            sample = draft.write(draft.negatives[:middle], style)
            if self.length(sample) <= self.max_length:
                fitting, fits = sample, middle
            else:
                too_many = middle
        return fitting
