"""A corpus that no benchmark file describes: its files by split, its labels as the files or a library have them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from knowcoder.corpus.columns import ColumnKeys, read_columns, read_labels
from knowcoder.corpus.reading import Corpus, Reading
from knowcoder.corpus.sentence import LabelSet
from knowcoder.corpus.triples import TripleKeys, read_triples, signatures_of
from knowcoder.errors import ConfigError
from knowcoder.schema.library import SchemaLibrary
from knowcoder.schema.naming import class_name

_SPLIT_WORDS = {
    "train": "train",
    "training": "train",
    "dev": "dev",
    "valid": "dev",
    "validation": "dev",
    "test": "test",
}


def split_files(path: str | Path) -> dict[str, Path]:
    """The file of each split: a folder's files by the word train, dev (valid) or test in their names, or one file.

    A file whose name says no split is training data.

    Raises:
        ConfigError: nothing there, no name in the folder says a split, or two say the same.
    """
    root = Path(path)
    if root.is_file():
        return {_split_of(root) or "train": root}
    found: dict[str, Path] = {}
    for file in sorted(file for file in root.glob("*") if file.is_file()):
        if split := _split_of(file):
            if split in found:
                raise ConfigError(f"{root}: {found[split].name} and {file.name} both say {split}; give one file")
            found[split] = file
    if not found:
        raise ConfigError(f"{root}: no file named after train, dev or test here; give a file, or name them so")
    return {split: found[split] for split in ("train", "dev", "test") if split in found}


def read_column_files(
    path: str | Path, keys: ColumnKeys, source: str, library: SchemaLibrary | None = None, language: str = "en"
) -> Corpus:
    """Read column files.

    Args:
        source: name of the data set; the label set is what its files use.
        library: gives the class names, found by name, id, label or alias; without one they are made from the labels.
    """
    files = split_files(path)
    labels = sorted({label for file in files.values() for label in read_labels(file, keys)})
    classes = {label: class_name(label) for label in labels} if library is None else _classes(labels, library)
    corpus = Corpus({}, {source: LabelSet(entities=tuple(sorted(set(classes.values()))))})
    for split, file in files.items():
        reading = Reading()
        corpus.splits[split] = list(
            read_columns(file, keys, classes, source=source, split=split, language=language, reading=reading)
        )
        _account(corpus, split, reading)
    return corpus


def read_triple_files(
    path: str | Path, keys: TripleKeys, source: str, library: SchemaLibrary, language: str = "en"
) -> Corpus:
    """Read triple files whose relations a library has, by id or label.

    The label set is the library's relations and the entity types that they name.
    """
    signatures = signatures_of(library)
    hinted = {id for relation in library.relations for id in relation.head + relation.tail}
    entities = tuple(type.name for type in library.entities if type.id in hinted)
    corpus = Corpus({}, {source: LabelSet(entities=entities, relations=library.names("relation"))})
    for split, file in split_files(path).items():
        reading = Reading()
        corpus.splits[split] = list(
            read_triples(file, keys, signatures, source=source, split=split, language=language, reading=reading)
        )
        _account(corpus, split, reading)
    return corpus


def _split_of(file: Path) -> str | None:
    words = re.findall(r"[a-z]+", file.name.lower())
    return next((_SPLIT_WORDS[word] for word in words if word in _SPLIT_WORDS), None)


def _classes(labels: Iterable[str], library: SchemaLibrary) -> dict[str, str]:
    """Label -> class name, for the labels that the library knows, whatever their case."""
    words = [(word, type.name) for type in library.entities for word in (type.name, type.id, type.label)]
    words += [(alias, type.name) for type in library.entities for alias in type.aliases]
    known: dict[str, str] = {}
    for word, name in words:  # an alias gives way to another type's own name
        known.setdefault(word.casefold(), name)
    return {label: known[label.casefold()] for label in labels if label.casefold() in known}


def _account(corpus: Corpus, split: str, reading: Reading) -> None:
    corpus.rejects += reading.rejected
    corpus.counts[split] = reading.counts()
