"""Reading benchmarks: data sets that the registry describes, with the classes of their labels and checked counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from msgspec import structs

from knowcoder.corpus.labels import Classes, EventClass, RelationClass, classes_of, relation_classes
from knowcoder.corpus.layout import layout_of
from knowcoder.corpus.linker import Linker
from knowcoder.corpus.read import read_file
from knowcoder.corpus.reading import Corpus, Reading, join, used_labels
from knowcoder.corpus.registry import Benchmark, Split, concepts_of, label_set, load
from knowcoder.corpus.sentence import LabelSet, Sentence
from knowcoder.corpus.stored import Stored
from knowcoder.errors import ConfigError, DataError
from knowcoder.schema.concepts import Concept
from knowcoder.schema.json_source import read_json
from knowcoder.schema.library import SchemaLibrary
from knowcoder.schema.source import name_concepts, unite


def read_benchmarks(
    chosen: Sequence[str],
    path: str | Path,
    train_on_dev: Sequence[str] = (),
    keep_other: bool = True,
    library: SchemaLibrary | None = None,
    linker: Linker | None = None,
) -> Corpus:
    """Read several benchmarks as one corpus; their sources and label sets stay apart.

    Args:
        train_on_dev: those of them whose development text becomes training text.
        keep_other: whether labels that mean "none of the others" are read.
        library: gives the classes of a data set that has none of its own.
        linker: says what entities are.

    Raises:
        ConfigError: ``train_on_dev`` names one that is not among them or has no development text.
    """
    if unread := sorted(set(train_on_dev) - set(chosen)):
        raise ConfigError(f"train_on_dev: {unread[0]} is not among the benchmarks that are read")
    corpora = {name: read_benchmark(name, path, keep_other, library, linker) for name in chosen}
    for name in train_on_dev:
        corpora[name] = _dev_as_train(name, corpora[name])
    return join(list(corpora.values()))


def _dev_as_train(name: str, corpus: Corpus) -> Corpus:
    if "dev" not in corpus.splits:
        raise ConfigError(f"train_on_dev: {name} has no split dev; it has: {', '.join(corpus.splits)}")
    counts = Counter(corpus.counts.get("train", {}))
    counts.update(corpus.counts["dev"])
    train = Stored(Sentence, chain(corpus.splits.get("train", ()), corpus.splits["dev"]))
    return replace(
        corpus,
        splits={"train": train} | {split: found for split, found in corpus.splits.items() if split not in _TRAINING},
        counts={"train": dict(counts)} | {split: own for split, own in corpus.counts.items() if split not in _TRAINING},
    )


_TRAINING = ("train", "dev")


def read_benchmark(
    name: str,
    path: str | Path,
    keep_other: bool = True,
    library: SchemaLibrary | None = None,
    linker: Linker | None = None,
) -> Corpus:
    """Read a benchmark with class names in the place of its labels.

    Args:
        path: the data set's folder, or a folder that holds it under its usual name.

    Raises:
        ConfigError: no such benchmark, or the path does not hold its files.
        DataError: a file is malformed as a whole, or the counts of a verified benchmark are not met. What is wrong
            with one unit is rejected and counted; other counts than expected of another benchmark are a warning.
    """
    benchmark = load(name)
    root = _root(benchmark, path)
    dropped = frozenset(benchmark.left_out) | frozenset(() if keep_other else benchmark.other)
    parts = _parts(name, benchmark, root)
    classes = {part.source: replace(_classes(benchmark, part, dropped, library), linker=linker) for part in parts}
    corpus = Corpus({}, {part.source: _offered(benchmark, part, dropped) for part in parts})
    for split, layout in benchmark.splits.items():
        reading = Reading()
        found = (_read(benchmark, layout, part, root, split, classes[part.source], reading) for part in parts)
        corpus.splits[split] = Stored(Sentence, chain.from_iterable(found))
        corpus.rejects.extend(reading.rejected)
        corpus.counts[split] = reading.counts()
    if benchmark.open or linker:
        used = used_labels(chain.from_iterable(corpus.splits.values()))
        corpus.labels = {source: _joined(own, used.get(source, LabelSet())) for source, own in corpus.labels.items()}
    if linker and linker.ready:  # the files were counted before; what is left out now is so for want of a type
        return corpus
    differences = list(_differences(name, benchmark, corpus, bool(benchmark.other) and not keep_other))
    if differences and benchmark.verified:
        remedy = f"these are not the files that {name} describes ({benchmark.obtain}); a copy of its YAML file "
        raise DataError("; ".join(differences) + f"; {remedy} with other counts, as benchmark=[FILE.yaml], reads them")
    corpus.warnings = [f"{difference}; these may not be the usual files" for difference in differences]
    return corpus


def schema_of(name: str, path: str | Path = "") -> list[Concept]:
    """The types of a benchmark: from its labels, or from its ontologies under ``path``, which only those need."""
    benchmark = load(name)
    if not benchmark.ontology:
        return concepts_of(benchmark)
    folder = (_root(benchmark, path) / benchmark.ontology).parent
    given = {key: label.name for key, label in benchmark.labels.items()}
    return [replace(concept, name=given.get(concept.id, concept.name)) for concept in read_json(folder).concepts]


def schema_of_all(chosen: Iterable[str], path: str | Path = "") -> list[Concept]:
    """The types of several benchmarks; types of the same id are one.

    Raises:
        DataError: the benchmarks name types inconsistently.
    """
    return name_concepts(unite(concept for name in chosen for concept in schema_of(name, path)))


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of a data set: what its sentences' source is called, how its files spell it, its own types."""

    source: str
    spelled: str
    concepts: list[Concept]


def _parts(name: str, benchmark: Benchmark, root: Path) -> list[_Part]:
    concepts = schema_of(name, root)
    names = {concept.id: concept.name for concept in concepts}
    parts = []
    for part, spelled in benchmark.parts.items():
        own = concepts
        if benchmark.ontology:
            ontology = read_json(root / benchmark.ontology.format(part=spelled))
            own = [replace(concept, name=names[concept.id]) for concept in ontology.concepts]
        parts.append(_Part("-".join(filter(None, (Path(name).stem, part))), spelled, own))
    return parts


def _read(
    benchmark: Benchmark, layout: Split, part: _Part, root: Path, split: str, classes: Classes, reading: Reading
) -> Iterator[Sentence]:
    files = sorted(root.glob(layout.path.format(part=part.spelled)))
    if not files:
        raise ConfigError(f"{root / layout.path}: no such file; to get it: {benchmark.obtain}")
    for number, file in enumerate(files):
        for sentence in read_file(
            file,
            layout_of(benchmark.format, benchmark.keys, layout.keys),
            classes,
            source=part.source,
            split=f"{split}-{number}" if len(files) > 1 else split,
            language=benchmark.language,
            reading=reading,
        ):
            yield structs.replace(sentence, tasks=benchmark.tasks) if benchmark.tasks else sentence


def _joined(offered: LabelSet, used: LabelSet) -> LabelSet:
    return LabelSet(
        entities=tuple(dict.fromkeys(offered.entities + used.entities)),
        relations=tuple(dict.fromkeys(offered.relations + used.relations)),
        events=tuple(dict.fromkeys(offered.events + used.events)),
    )


def _classes(benchmark: Benchmark, part: _Part, dropped: frozenset[str], library: SchemaLibrary | None) -> Classes:
    if benchmark.open and library is not None:
        return replace(classes_of(library), left_out=dropped)
    return Classes(
        {key: label.name for key, label in benchmark.labels.items() if key not in dropped},
        relation_classes(part.concepts)
        | {key: RelationClass(label.name) for key, label in benchmark.relations.items() if key not in dropped},
        {
            key: EventClass(label.name, {role: benchmark.role(role) for role in label.roles})
            for key, label in benchmark.events.items()
        },
        left_out=dropped,
        open=benchmark.open,
    )


def _offered(benchmark: Benchmark, part: _Part, dropped: frozenset[str]) -> LabelSet:
    """The classes that a part's sentences are offered."""
    names = {label.name for key, label in benchmark.all_labels.items() if key in dropped}
    return label_set(concept for concept in part.concepts if concept.name not in names)


def _root(benchmark: Benchmark, path: str | Path) -> Path:
    """The data set's folder: the path, or the folder of its usual name within."""
    spelled = next(iter(benchmark.parts.values()))
    first = next(iter(benchmark.splits.values())).path.format(part=spelled)
    for root in (Path(path), Path(path) / benchmark.folder):
        if any(root.glob(first)):
            return root
    raise ConfigError(f"{path}: neither {first} nor {benchmark.folder}/{first} is there; to get it: {benchmark.obtain}")


def _differences(name: str, benchmark: Benchmark, corpus: Corpus, without_other: bool) -> Iterator[str]:
    """Counts that differ from the expected ones; where none are, from the paper's."""
    tally = corpus.tally()
    for split, layout in benchmark.splits.items():
        paper = benchmark.paper.get(split, 0)
        said = f" (the paper counts {paper:,})" if paper else ""
        for what, count in layout.expected.items():
            found = tally[split].get(what, 0)
            if found != count and (what == "sentences" or not without_other):
                yield f"{name}, {split}: {found:,} {what}, expected {count:,}{said if what == 'sentences' else ''}"
        if not layout.expected and paper and tally[split]["sentences"] != paper:
            yield f"{name}, {split}: {tally[split]['sentences']:,} sentences{said}"
    types = benchmark.types - sum(label in benchmark.counted for label in benchmark.other) * without_other
    labels = used_labels(chain.from_iterable(corpus.splits.values())).values()
    used = len({name for own in labels for name in own.of(benchmark.asked[-1])})
    if benchmark.types and used != types:
        paper = benchmark.paper.get("types", 0)
        yield f"{name}: {used} types, expected {types}" + (f" (the paper counts {paper})" if paper else "")
