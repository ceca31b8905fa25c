"""The benchmarks: data sets that ``configs/benchmark/*.yaml`` describe, read with their labels and checked counts.

A benchmark file says where a data set comes from, how its files are laid out, which class each of its labels
is, and how many sentences and annotations it must give.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import msgspec
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from knowcoder.config import configs_dir
from knowcoder.corpus.labels import Classes, EventClass, RelationClass, relation_classes
from knowcoder.corpus.layout import layout_of
from knowcoder.corpus.read import read_file
from knowcoder.corpus.reading import Corpus, Reading, join
from knowcoder.corpus.sentence import LabelSet, Sentence
from knowcoder.errors import ConfigError
from knowcoder.schema.concepts import Concept, EntityType, EventType, RelationType, Role
from knowcoder.schema.json_source import read_json
from knowcoder.schema.naming import role_name
from knowcoder.schema.source import name_concepts, unite


class Label(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What a label of the data set means: the class it becomes. ``parent`` is another label of the data set.

    ``id`` is the Wikidata id where the class means the same, so that data sets share it; else the label.
    """

    name: str
    id: str = ""
    description: str = ""
    examples: tuple[str, ...] = ()
    parent: str = ""


class RelationLabel(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What a relation label means; ``head`` and ``tail`` are entity labels of the data set, none for any entity."""

    name: str
    id: str = ""
    description: str = ""
    head: tuple[str, ...] = ()
    tail: tuple[str, ...] = ()


class EventLabel(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What an event label means; ``roles``: label of the role -> entity labels that fill it, none for any entity."""

    name: str
    id: str = ""
    description: str = ""
    roles: dict[str, tuple[str, ...]] = {}


class Split(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A split's file (``{part}`` stands for the part), what differs in its keys, and the counts it must give."""

    path: str
    keys: dict[str, Any] = {}
    expected: dict[str, int] = {}


class Benchmark(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """One file of ``configs/benchmark``.

    Attributes:
        folder: name of the data set's folder under a common root of data sets.
        obtain: how to get the data.
        format, keys: how its files are laid out, in the keys of the command line (``LayoutConfig``).
        parts: where the data set falls into parts with a label set each: part -> how its files spell it.
        ontology: path of a part's ontology, which gives its types; else ``labels`` does.
        labels: label in the data -> class; with an ontology, what shall differ from it.
        relations, events: the same for those kinds.
        verified: whether the counts were seen on the real files.
    """

    title: str
    licence: str
    homepage: str
    obtain: str
    folder: str
    format: str
    splits: dict[str, Split]
    keys: dict[str, Any] = {}
    parts: dict[str, str] = msgspec.field(default_factory=lambda: {"": ""})
    ontology: str = ""
    labels: dict[str, Label] = {}
    relations: dict[str, RelationLabel] = {}
    events: dict[str, EventLabel] = {}
    language: str = "en"
    verified: bool = False


def names() -> list[str]:
    """The benchmarks that there are."""
    return sorted(path.stem for path in (configs_dir() / "benchmark").glob("*.yaml"))


def load(name: str) -> Benchmark:
    """Read the description of a benchmark: a name, or the path of such a YAML file.

    Raises:
        ConfigError: there is none of this name, or its file is malformed.
    """
    path = Path(name) if name.endswith(".yaml") else configs_dir() / "benchmark" / f"{name}.yaml"
    if not path.is_file():
        raise ConfigError(f"benchmark {name!r} is not known; there are: {', '.join(names())}, or give a YAML file")
    try:
        return msgspec.convert(OmegaConf.to_container(OmegaConf.load(path)), Benchmark)
    except (OmegaConfBaseException, YAMLError, msgspec.ValidationError) as error:
        raise ConfigError(f"{path}: {error}") from error


def read_benchmarks(chosen: Sequence[str], path: str | Path, train_on_dev: Sequence[str] = ()) -> Corpus:
    """Read several benchmarks as one corpus; their sources and label sets stay apart.

    Args:
        train_on_dev: those of them whose development text becomes training text.

    Raises:
        ConfigError: ``train_on_dev`` names one that is not among them or has no development text.
    """
    if unread := sorted(set(train_on_dev) - set(chosen)):
        raise ConfigError(f"train_on_dev: {unread[0]} is not among the benchmarks that are read")
    corpora = {name: read_benchmark(name, path) for name in chosen}
    for name in train_on_dev:
        corpora[name] = _dev_as_train(name, corpora[name])
    return join(list(corpora.values()))


def _dev_as_train(name: str, corpus: Corpus) -> Corpus:
    if "dev" not in corpus.splits:
        raise ConfigError(f"train_on_dev: {name} has no split dev; it has: {', '.join(corpus.splits)}")
    counts = Counter(corpus.counts.get("train", {}))
    counts.update(corpus.counts["dev"])
    train = corpus.splits.get("train", []) + corpus.splits["dev"]
    return replace(
        corpus,
        splits={"train": train} | {split: found for split, found in corpus.splits.items() if split not in _TRAINING},
        counts={"train": dict(counts)} | {split: own for split, own in corpus.counts.items() if split not in _TRAINING},
    )


_TRAINING = ("train", "dev")


def read_benchmark(name: str, path: str | Path) -> Corpus:
    """Read a benchmark with class names in the place of its labels.

    Args:
        path: the data set's folder, or a folder that holds it under its usual name.

    Raises:
        ConfigError: no such benchmark, or the path does not hold its files.
        DataError: a file is malformed as a whole. What is wrong with one unit is rejected and counted.
    """
    benchmark = load(name)
    root = _root(benchmark, path)
    parts = _parts(name, benchmark, root)
    corpus = Corpus({}, {part.source: _label_set(part.concepts) for part in parts})
    for split, layout in benchmark.splits.items():
        reading = Reading()
        corpus.splits[split] = [
            sentence for part in parts for sentence in _read(benchmark, layout, part, root, split, reading)
        ]
        corpus.rejects += reading.rejected
        corpus.counts[split] = reading.counts()
    corpus.warnings = list(_differences(name, benchmark, corpus.tally()))
    return corpus


def schema_of(name: str, path: str | Path = "") -> list[Concept]:
    """The types of a benchmark: from its labels, or from its ontologies under ``path``, which only those need."""
    benchmark = load(name)
    if not benchmark.ontology:
        return _labelled(benchmark)
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
    benchmark: Benchmark, layout: Split, part: _Part, root: Path, split: str, reading: Reading
) -> Iterator[Sentence]:
    return read_file(
        root / layout.path.format(part=part.spelled),
        layout_of(benchmark.format, benchmark.keys, layout.keys),
        _classes(benchmark, part),
        source=part.source,
        split=split,
        language=benchmark.language,
        reading=reading,
    )


def _classes(benchmark: Benchmark, part: _Part) -> Classes:
    return Classes(
        {key: label.name for key, label in benchmark.labels.items()},
        relation_classes(part.concepts)
        | {key: RelationClass(label.name) for key, label in benchmark.relations.items()},
        {
            key: EventClass(label.name, {role: role_name(role) for role in label.roles})
            for key, label in benchmark.events.items()
        },
    )


def _root(benchmark: Benchmark, path: str | Path) -> Path:
    """The data set's folder: the path, or the folder of its usual name within."""
    spelled = next(iter(benchmark.parts.values()))
    first = next(iter(benchmark.splits.values())).path.format(part=spelled)
    for root in (Path(path), Path(path) / benchmark.folder):
        if (root / first).exists():
            return root
    raise ConfigError(f"{path}: neither {first} nor {benchmark.folder}/{first} is there; to get it: {benchmark.obtain}")


def _labelled(benchmark: Benchmark) -> list[Concept]:
    """The types that the label maps describe."""

    def ids(labels: Iterable[str]) -> tuple[str, ...]:
        if unknown := sorted(set(labels) - benchmark.labels.keys()):
            raise ConfigError(f"{benchmark.title}: {unknown[0]!r} is named as a type and is no label of this data set")
        return tuple(benchmark.labels[label].id or label for label in labels)

    concepts: list[Concept] = []
    for key, label in benchmark.labels.items():
        (parent,) = ids([label.parent]) if label.parent else (None,)
        concepts.append(EntityType(**_named(key, label), examples=label.examples, parent=parent))
    for key, relation in benchmark.relations.items():
        concepts.append(RelationType(**_named(key, relation), head=ids(relation.head), tail=ids(relation.tail)))
    for key, event in benchmark.events.items():
        roles = tuple(Role(name=role_name(role), types=ids(types)) for role, types in event.roles.items())
        concepts.append(EventType(**_named(key, event), roles=roles))
    return concepts


def _named(key: str, label: Label | RelationLabel | EventLabel) -> dict[str, Any]:
    """What types of every kind have."""
    return {
        "id": label.id or key,
        "name": label.name,
        "label": re.sub(r"(?<=[a-z])(?=[A-Z])", " ", label.name).lower(),
        "aliases": (key,),
        "description": label.description,
    }


def _label_set(concepts: Iterable[Concept]) -> LabelSet:
    concepts = list(concepts)
    return LabelSet(
        entities=tuple(concept.name for concept in concepts if isinstance(concept, EntityType)),
        relations=tuple(concept.name for concept in concepts if isinstance(concept, RelationType)),
        events=tuple(concept.name for concept in concepts if isinstance(concept, EventType)),
    )


def _differences(name: str, benchmark: Benchmark, tally: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    for split, layout in benchmark.splits.items():
        for what, expected in layout.expected.items():
            found = tally[split].get(what, 0)
            if found != expected:
                yield f"{name}, {split}: {found} {what}, expected {expected}; these may not be the usual files"
