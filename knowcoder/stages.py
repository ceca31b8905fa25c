"""One function per verb: check the inputs, call the package that does the work, write the artefact.

Heavy imports stand inside the functions, so that the command and the light verbs start without torch.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, fields, is_dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from knowcoder import artefact, config, jsonl
from knowcoder.errors import ConfigError, DataError, ModelError

if TYPE_CHECKING:
    from knowcoder.corpus.reading import Corpus
    from knowcoder.corpus.sentence import LabelSet, Sentence
    from knowcoder.schema.concepts import Task
    from knowcoder.schema.library import SchemaLibrary
    from knowcoder.schema.source import SchemaSource


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
    sentences = {split: len(part) for split, part in corpus.splits.items()}
    print(f"{settings.output}: {_in_words(_facts(library))} types; {_in_words(sentences)} sentences")


def _facts(made: SchemaLibrary | Corpus) -> dict[str, Any]:
    """What a manifest says of a library or a corpus."""
    from knowcoder.schema.library import KINDS, SchemaLibrary

    if isinstance(made, SchemaLibrary):
        return {kind: len(made.names(kind)) for kind in KINDS}
    return {"splits": made.tally(), "sources": sorted(made.labels), "warnings": made.warnings}


def schema(settings: config.SchemaConfig) -> None:
    """Read a schema library from a source, or show one of its types."""
    from knowcoder.corpus.benchmark import schema_of_all
    from knowcoder.schema.library import SchemaLibrary
    from knowcoder.schema.source import SchemaSource, library_of, merge

    inputs = checked_inputs(settings)
    if settings.show:
        _need(settings, "schema")
        print(_shown(SchemaLibrary.load(settings.schema), settings.show))
        return
    _need(settings, "output")
    with artefact.writing(settings.output, "schema", settings, inputs) as output:
        source = SchemaSource(schema_of_all(settings.benchmark, settings.input))
        if not settings.benchmark:
            _need(settings, "input")
            source = _read_source(settings)
        concepts, source.counts["renamed in merging"] = merge(source.concepts, *map(SchemaLibrary.load, settings.merge))
        library = library_of(concepts)
        if not library:
            raise DataError(f"input={settings.input}: holds no type; look at source={settings.source} and the file")
        if settings.only_for:
            library = _offered(library, settings.only_for)
        library.save(output.directory)
        if source.rejects:
            rejects = ({"reason": reason, "value": value} for reason, value in source.rejects)
            jsonl.write(output.directory / "rejects.jsonl", rejects)
        if source.facts:
            facts = ({"id": id, "types": types} for id, types in source.facts.items())
            jsonl.write(output.directory / "facts.jsonl", facts)
        output.manifest.facts = _facts(library) | {"source": dict(source.counts)}
    print(f"{settings.output}: {_in_words(_facts(library))} types")


def _offered(library: SchemaLibrary, corpora: Iterable[str]) -> SchemaLibrary:
    """The part of a library that the label sets of corpora need."""
    from knowcoder.corpus.reading import load_labels

    labels = [offered for corpus in corpora for offered in load_labels(corpus).values()]
    return library.subset(name for offered in labels for name in offered.entities + offered.relations + offered.events)


def _read_source(settings: config.SchemaConfig) -> SchemaSource:
    from knowcoder.schema import json_source, kgtk, python_source, wikidata
    from knowcoder.schema.source import SchemaSource

    if settings.source == "python":
        return SchemaSource(list(python_source.read_python_files(settings.input)))
    if settings.source == "json":
        return json_source.read_json(settings.input)
    read = kgtk.read_kgtk if settings.source == "kgtk" else wikidata.read_wikidata
    return read(settings.input, settings.language)


def _shown(library: SchemaLibrary, name: str) -> str:
    """A type as code, with its place in the taxonomy."""
    from knowcoder.codec.prompt import definitions
    from knowcoder.schema.render import Style

    concept = library.by_name(name)
    path = [library.by_id(id).name for id in reversed(library.ancestors(concept.id))]
    return f"# {' > '.join([*path, name])}    id {concept.id}\n{definitions([name], library, Style())}"


def corpus(settings: config.CorpusConfig) -> None:
    """Read an annotated corpus, or list the benchmarks."""
    from knowcoder.corpus import benchmark
    from knowcoder.corpus.overlap import overlaps

    if settings.list:
        for name in benchmark.names():
            print(f"{name:<24} {benchmark.load(name).title}")
        return
    _need(settings, "output", "input")
    inputs = checked_inputs(settings)
    with artefact.writing(settings.output, "corpus", settings, inputs) as output:
        read = _read_benchmarks(settings) if settings.benchmark else _read(settings)
        if not any(read.splits.values()):
            raise DataError(f"input={settings.input}: no sentence in it; look at format={settings.format} and its keys")
        read.save(output.directory)
        shared = overlaps(read.splits)
        output.manifest.facts = _facts(read) | {"overlap with train": {k: asdict(v) for k, v in shared.items()}}
        counts = read.counts.values()
        output.manifest.counts = artefact.Counts(
            sum(split["read"] for split in counts),
            sum(split["kept"] for split in counts),
            dict(Counter(reject.reason for reject in read.rejects)),
        )
    for warning in read.warnings:
        print(f"warning: {warning}")
    print(f"{settings.output}: {_in_words({k: v['sentences'] for k, v in read.tally().items()})} sentences")
    if "test" in shared:
        print(f"test: {shared['test']}")


def _read_benchmarks(settings: config.CorpusConfig) -> Corpus:
    from knowcoder.corpus.benchmark import read_benchmarks

    return read_benchmarks(settings.benchmark, settings.input, settings.train_on_dev)


def _read(settings: config.CorpusConfig) -> Corpus:
    from knowcoder.corpus.columns import ColumnKeys
    from knowcoder.corpus.files import read_column_files, read_triple_files
    from knowcoder.corpus.triples import TripleKeys
    from knowcoder.schema.library import SchemaLibrary

    library = SchemaLibrary.load(settings.schema) if settings.schema else None
    if settings.format == "triples":
        if library is None:
            raise ConfigError("format=triples needs schema=, a library with their relations")
        return read_triple_files(settings.input, TripleKeys(), settings.source, library, settings.language)
    keys = ColumnKeys(
        separator=settings.separator,
        token=settings.token_column,
        tag=settings.tag_column,
        scheme=settings.scheme,  # type: ignore[arg-type]  # checked against the choices
        join=settings.joiner,
    )
    return read_column_files(settings.input, keys, settings.source, library, settings.language)


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
        output.manifest.facts = _facts(library) | {"added": counts}
    print(f"{settings.output}: {_in_words(counts)}")


def init(settings: config.InitConfig) -> None:
    """Make a model with random weights, and a tokenizer trained on schema and text."""
    from knowcoder.checkpoint.init import init_model

    inputs = checked_inputs(settings)
    if not inputs:
        raise ConfigError("nothing to train a tokenizer on; give schema= and corpus=, or a tokenizer=")
    with artefact.writing(settings.output, "model", settings, inputs) as output:
        texts = Path(settings.tokenizer) if settings.tokenizer else _tokenizer_texts(settings)
        made = init_model(settings.config, texts, settings.vocab_size, settings.seed, output.directory)
        output.manifest.facts = asdict(made)
    print(f"{settings.output}: {made.parameters:,} parameters, {made.vocab_size:,} tokens")


def _tokenizer_texts(settings: config.InitConfig) -> Iterator[str]:
    """What the model will read and write: definitions, prompts and answers; sentences alone without a library."""
    from knowcoder.codec.answer import build_answer
    from knowcoder.codec.prompt import build_prompt, definitions
    from knowcoder.corpus.reading import load_split
    from knowcoder.schema.library import SchemaLibrary
    from knowcoder.schema.render import Style

    library = SchemaLibrary.load(settings.schema) if settings.schema else SchemaLibrary()
    brief = Style(descriptions=False, examples=0)
    yield from (definitions([concept.name], library, Style()) for concept in library)
    for folder in settings.corpus:
        for sentence in load_split(folder, "train")[: settings.sentences]:
            if not settings.schema:
                yield sentence.text
            for task in sentence.tasks if settings.schema else ():
                classes, events = sentence.classes(task), sentence.triggers if task == "EAE" else ()
                yield build_prompt(task, classes, sentence.text, library, brief, events)
                yield build_answer(task, sentence.annotations, classes, library, brief)


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
    """A hash of what tokens are made of, equal for a tokenizer that was copied."""
    for name in ("tokenizer.json", "tokenizer.model", "vocab.json"):
        if (Path(folder) / name).is_file():
            return artefact.fingerprint(Path(folder) / name)
    raise ModelError(f"tokenizer={folder}: holds no tokenizer; give a model folder that has one")


def pack(settings: config.PackConfig) -> None:
    """Pack samples into rows."""
    from knowcoder.codec.wrapper import Wrapper
    from knowcoder.packing.pack import pack as pack_samples
    from knowcoder.samples.sample import Sample

    inputs = checked_inputs(settings)
    card = _common_card(settings)
    with artefact.writing(settings.output, "packed", settings, inputs) as output:
        wrapper = Wrapper.from_folder(settings.tokenizer, card["wrapper"])
        stream = (
            sample for folder in settings.samples for sample in jsonl.read(Path(folder) / "samples.jsonl", Sample)
        )
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
        if facts["tokenizer"] != tokenizer:
            raise ConfigError(f"tokenizer={settings.tokenizer}: {folder} was built with another; pack with the same")
        if card["max_length"] != settings.max_length:
            raise ConfigError(
                f"max_length={settings.max_length}: {folder} was built for {card['max_length']}; pack with the same"
            )
        if first is not None and card != first:
            raise ConfigError(f"samples={folder}: written in another style or wrapper than {settings.samples[0]}")
        first = card
    return first or {}


def convert(settings: config.ConvertConfig) -> None:
    """Convert a Hugging Face model to a pipeline checkpoint, or back."""
    from knowcoder.checkpoint.convert import to_hf, to_pipeline

    _need(settings, "model" if settings.to == "pipeline" else "checkpoint")
    inputs = checked_inputs(settings)
    kind = "checkpoint" if settings.to == "pipeline" else "model"
    with artefact.writing(settings.output, kind, settings, inputs) as output:
        if settings.to == "pipeline":
            made = to_pipeline(Path(settings.model), output.directory)
        else:
            made = to_hf(Path(settings.checkpoint), output.directory)
        output.manifest.facts = asdict(made)
    print(f"{settings.output}: {_in_words(asdict(made))}")


def plan(settings: config.PretrainConfig | config.SftConfig) -> None:
    """Print what a training run would need."""
    from knowcoder.train.plan import plan as planned

    checked_inputs(settings)
    print(planned(settings))


def pretrain(settings: config.PretrainConfig) -> None:
    """Phase 1: train all weights under the pipeline."""
    _train("pretrain", "pretrain", settings)


def sft(settings: config.SftConfig) -> None:
    """Phase 2: instruction tuning."""
    _train("sft", "adapter" if settings.tuning == "lora" else "model", settings)


def _train(verb: str, kind: str, settings: config.PretrainConfig | config.SftConfig) -> None:
    """Make the run folder, start the ranks, and close the artefact when all of them have ended well."""
    from knowcoder.train import launch

    inputs = checked_inputs(settings)
    if launch.is_rank():
        launch.join(verb, kind, settings, inputs)
        return
    launch.check(settings)
    if settings.dry_run:
        launch.start(verb, settings, Path(settings.output))
        return
    with artefact.working(settings.output, kind, settings, inputs) as output:
        launch.start(verb, settings, output.directory)
        output.manifest.facts = jsonl.read_json(output.directory / launch.FACTS)
        launch.save_card(settings)
    print(f"{settings.output}: {_in_words(output.manifest.facts)}")


def merge(settings: config.MergeConfig) -> None:
    """Merge an adapter into its base."""
    from knowcoder.train.merge import merge as merge_adapter

    inputs = checked_inputs(settings)
    with artefact.writing(settings.output, "model", settings, inputs) as output:
        made = merge_adapter(Path(settings.model), Path(settings.adapter), output.directory, settings.dtype or None)
        output.manifest.facts = asdict(made)
    print(f"{settings.output}: {_in_words(asdict(made))}")


def predict(settings: config.PredictConfig) -> None:
    """Extract from a corpus, with the model or a baseline."""
    from knowcoder.corpus.reading import load_labels, load_split
    from knowcoder.predict.baselines import predict_with_dictionary

    inputs = checked_inputs(settings)
    sentences = load_split(settings.corpus, settings.split)[: settings.limit or None]
    labels = load_labels(settings.corpus)
    tasks = cast("list[Task]", settings.tasks)
    with artefact.working(settings.output, "predictions", settings, inputs) as output:
        if settings.method == "dictionary":
            training = load_split(settings.corpus, settings.training_split)
            counts = predict_with_dictionary(training, sentences, labels, tasks, output.directory)
        else:
            counts = _ask_model(settings, sentences, labels, output.directory)
        output.manifest.facts = counts
    print(f"{settings.output}: {_in_words(counts)}")


def _ask_model(
    settings: config.PredictConfig, sentences: list[Sentence], labels: dict[str, LabelSet], directory: Path
) -> dict[str, int]:
    from knowcoder.predict.engines import open_model
    from knowcoder.predict.predict import Predictor
    from knowcoder.predict.predict import predict as predict_corpus
    from knowcoder.schema.library import SchemaLibrary

    _need(settings, "model")
    engine, card = open_model(settings.model, batch_size=settings.batch_size)
    if settings.method == "random":
        engine.forget()
    predictor = Predictor(
        SchemaLibrary.load(settings.schema),
        engine,
        card,
        decoding=settings.decoding,  # type: ignore[arg-type]  # checked against the choices
        classes_per_prompt=settings.classes_per_prompt,
        max_new_tokens=settings.max_new_tokens,
        max_items=settings.max_items,
    )
    return predict_corpus(sentences, labels, cast("list[Task]", settings.tasks), predictor, directory)


def score(settings: config.ScoreConfig) -> None:
    """Score predictions against gold, and write metrics, mistakes and the report."""
    from knowcoder.corpus.reading import load_labels, load_split
    from knowcoder.score.match import join
    from knowcoder.score.metrics import measure
    from knowcoder.score.mistakes import find_mistakes
    from knowcoder.score.prediction import Prediction
    from knowcoder.score.report import System, render_report

    inputs = checked_inputs(settings)
    gold, labels = load_split(settings.gold, settings.split)[: settings.limit or None], load_labels(settings.gold)
    with artefact.writing(settings.output, "score", settings, inputs) as output:
        systems = []
        names = [Path(folder).name for folder in settings.predictions]
        for folder, name in zip(settings.predictions, names, strict=True):
            examples = join(gold, jsonl.read(Path(folder) / "predictions.jsonl", Prediction), labels)
            mistakes = find_mistakes(examples)
            name = name if names.count(name) == 1 else folder
            systems.append(System(name, measure(gold, examples, mistakes, settings.seed), mistakes))
        jsonl.write_json(
            output.directory / "metrics.json",
            {"inputs": output.manifest.inputs, "systems": {system.name: system.metrics for system in systems}},
        )
        jsonl.write(output.directory / "errors.jsonl", systems[0].mistakes)
        facts = {name: f"{made['path']} ({made['hash'][:12]})" for name, made in output.manifest.inputs.items()}
        page = render_report(systems[:1] + [replace(other, mistakes=()) for other in systems[1:]], facts=facts)
        (output.directory / "report.html").write_text(page, encoding="utf-8")
    print(score_table(Path(settings.output)))
    print(f"{settings.output}/report.html")


def score_table(directory: Path) -> str:
    """Strict precision, recall and F1 of a score folder in percent, by system and task; F1 in each group."""
    systems = jsonl.read_json(directory / "metrics.json")["systems"]
    rows = [(system, task, found) for system, made in systems.items() for task, found in made["tasks"].items()]
    groups = list(dict.fromkeys(group for _, _, found in rows for group in found["by_group"] if group))
    width = max(map(len, [*systems, "strict, in percent"]))
    lines = [f"{'strict, in percent':<{width}}  task      P      R     F1" + "".join(f"  {name}" for name in groups)]
    for system, task, found in rows:
        strict, by_group = found["columns"]["strict"], found["by_group"]
        numbers = (strict[name] for name in ("precision", "recall", "f1"))
        cells = (f"  {_percent(by_group[name]['f1']) if name in by_group else '':>{len(name)}}" for name in groups)
        lines.append(f"{system:<{width}}  {task:<4} " + " ".join(map(_percent, numbers)) + "".join(cells))
    return "\n".join(lines)


def _percent(share: float) -> str:
    return f"{100 * share:6.1f}"


def extract(settings: config.ExtractConfig) -> None:
    """Extract from one text; prints one JSON object a line."""
    from knowcoder.predict.extractor import Extractor

    checked_inputs(settings)
    extractor = Extractor.from_pretrained(settings.model, settings.schema, decoding=settings.decoding)  # type: ignore[arg-type]
    for found in extractor(settings.text, settings.classes):
        print(jsonl.dumps(_as_json(found)))


def _as_json(found: Any) -> Any:
    """An extracted object, with its class and those of its parts."""
    if isinstance(found, list):
        return [_as_json(item) for item in found]
    if not is_dataclass(found):
        return found
    return {"class": type(found).__name__} | {f.name: _as_json(getattr(found, f.name)) for f in fields(found)}


def env(settings: config.EnvConfig) -> None:
    """Print versions and devices."""
    import platform

    print(f"python        {platform.python_version()} on {platform.platform()}")
    for name, version in artefact.versions().items():
        print(f"{name:<13} {version}")
    print(f"commit        {artefact.git_commit() or 'not a git checkout'}")
    if "torch" in artefact.versions():
        import torch

        gpus = [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
        print(f"devices       {', '.join(gpus) or f'cpu, {os.cpu_count()} cores'}")


def checked_inputs(settings: Any) -> dict[str, str]:
    """Check every input that a configuration names and return key -> path.

    Raises:
        ArtefactError: an input is missing, of the wrong kind, or not complete.
    """
    keys = {key.name: key for key in config.keys_of(type(settings))}
    inputs = config.inputs_of(settings)
    for name, path in inputs.items():
        key = keys[name.partition("[")[0]]
        if key.foreign and artefact.read_manifest(path) is None:
            artefact.require_exists(path, name)
        else:
            artefact.require(path, *key.kinds, key=name)
    return inputs


def _need(settings: Any, *names: str) -> None:
    missing = [name for name in names if not getattr(settings, name)]
    if missing:
        raise ConfigError(f"missing {', '.join(f'{name}=' for name in missing)}")


def _progress(items: Iterable[Any], what: str, unit: str) -> Iterator[Any]:
    from tqdm import tqdm

    yield from tqdm(items, desc=what, unit=f" {unit}", disable=None)


def _in_words(counts: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{value:,} {name.replace('_', ' ')}" if isinstance(value, int) else f"{name} {value}"
        for name, value in counts.items()
    )
