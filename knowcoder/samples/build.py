"""The samples of a training phase, from a configuration: one unit of its plan at a time."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from itertools import chain
from pathlib import Path
from typing import Any, cast

from knowcoder import jsonl
from knowcoder.codec.prompt import InstanceOrder
from knowcoder.codec.wrapper import Wrapper, WrapperKind
from knowcoder.config import SamplesConfig
from knowcoder.corpus.reading import load_labels
from knowcoder.corpus.sentence import Sentence
from knowcoder.errors import ConfigError
from knowcoder.samples.budget import Budget
from knowcoder.samples.following import Form, Recipe, SampleTask, following_drafts
from knowcoder.samples.negatives import NegativeSampling, siblings
from knowcoder.samples.plan import Unit, drawn, split_file
from knowcoder.samples.published import published_drafts
from knowcoder.samples.sample import Sample
from knowcoder.samples.understanding import definition_lengths, definition_samples, instance_drafts
from knowcoder.schema.library import SchemaLibrary
from knowcoder.schema.render import Style


class Builder:
    """Builds the samples of units; what they share is read once."""

    def __init__(self, settings: SamplesConfig) -> None:
        self.settings = settings
        self.style = Style(**vars(settings.style))
        self.wrapper = Wrapper.from_folder(settings.tokenizer, cast(WrapperKind, settings.wrapper))
        self.library = SchemaLibrary.load(settings.schema) if settings.schema else SchemaLibrary()
        self.labels = [load_labels(path) for path in settings.corpus]
        self.sampling = NegativeSampling(
            settings.negatives,
            settings.fully_negative,
            settings.fully_negative_classes,
            settings.whole,
            _near(settings, self.library),
        )
        self.form = Form(
            classes_per_prompt=settings.classes_per_prompt,
            drop_descriptions=settings.drop_descriptions,
            drop_examples=settings.drop_examples,
            mask_names=settings.mask_names,
            tagged=settings.phase == "refinement",
        )

    def budget(self) -> Budget:
        """An empty account."""
        return Budget(self.wrapper, self.settings.max_length)

    def build(self, unit: Unit, budget: Budget) -> Iterator[Sample]:
        """Yield a unit's samples that fit the budget, which counts the others."""
        key = f"{self.settings.seed}/{unit.round}"
        if unit.kind == "definitions":
            return definition_samples(self.library, self.style, budget, self._lengths, f"{key}/definitions")
        if unit.kind == "rows":
            return budget.fit(published_drafts(self._rows(unit), budget.rejected), self.style)
        sentences = drawn(self._sentences(unit), unit, f"{self.settings.seed}/{unit.input}")
        if self.settings.phase == "understanding":
            order = cast(InstanceOrder, self.settings.instances)
            return budget.fit(instance_drafts(sentences, self.library, order), self.style)
        recipe = Recipe(
            library=self.library,
            labels=self.labels[unit.input],
            tasks=cast("list[SampleTask]", self.settings.tasks),
            sampling=self.sampling,
            form=self.form,
            key=key,
        )
        return budget.fit(following_drafts(sentences, recipe), self.style)

    @cached_property
    def _lengths(self) -> dict[str, int]:
        return definition_lengths(self.library, self.style, self.budget())

    def _sentences(self, unit: Unit) -> Iterator[Sentence]:
        return jsonl.read(split_file(self.settings.corpus[unit.input], self.settings.split), Sentence, unit.part)

    def _rows(self, unit: Unit) -> Iterator[tuple[str, dict[str, Any]]]:
        path = self.settings.rows[unit.input]
        for line, row in enumerate(jsonl.read(path, dict[str, Any], unit.part), unit.part.line):
            yield f"{Path(path).stem}-{line}", row


def _near(settings: SamplesConfig, library: SchemaLibrary) -> dict[str, tuple[str, ...]]:
    """Class -> those that are offered before random ones."""
    if settings.negatives_from == "random":
        return {}
    if settings.negatives_from == "siblings":
        return siblings(library)
    if not settings.confused:
        raise ConfigError("negatives_from=confused takes classes from a list; give confused=FILE")
    near: dict[str, tuple[str, ...]] = jsonl.read_json(settings.confused, dict[str, tuple[str, ...]])
    if unknown := sorted({*near, *chain.from_iterable(near.values())} - {concept.name for concept in library}):
        raise ConfigError(f"confused={settings.confused}: {unknown[0]!r} is no class of the schema; take it out")
    return near
