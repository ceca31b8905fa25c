"""Extracts of Wikidata as KGTK writes them: tab-separated edges, a file for each kind, plain or gzipped."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TextIO

from knowcoder.errors import DataError
from knowcoder.schema.knowledge import Knowledge, schema_of
from knowcoder.schema.source import SchemaSource

Edge = tuple[str, str, str]
"""First node, label of the edge, second node; the label is empty where the file has no such column."""

_TEXT = re.compile(r"'(.*)'@([\w-]+)", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)


def read_kgtk(path: str | Path, language: str = "en") -> SchemaSource:
    """Read the schema that a folder of KGTK files holds.

    Files are told by what their name says (``*P279*``, ``*P31*``, ``labels*``, ``descriptions*``, ``aliases*``,
    ``*datatypes*``, ``claims*``) and columns by their header (``node1``, ``label``, ``node2``).

    Raises:
        DataError: the folder has neither classes nor properties, or a file lacks its header or is cut off.
    """
    folder = Path(path)
    source = SchemaSource([])
    knowledge = Knowledge()
    for file in sorted([*folder.glob("*.tsv"), *folder.glob("*.tsv.gz")]):
        kind = next((kind for pattern, kind in _KINDS if re.search(pattern, file.name)), None)
        if kind is None:
            source.counts["files passed over"] += 1
            continue
        for line, (node1, label, node2) in _edges(file, source):
            kind(knowledge, node1, label, node2, language)
            if kind in _IN_CYCLES:
                source.places.setdefault((node1, node2), (str(file), line))
    if not (knowledge.subclasses or knowledge.properties):
        raise DataError(
            f"{folder}: no subclass edges (*P279*.tsv) and no properties (*datatypes*.tsv) here; give a KGTK folder"
        )
    return schema_of(knowledge, source)


def _subclass(knowledge: Knowledge, node1: str, label: str, node2: str, language: str) -> None:
    knowledge.subclasses.append((node1, node2))


def _instance(knowledge: Knowledge, node1: str, label: str, node2: str, language: str) -> None:
    knowledge.facts.setdefault(node1, []).append(node2)


def _label(knowledge: Knowledge, node1: str, label: str, node2: str, language: str) -> None:
    if (text := _text(node2, language)) is not None:
        knowledge.labels.setdefault(node1, text)


def _description(knowledge: Knowledge, node1: str, label: str, node2: str, language: str) -> None:
    if (text := _text(node2, language)) is not None:
        knowledge.descriptions.setdefault(node1, text)


def _alias(knowledge: Knowledge, node1: str, label: str, node2: str, language: str) -> None:
    if (text := _text(node2, language)) is not None:
        knowledge.aliases.setdefault(node1, []).append(text)


def _datatype(knowledge: Knowledge, node1: str, label: str, node2: str, language: str) -> None:
    if label == "datatype" and node2 == "wikibase-item":
        knowledge.properties.add(node1)


def _claim(knowledge: Knowledge, node1: str, label: str, node2: str, language: str) -> None:
    if label == "P1647":
        knowledge.subproperties.append((node1, node2))


_KINDS: tuple[tuple[str, Callable[[Knowledge, str, str, str, str], None]], ...] = (
    (r"P279\.", _subclass),
    (r"P31\.", _instance),
    (r"^labels\b", _label),
    (r"^descriptions\b", _description),
    (r"^aliases\b", _alias),
    (r"datatypes\b", _datatype),
    (r"^claims\.(properties|wikibase-property)\b", _claim),
)


_IN_CYCLES = (_subclass, _claim)


def _edges(file: Path, source: SchemaSource) -> Iterator[tuple[int, Edge]]:
    """The edges of a file with their lines."""
    number = 0
    try:
        with _open(file) as lines:
            header = next(lines, "").rstrip("\n").split("\t")
            if "node1" not in header or "node2" not in header:
                raise DataError(f"{file}:1: the header has no node1 and node2: {header}; give a KGTK edge file")
            first, second = header.index("node1"), header.index("node2")
            label = header.index("label") if "label" in header else None
            for number, line in enumerate(lines, 2):
                cells = line.rstrip("\n").split("\t")
                source.read += 1
                source.counts[f"edges in {file.name}"] += 1
                if len(cells) == len(header):
                    yield number, (cells[first], "" if label is None else cells[label], cells[second])
                else:
                    reason = f"{len(cells)} columns where the header has {len(header)}; write the line again"
                    source.reject(reason, line.rstrip("\n")[:80], str(file), number)
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        raise DataError(f"{file}:{number + 1}: {error}; the file may be cut off, fetch it again") from error


def _open(file: Path) -> TextIO:
    return gzip.open(file, "rt", encoding="utf-8") if file.suffix == ".gz" else open(file, encoding="utf-8")


def _text(value: str, language: str) -> str | None:
    """The text of a literal such as ``'human'@en``, or None if it is not one of this language.

    Some extracts were written by a CSV writer over it: then it is quoted and its quotes are doubled.
    """
    if value.startswith("\"'"):
        value = value[1:-1].replace('""', '"')
    match = _TEXT.fullmatch(value)
    if match is None or match[2] != language:
        return None
    return _ESCAPE.sub(r"\1", match[1])
