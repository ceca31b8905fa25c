"""The token budget: over-long samples lose negative classes, then examples, then descriptions, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from knowcoder.codec.wrapper import Wrapper
from knowcoder.samples.sample import Sample
from knowcoder.schema.render import Style

_BATCH = 2048


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
    """Counts tokens with the training tokenizer and keeps samples within ``max_length``."""

    wrapper: Wrapper
    max_length: int
    shortened: int = 0
    rejected: int = 0

    def fit(self, drafts: Iterator[Draft], style: Style) -> Iterator[Sample]:
        """Yield the samples that fit, shortened where they must be; count the rest as rejected."""
        batch: list[Draft] = []
        for draft in drafts:
            batch.append(draft)
            if len(batch) == _BATCH:
                yield from self._fit_batch(batch, style)
                batch.clear()
        yield from self._fit_batch(batch, style)

    def length(self, sample: Sample) -> int:
        """Tokens of a sample as it is trained: wrapped prompt, completion and end."""
        return self.wrapper.count(sample.prompt, sample.completion)

    def _fit_batch(self, drafts: list[Draft], style: Style) -> Iterator[Sample]:
        samples = [draft.write(draft.negatives, style) for draft in drafts]
        encoded = self.wrapper.encode_many([(sample.prompt, sample.completion) for sample in samples])
        for draft, sample, (prompt, completion) in zip(drafts, samples, encoded, strict=True):
            if len(prompt) + len(completion) <= self.max_length:
                yield sample
                continue
            shorter = self._shorten(draft, style)
            if shorter is None:
                self.rejected += 1
            else:
                self.shortened += 1
                yield shorter

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
