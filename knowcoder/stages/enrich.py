"""`enrich`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from knowcoder import artefact, config
from knowcoder.errors import ConfigError
from knowcoder.stages.shared import checked_inputs, facts_of, in_words, progress

if TYPE_CHECKING:
    from knowcoder.enrich.describe import Described
    from knowcoder.schema.library import SchemaLibrary


def enrich(settings: config.EnrichConfig) -> None:
    """Add examples and type hints from annotated text, and descriptions by a language model, to a library."""
    from knowcoder.corpus.reading import read_split, split_names
    from knowcoder.enrich.enrich import HintRules
    from knowcoder.enrich.enrich import enrich as enrich_library
    from knowcoder.enrich.examples import mentions_of
    from knowcoder.schema.library import SchemaLibrary
    from knowcoder.schema.package import write_package

    inputs = checked_inputs(settings)
    if not (settings.corpus or settings.describe.url):
        raise ConfigError("missing corpus= (for examples and type hints) or describe.url= (for descriptions)")
    if settings.describe.url and not settings.describe.model:
        raise ConfigError("missing describe.model=")
    with artefact.writing(settings.output, "schema", settings, inputs) as output:
        sentences = read_split(settings.corpus, "train") if settings.corpus else iter(())
        held_out = [(other, split) for other in settings.exclude for split in split_names(other) if split != "train"]
        for other in settings.exclude:
            if other not in dict(held_out):
                raise ConfigError(f"exclude={other}: has neither dev nor test split, so it would keep nothing out")
        excluded = mentions_of(sentence for other, split in held_out for sentence in read_split(other, split))
        hints = HintRules(settings.hints.threshold, settings.hints.width)
        library = SchemaLibrary.load(settings.schema)
        library, counts = enrich_library(library, sentences, settings.examples, excluded, hints)
        if settings.describe.url:
            library, described = _described(library, settings)
            counts |= {"descriptions": described.asked + described.cached, "from the cache": described.cached}
            counts["without an answer"] = described.failed.total()
            output.manifest.facts["unanswered"] = dict(described.failed)
        library.save(output.directory)
        write_package(library, output.directory)
        output.manifest.facts |= facts_of(library) | {"added": counts}
    print(f"{settings.output}: {in_words(counts)}")


def _described(library: SchemaLibrary, settings: config.EnrichConfig) -> tuple[SchemaLibrary, Described]:
    from knowcoder.enrich.describe import Cache, describe
    from knowcoder.server import KEY_VARIABLE, Server

    asked = settings.describe
    cache = Cache(asked.cache or f"{settings.output.rstrip('/')}.answers.jsonl")
    key = os.environ.get(KEY_VARIABLE, "").strip()
    with Server(asked.url, asked.model, asked.api, asked.max_tokens, asked.retries, key) as server:
        return describe(library, server, cache, asked.concurrency, lambda done: progress(done, "describe", "types"))
