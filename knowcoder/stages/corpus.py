"""`world` and `corpus`."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from typing import TYPE_CHECKING

from knowcoder import artefact, config
from knowcoder.errors import DataError
from knowcoder.stages.shared import checked_inputs, facts_of, in_words, need

if TYPE_CHECKING:
    from knowcoder.corpus.reading import Corpus


def world(settings: config.WorldConfig) -> None:
    """Make the demonstration world."""
    from knowcoder.corpus.reading import Corpus
    from knowcoder.corpus.sentence import LabelSet
    from knowcoder.schema.library import SchemaLibrary
    from knowcoder.world.generate import generate_world

    with artefact.writing(settings.output, "world", settings, {}) as output:
        made = generate_world(settings.seed, settings.sentences, settings.test_sentences)
        library = SchemaLibrary(tuple(made.entities), tuple(made.relations), tuple(made.events))
        labels = LabelSet(
            entities=library.names("entity"), relations=library.names("relation"), events=library.names("event")
        )
        corpus = Corpus({"train": made.train, "dev": made.dev, "test": made.test}, {"world": labels})
        for name, part in (("schema", library), ("corpus", corpus)):
            manifest = artefact.new_manifest(name, settings, {})
            part.save(output.directory / name)
            manifest.facts, manifest.state = facts_of(part), "complete"
            manifest.save(output.directory / name)
    sentences = {split: len(part) for split, part in corpus.splits.items()}
    print(f"{settings.output}: {in_words(facts_of(library))} types; {in_words(sentences)} sentences")


def corpus(settings: config.CorpusConfig) -> None:
    """Read an annotated corpus, or list the benchmarks."""
    from knowcoder.corpus import benchmark
    from knowcoder.corpus.overlap import duplicates, overlaps

    if settings.list:
        for name in benchmark.names():
            print(f"{name:<24} {benchmark.load(name).title}")
        return
    need(settings, "output", "input")
    inputs = checked_inputs(settings)
    with artefact.writing(settings.output, "corpus", settings, inputs) as output:
        read = _read_benchmarks(settings) if settings.benchmark else _read(settings)
        if not any(read.splits.values()):
            raise DataError(f"input={settings.input}: no sentence in it; look at format={settings.format} and its keys")
        read.save(output.directory)
        shared, twice = overlaps(read.splits), duplicates(read.splits)
        said = {f"{later} in {earlier}": asdict(found) for (later, earlier), found in shared.items()}
        output.manifest.facts = facts_of(read) | {"duplicates": twice, "overlap": said}
        counts = read.counts.values()
        output.manifest.counts = artefact.Counts(
            sum(split["read"] for split in counts),
            sum(split["kept"] for split in counts),
            dict(Counter(reject.reason for reject in read.rejects)),
        )
    for warning in read.warnings:
        print(f"warning: {warning}")
    print(f"{settings.output}: {in_words({k: v['sentences'] for k, v in read.tally().items()})} sentences")
    if any(twice.values()):
        print(f"sentences that stand twice: {in_words({split: count for split, count in twice.items() if count})}")
    for (later, earlier), found in shared.items():
        print(f"{later}: {found} stand in {earlier} too")


def _read_benchmarks(settings: config.CorpusConfig) -> Corpus:
    from knowcoder.corpus.benchmark import read_benchmarks

    return read_benchmarks(settings.benchmark, settings.input, settings.train_on_dev)


def _read(settings: config.CorpusConfig) -> Corpus:
    from knowcoder.corpus.files import classes_from, read_files, split_files
    from knowcoder.schema.library import SchemaLibrary

    library = SchemaLibrary.load(settings.schema) if settings.schema else None
    classes = classes_from(settings.labels, library)
    return read_files(split_files(settings.input), settings, settings.source, classes, settings.language)
