"""A corpus that no benchmark file describes: its files by split, its classes as its labels or a library have them."""

from __future__ import annotations

import glob
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

from knowcoder.config.corpus import LayoutConfig
from knowcoder.corpus.hub import load_splits
from knowcoder.corpus.labels import Classes, EventClass, RelationClass, classes_of
from knowcoder.corpus.read import About, read_file, read_rows
from knowcoder.corpus.reading import SPLITS, Corpus, Reading, used_labels
from knowcoder.corpus.sentence import LabelSet, Sentence
from knowcoder.corpus.stored import Stored
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


def split_files(path: str | Path, format: str = "") -> dict[str, list[Path]]:
    """What is to be read for each split, told by the word train, dev (valid) or test in the names.

    Args:
        path: a file, a pattern such as ``data/*_train.jsonl``, or a folder with files or folders named after splits.
        format: of BRAT a whole folder is read at once, and one without a split in its name is training data.

    Raises:
        ConfigError: nothing there, or no name in the folder says a split.
    """
    root = Path(path)
    if root.is_dir():
        named = [place for place in sorted(root.iterdir()) if _split_of(place)]
        places = [root] if format == "brat" and not named else _files(named, format)
        if not places:
            raise ConfigError(f"{root}: no file named after train, dev or test here; give a file, or name them so")
    else:
        places = [root] if root.exists() else [Path(found) for found in sorted(glob.glob(str(path), recursive=True))]
        if not places:
            raise ConfigError(f"{path}: no file there; give a file, a folder, or a pattern of file names")
    found: dict[str, list[Path]] = {}
    for place in places:
        folder = _SPLIT_WORDS.get(place.parent.name.lower())  # what lies in a folder "train" is training data
        found.setdefault(_split_of(place) or folder or "train", []).append(place)
    return {split: found[split] for split in SPLITS if split in found}


def _files(places: Sequence[Path], format: str) -> list[Path]:
    """The files, and those in the folders, of which BRAT is given whole."""
    files: list[Path] = []
    for place in places:
        whole = place.is_file() or format == "brat"
        files += [place] if whole else sorted(file for file in place.rglob("*") if file.is_file())
    return files


def _split_of(place: Path) -> str | None:
    """The split that a name says: a file whose name says none is training data."""
    words = re.findall(r"[a-z]+", place.name.lower())
    return next((_SPLIT_WORDS[word] for word in words if word in _SPLIT_WORDS), None)


def read_files(
    files: Mapping[str, Sequence[Path]], layout: LayoutConfig, source: str, classes: Classes, language: str = "en"
) -> Corpus:
    """Read files of one layout. The label set is the classes that they use.

    Args:
        source: name of the data set.
    """

    def read(split: str, reading: Reading) -> Iterator[Sentence]:
        for number, path in enumerate(files[split]):
            name = f"{split}-{number}" if number else split
            about: About = {"source": source, "split": name, "language": language, "reading": reading}
            yield from read_file(path, layout, classes, **about)

    return _corpus(files, read, source)


def read_dataset(
    name: str, subset: str, layout: LayoutConfig, source: str, classes: Classes, language: str = "en"
) -> Corpus:
    """Read what ``datasets.load_dataset`` gives, its rows as records.

    Raises:
        ConfigError: it cannot be loaded, or the format is one of files.
    """
    if layout.format not in ("records", "dialogue"):
        raise ConfigError(f"dataset={name}: its rows are records; give format=records and where they hold what")
    splits = load_splits(name, subset)

    def read(split: str, reading: Reading) -> Iterator[Sentence]:
        about: About = {"source": source, "split": split, "language": language, "reading": reading}
        return read_rows(splits[split], name, layout, classes, **about)

    return _corpus(splits, read, source)


def _corpus(splits: Iterable[str], read: Callable[[str, Reading], Iterator[Sentence]], source: str) -> Corpus:
    corpus = Corpus({}, {})
    for split in splits:
        reading = Reading()
        corpus.splits[split] = Stored(Sentence, read(split, reading))
        corpus.rejects.extend(reading.rejected)
        corpus.counts[split] = reading.counts()
    corpus.labels = {source: LabelSet()} | used_labels(chain.from_iterable(corpus.splits.values()))
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
