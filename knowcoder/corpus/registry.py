"""The registry of data sets: what each file of ``configs/benchmark`` says of where one comes from and what it holds.

A benchmark file says how to get a data set, how its files are laid out, which class each of its labels is, and how
many sentences and annotations it must give.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from knowcoder.config import configs_dir
from knowcoder.corpus.annotations import tasks_of
from knowcoder.corpus.layout import layout_of
from knowcoder.corpus.reading import SPLITS
from knowcoder.corpus.sentence import LabelSet
from knowcoder.errors import ConfigError
from knowcoder.schema.concepts import Concept, EntityType, EventType, RelationType, Role, Task
from knowcoder.schema.naming import role_name


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
    """What a relation label means; ``head`` and ``tail`` are entity labels of the data set, none for any entity.

    ``examples`` are pairs of a head and a tail.
    """

    name: str
    id: str = ""
    description: str = ""
    examples: tuple[tuple[str, str], ...] = ()
    head: tuple[str, ...] = ()
    tail: tuple[str, ...] = ()


class EventLabel(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """What an event label means; ``roles``: label of the role -> entity labels that fill it, none for any entity.

    ``examples`` are triggers.
    """

    name: str
    id: str = ""
    description: str = ""
    examples: tuple[str, ...] = ()
    roles: dict[str, tuple[str, ...]] = {}


class Split(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """A split's file or a pattern of files (``{part}`` stands for the part), and what differs in its keys.

    ``expected`` has the counts that it must give.
    """

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
        role_names: label of a role -> its name, where that is not made of the label's words.
        other: labels that mean "none of the others", which may be dropped.
        left_out: labels that are never read.
        open: labels without a class get one made of their words; the data set's types are whatever it holds.
        tasks: what is asked of its sentences, where that is less than what its files annotate.
        types: how many types its files use, of the kind that is asked for.
        paper: what the published table of data sets counts, where it differs: types, and sentences by split.
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
    role_names: dict[str, str] = {}
    other: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()
    open: bool = False
    tasks: tuple[Task, ...] = ()
    types: int = 0
    paper: dict[str, int] = {}
    language: str = "en"
    verified: bool = False

    @property
    def asked(self) -> tuple[Task, ...]:
        """The tasks that its sentences are annotated for."""
        return self.tasks or tasks_of(
            layout_of(self.format, self.keys, *(split.keys for split in self.splits.values()))
        )

    @property
    def all_labels(self) -> dict[str, Label | RelationLabel | EventLabel]:
        """The labels of every kind."""
        return {**self.labels, **self.relations, **self.events}

    def role(self, label: str) -> str:
        """The name of a role."""
        return self.role_names.get(label) or role_name(label)

    @property
    def counted(self) -> Mapping[str, Label | RelationLabel | EventLabel]:
        """The labels of the kind that its types are counted by: events, else relations, else entities."""
        task = self.asked[-1]
        return self.labels if task == "NER" else self.relations if task == "RE" else self.events

    @property
    def size(self) -> dict[str, str]:
        """Train, dev, test and types as a table shows them: as expected, and in parentheses as the paper counts."""
        own = {split: layout.expected.get("sentences", 0) for split, layout in self.splits.items()}
        own["types"] = self.types
        found: dict[str, str] = {}
        for name in ("types", *SPLITS):
            counts = [f"{own[name]:,}"] if own.get(name) else []
            counts += [f"({self.paper[name]:,})"] if name in self.paper else []
            found[name] = " ".join(counts)
        return found


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
        near = " or ".join(difflib.get_close_matches(name, names()))
        hint = f"did you mean {near}? " if near else ""
        raise ConfigError(
            f"benchmark {name!r} is not known; {hint}knowcoder corpus list=true shows those that there are"
        )
    try:
        return msgspec.convert(OmegaConf.to_container(OmegaConf.load(path)), Benchmark)
    except (OmegaConfBaseException, YAMLError, msgspec.ValidationError) as error:
        raise ConfigError(f"{path}: {error}") from error


def concepts_of(benchmark: Benchmark) -> list[Concept]:
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
        head, tail = ids(relation.head), ids(relation.tail)
        concepts.append(RelationType(**_named(key, relation), examples=relation.examples, head=head, tail=tail))
    for key, event in benchmark.events.items():
        roles = tuple(Role(name=benchmark.role(role), types=ids(types)) for role, types in event.roles.items())
        concepts.append(EventType(**_named(key, event), examples=event.examples, roles=roles))
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


def label_set(concepts: Iterable[Concept]) -> LabelSet:
    """The classes of some types, each once."""
    concepts = list(concepts)

    def named(kind: type[Concept]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(concept.name for concept in concepts if isinstance(concept, kind)))

    return LabelSet(entities=named(EntityType), relations=named(RelationType), events=named(EventType))
