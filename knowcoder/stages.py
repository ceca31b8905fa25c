"""One function per verb: check the inputs, call the package that does the work, write the artefact.

Heavy imports stand inside the functions, so that the command and the light verbs start without torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from knowcoder import artefact, config, jsonl
from knowcoder.errors import ConfigError

if TYPE_CHECKING:
    from knowcoder.corpus.reading import Corpus
    from knowcoder.schema.library import SchemaLibrary
    from knowcoder.schema.render import Style


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
            manifest.facts, manifest.state = _facts(part), "complete"
            manifest.save(output.directory / name)


def _facts(made: SchemaLibrary | Corpus) -> dict[str, Any]:
    """What a manifest says of a library or a corpus."""
    from knowcoder.schema.library import KINDS, SchemaLibrary

    if isinstance(made, SchemaLibrary):
        return {kind: len(made.names(kind)) for kind in KINDS}
    return {"splits": made.tally(), "sources": sorted(made.labels), "warnings": made.warnings}


def schema(settings: config.SchemaConfig) -> None:
    """Read a schema library from a source, or show one of its types."""
    from knowcoder.schema.library import SchemaLibrary
    from knowcoder.schema.source import library_of, name_concepts, unite

    inputs = checked_inputs(settings)
    if settings.show:
        return _show(settings)
    _need(settings, "output")
    with artefact.writing(settings.output, "schema", settings, inputs) as output:
        concepts, counts = _read_schema(settings)
        for other in settings.merge:
            concepts += list(SchemaLibrary.load(other))
        library = library_of(name_concepts(unite(concepts)))
        library.save(output.directory)
        output.manifest.facts = _facts(library) | {"counts": counts}
    print(f"{settings.output}: {_sentence_of(_facts(library))}")


def corpus(settings: config.CorpusConfig) -> None:
    """Read an annotated corpus, or list the benchmarks."""
    from knowcoder.corpus import benchmark

    if settings.list:
        for name in benchmark.names():
            print(f"{name:<24} {benchmark.load(name).title}")
        return
    _need(settings, "output", "input")
    inputs = checked_inputs(settings)
    with artefact.writing(settings.output, "corpus", settings, inputs) as output:
        read = benchmark.read_benchmarks(settings.benchmark, settings.input) if settings.benchmark else _read(settings)
        read.save(output.directory)
        output.manifest.facts = _facts(read)
        output.manifest.counts = _sum_counts(read)
    for warning in read.warnings:
        print(f"warning: {warning}")
    print(f"{settings.output}: {_sentence_of({k: v['sentences'] for k, v in read.tally().items()})} sentences")


def init(settings: config.InitConfig) -> None:
    """Make a model with random weights, and a tokenizer trained on schema and text."""
    from knowcoder.checkpoint.init import init_model

    inputs = checked_inputs(settings)
    with artefact.writing(settings.output, "model", settings, inputs) as output:
        texts = Path(settings.tokenizer) if settings.tokenizer else _tokenizer_texts(settings)
        made = init_model(settings.config, texts, settings.vocab_size, settings.seed, output.directory)
        output.manifest.facts = asdict(made)
    print(f"{settings.output}: {made.parameters:,} parameters, {made.vocab_size:,} tokens")


def _tokenizer_texts(settings: config.InitConfig) -> Iterator[str]:
    """What the model will read and write: definitions, and sentences with their answers."""
    from knowcoder.codec.answer import build_answer
    from knowcoder.codec.prompt import definitions
    from knowcoder.corpus.reading import load_split
    from knowcoder.schema.library import SchemaLibrary
    from knowcoder.schema.render import Style

    library = SchemaLibrary.load(settings.schema) if settings.schema else SchemaLibrary()
    yield from (definitions([concept.name], library, Style()) for concept in library)
    for folder in settings.corpus:
        for sentence in load_split(folder, "train")[: settings.sentences]:
            yield sentence.text
            for task in sentence.tasks if settings.schema else ():
                yield build_answer(task, sentence.annotations, sentence.classes(task), library, Style())


def samples(settings: config.SamplesConfig) -> None:
    """Build training samples within the token budget."""
    from knowcoder.codec.wrapper import Wrapper
    from knowcoder.samples.budget import Budget
    from knowcoder.samples.build import build_samples

    inputs = checked_inputs(settings)
    with artefact.writing(settings.output, "samples", settings, inputs) as output:
        budget = Budget(Wrapper.from_folder(settings.tokenizer, settings.wrapper), settings.max_length)  # type: ignore[arg-type]
        built = _progress(build_samples(settings, budget), "samples", "sample")
        kept = jsonl.write(output.directory / "samples.jsonl", built)
        output.manifest.counts = artefact.Counts(
            kept + budget.rejected, kept, {f"longer than {settings.max_length} tokens": budget.rejected}
        )
        output.manifest.facts = {
            "tokenizer": _tokenizer_hash(settings.tokenizer),
            "card": {"style": asdict(settings.style), "wrapper": settings.wrapper, "max_length": settings.max_length},
            "shortened": budget.shortened,
        }
    print(f"{settings.output}: {kept:,} samples, {budget.shortened:,} shortened, {budget.rejected:,} rejected")


def _tokenizer_hash(folder: str) -> str:
    return artefact.fingerprint(Path(folder) / "tokenizer.json")


def pack(settings: config.PackConfig) -> None:
    """Pack samples into rows."""
    from knowcoder.codec.wrapper import Wrapper
    from knowcoder.packing.pack import pack as pack_samples
    from knowcoder.samples.sample import Sample

    inputs = checked_inputs(settings)
    card = _common_card(settings)
    with artefact.writing(settings.output, "packed", settings, inputs) as output:
        wrapper = Wrapper.from_folder(settings.tokenizer, card["wrapper"])
        stream = (sample for folder in settings.samples for sample in jsonl.read(Path(folder) / "samples.jsonl", Sample))
        made = pack_samples(stream, wrapper, settings.max_length, output.directory)
        output.manifest.counts = artefact.Counts(made.samples, made.samples)
        output.manifest.facts = asdict(made) | {
            "max_length": settings.max_length,
            "pad_token_id": wrapper.eos_id or 0,
            "card": card,
        }
    print(
        f"{settings.output}: {made.samples:,} samples in {made.rows:,} rows, {made.fill:.1%} full, "
        f"{made.tokens:,} tokens, {made.trained_tokens:,} of them trained"
    )


def _common_card(settings: config.PackConfig) -> dict[str, Any]:
    """How the samples were written; they must agree with each other and with what packing is asked for."""
    tokenizer, first = _tokenizer_hash(settings.tokenizer), None
    for folder in settings.samples:
        facts = artefact.require(folder, "samples", key="samples").facts
        card = facts["card"]
        if facts["tokenizer"] != tokenizer or card["max_length"] != settings.max_length:
            raise ConfigError(
                f"samples={folder}: built for max_length={card['max_length']} and their own tokenizer; "
                "pack with the same tokenizer and max_length"
            )
        if first is not None and card != first:
            raise ConfigError(f"samples={folder}: written in another style or wrapper than {settings.samples[0]}")
        first = card
    return first or {}


def checked_inputs(settings: Any) -> dict[str, str]:
    """Check every input that a configuration names and return key -> path.

    Raises:
        ArtefactError: an input is missing, of the wrong kind, or not complete.
    """
    keys = {key.name: key for key in config.keys_of(type(settings))}
    inputs = config.inputs_of(settings)
    for name, path in inputs.items():
        key = keys[name.partition("[")[0]]
        artefact.require(path, *key.kinds, key=name, foreign=key.foreign)
    return inputs


def _need(settings: Any, *names: str) -> None:
    missing = [name for name in names if not getattr(settings, name)]
    if missing:
        raise ConfigError(f"missing {', '.join(f'{name}=' for name in missing)}")


def _progress(items: Iterable[Any], what: str, unit: str) -> Iterable[Any]:
    from tqdm import tqdm

    return tqdm(items, desc=what, unit=f" {unit}", disable=None)
