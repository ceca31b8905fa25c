"""A corpus that no benchmark file describes: its files by split, its classes as its labels or a library have them."""

from __future__ import annotations

import glob
import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

from knowcoder.config.corpus import LayoutConfig
from knowcoder.corpus.labels import Classes, EventClass, RelationClass, classes_of
from knowcoder.corpus.read import read_file
from knowcoder.corpus.reading import SPLITS, Corpus, Reading, used_labels
from knowcoder.corpus.sentence import Sentence
from knowcoder.errors import ConfigError
from knowcoder.schema.library import SchemaLibrary

_SPLIT_WORDS = {
    "train": "train",
    "training": "train",
    "dev": "dev",
    "valid": "dev",
    "validation": "dev",
    "test": "test",
}


def split_files(path: str | Path) -> dict[str, list[Path]]:
    """The files of each split, told by the word train, dev (valid) or test in their names.

    Args:
        path: a file, a pattern such as ``data/*_train.jsonl``, or a folder, whose files count that name a split.

    Raises:
        ConfigError: nothing there, or no name in the folder says a split.
    """
    root = Path(path)
    if root.is_dir():
        files = [file for file in sorted(root.glob("*")) if file.is_file() and _split_of(file)]
        if not files:
            raise ConfigError(f"{root}: no file named after train, dev or test here; give a file, or name them so")
    else:
        files = [root] if root.is_file() else [Path(found) for found in sorted(glob.glob(str(path), recursive=True))]
        if not files:
            raise ConfigError(f"{path}: no file there; give a file, a folder, or a pattern of file names")
    found: dict[str, list[Path]] = {}
    for file in files:
        found.setdefault(_split_of(file) or "train", []).append(file)
    return {split: found[split] for split in SPLITS if split in found}


def _split_of(file: Path) -> str | None:
    """The split that a file's name says: a file whose name says none is training data."""
    words = re.findall(r"[a-z]+", file.name.lower())
    return next((_SPLIT_WORDS[word] for word in words if word in _SPLIT_WORDS), None)


def read_files(
    files: dict[str, list[Path]], layout: LayoutConfig, source: str, classes: Classes, language: str = "en"
) -> Corpus:
    """Read files of one layout. The label set is the classes that they use.

    Args:
        source: name of the data set.
    """
    corpus = Corpus({}, {})
    for split, paths in files.items():
        reading = Reading()
        sentences: list[Sentence] = []
        for number, path in enumerate(paths):
            name = f"{split}-{number}" if len(paths) > 1 else split
            about = {"source": source, "split": name, "language": language}
            sentences += read_file(path, layout, classes, **about, reading=reading)
        corpus.splits[split] = sentences
        corpus.rejects += reading.rejected
        corpus.counts[split] = reading.counts()
    corpus.labels = {source: used_labels(chain.from_iterable(corpus.splits.values()))}
    return corpus


def classes_from(labels: Sequence[str], library: SchemaLibrary | None) -> Classes:
    """The classes of a library, or without one classes made of the labels as they come.

    Args:
        labels: ``LABEL=CLASS`` for what shall be called otherwise, ``LABEL=`` for what is left out.

    Raises:
        ConfigError: an item has no ``=``, or names a class that the library does not have.
    """
    classes = Classes(open=True) if library is None else classes_of(library)
    given: dict[str, str] = {}
    for item in labels:
        label, sign, name = item.rpartition("=")
        if not sign:
            raise ConfigError(f"labels: {item!r} is not LABEL=CLASS")
        given[label] = name
    for label, name in given.items():
        _call(classes, label, name, library)
    return replace(classes, left_out=frozenset(label for label, name in given.items() if not name))


def _call(classes: Classes, label: str, name: str, library: SchemaLibrary | None) -> None:
    if not name:
        return
    if library is None:
        classes.entities[label] = name
        classes.relations[label] = RelationClass(name)
        classes.events[label] = EventClass(name)
        return
    key, known = label.casefold(), name.casefold()
    tables = (classes.entities, classes.relations, classes.events)
    if not any(known in table for table in tables):
        raise ConfigError(f"labels: {label}={name}: {name} is no class of the library")
    for table in tables:
        if known in table:
            table[key] = table[known]  # type: ignore[assignment]
