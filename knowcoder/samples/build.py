"""The samples of a training phase, from a configuration."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import TYPE_CHECKING, cast

from knowcoder.config import SamplesConfig
from knowcoder.corpus.reading import load_labels, load_split
from knowcoder.errors import ConfigError
from knowcoder.samples.budget import Budget
from knowcoder.samples.following import following_drafts
from knowcoder.samples.negatives import NegativeSampling
from knowcoder.samples.sample import Sample
from knowcoder.samples.understanding import definition_samples, instance_drafts
from knowcoder.schema.library import SchemaLibrary
from knowcoder.schema.render import Style

if TYPE_CHECKING:
    from knowcoder.schema.concepts import Task


def build_samples(settings: SamplesConfig, budget: Budget) -> Iterator[Sample]:
    """Yield the samples that fit the budget, which counts the others.

    Raises:
        ConfigError: the phase needs a corpus and has none.
    """
    library = SchemaLibrary.load(settings.schema)
    style = Style(**vars(settings.style))
    if settings.phase == "understanding":
        yield from definition_samples(library, style, budget, settings.passes, settings.seed)
        if settings.corpus:
            sentences = load_split(settings.corpus, settings.split)
            yield from budget.fit(instance_drafts(sentences, library), style)
        return
    if not settings.corpus:
        raise ConfigError(f"phase={settings.phase} learns from annotated sentences; give corpus=")
    sentences, labels = load_split(settings.corpus, settings.split), load_labels(settings.corpus)
    sampling = NegativeSampling(
        settings.negatives, settings.fully_negative, settings.fully_negative_classes, settings.whole
    )
    drafts = (
        following_drafts(
            sentences, labels, library, cast("list[Task]", settings.tasks), sampling, settings.seed + number
        )
        for number in range(settings.passes)
    )
    yield from budget.fit(chain.from_iterable(drafts), style)
