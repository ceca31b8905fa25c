"""`enrich`."""

from __future__ import annotations

from knowcoder import artefact, config
from knowcoder.stages.shared import checked_inputs, facts_of, in_words


def enrich(settings: config.EnrichConfig) -> None:
    """Add examples and type hints from annotated text to a library."""
    from knowcoder.corpus.reading import load_split, split_names
    from knowcoder.enrich.enrich import enrich as enrich_library
    from knowcoder.enrich.examples import mentions_of
    from knowcoder.schema.library import SchemaLibrary

    inputs = checked_inputs(settings)
    with artefact.writing(settings.output, "schema", settings, inputs) as output:
        sentences = load_split(settings.corpus, "train")
        held_out = [(other, split) for other in settings.exclude for split in split_names(other) if split != "train"]
        excluded = mentions_of(sentence for other, split in held_out for sentence in load_split(other, split))
        library, counts = enrich_library(SchemaLibrary.load(settings.schema), sentences, settings.examples, excluded)
        library.save(output.directory)
        output.manifest.facts = facts_of(library) | {"added": counts}
    print(f"{settings.output}: {in_words(counts)}")
