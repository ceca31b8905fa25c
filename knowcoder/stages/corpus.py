"""`world` and `corpus`."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, replace
from typing import TYPE_CHECKING

from knowcoder import artefact, config
from knowcoder.errors import ConfigError, DataError
from knowcoder.stages.shared import checked_inputs, facts_of, in_words, need

if TYPE_CHECKING:
    from collections.abc import Sequence

    from knowcoder.corpus.linker import Linker
    from knowcoder.corpus.reading import Corpus
    from knowcoder.corpus.sentence import Sentence
    from knowcoder.schema.library import SchemaLibrary


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
    from knowcoder.corpus.overlap import duplicates, overlaps

    if settings.list:
        _list()
        return
    need(settings, "output", *([] if settings.dataset else ["input"]))
    inputs = checked_inputs(settings)
    with artefact.writing(settings.output, "corpus", settings, inputs) as output:
        read = _read(settings)
        if not any(read.splits.values()):
            asked = settings.input or settings.dataset
            raise DataError(f"input={asked}: no sentence in it; look at format={settings.format} and its keys")
        _draw(read, settings)
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
        print(f"WARNING: {warning}")
    print(f"{settings.output}: {in_words({k: v['sentences'] for k, v in read.tally().items()})} sentences")
    if any(twice.values()):
        print(f"sentences that stand twice: {in_words({split: count for split, count in twice.items() if count})}")
    for (later, earlier), found in shared.items():
        where = f" ({in_words(found.sources)})" if found.sources and len(read.labels) > 1 else ""
        print(f"{later}: {found} stand in {earlier} too{where}")


def _list() -> None:
    from knowcoder.corpus.registry import load, names

    row = "{:<20} {:<11} {:<4} {:>7} {:>16} {:>15} {:>15}  {:<8}  {}"
    print(row.format("name", "tasks", "text", "types", "train", "dev", "test", "verified", "licence"))
    for name in names():
        known = load(name)
        tasks, verified = " ".join(known.asked), "yes" if known.verified else "no"
        print(row.format(name, tasks, known.language, *known.size.values(), verified, known.licence))
    print("sentences and types as the files have them; in parentheses as the published table counts, where it differs")


def _read(settings: config.CorpusConfig) -> Corpus:
    from knowcoder.corpus.linker import Linker
    from knowcoder.corpus.reading import Corpus
    from knowcoder.corpus.stored import Stored
    from knowcoder.schema.library import SchemaLibrary

    if settings.input and artefact.read_manifest(settings.input):
        for name in ("benchmark", "types"):
            if getattr(settings, name):
                raise ConfigError(f"input={settings.input}: is a corpus already; leave {name} out, or give raw files")
        return replace(Corpus.load(settings.input), rejects=Stored(artefact.Reject))
    named = settings.schema or settings.types
    library = SchemaLibrary.load(named) if named else None
    if library is None or not settings.types:
        return _read_raw(settings, library, None)
    linker = Linker(library)
    _read_raw(settings, library, linker)  # finds out which entities are named
    linker.load(settings.types, settings.names)
    return _read_raw(settings, library, linker)


def _read_raw(settings: config.CorpusConfig, library: SchemaLibrary | None, linker: Linker | None) -> Corpus:
    from knowcoder.corpus.benchmark import read_benchmarks
    from knowcoder.corpus.files import classes_from, read_dataset, read_files, split_files

    if settings.benchmark:
        also = (settings.train_on_dev, settings.keep_other, library, linker)
        return read_benchmarks(settings.benchmark, settings.input, *also)
    classes = replace(classes_from(settings.labels, library), linker=linker)
    if settings.dataset:
        about = (settings.source, classes, settings.language)
        return read_dataset(settings.dataset, settings.subset, settings, *about)
    return read_files(
        split_files(settings.input, settings.format), settings, settings.source, classes, settings.language
    )


def _draw(corpus: Corpus, settings: config.CorpusConfig) -> None:
    """Add the splits that the keys ask for, and draw the test text."""
    from knowcoder.corpus import sampling

    def split(name: str, key: str) -> Sequence[Sentence]:
        if name not in corpus.splits:
            raise ConfigError(f"{key}: there is no split {name} to draw from; there are: {', '.join(corpus.splits)}")
        return corpus.splits[name]

    if settings.shares:
        corpus.splits |= sampling.shares(split("train", "shares"), settings.shares, settings.seed)
    if settings.few:
        seed = settings.seed if settings.few_from == "random" else None
        corpus.splits[f"few-{settings.few}"] = sampling.few(split("train", "few"), settings.few, seed)
    if settings.sampled:
        corpus.splits["test"] = sampling.sampled_test(split("test", "sampled"), settings.seed)
