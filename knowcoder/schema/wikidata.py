"""Wikidata's JSON dump, streamed: one entity a line, plain, gzipped or bzipped.

The dump is read twice, once for the statements and once for the words of the classes that they name, since a
class may stand before the first statement that shows it to be one. So memory grows with the number of classes
and properties, and, for the facts, with the entities that are an instance of something.
"""

from __future__ import annotations

import bz2
import gzip
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

import msgspec

from knowcoder.errors import DataError
from knowcoder.schema.knowledge import Knowledge, schema_of
from knowcoder.schema.source import SchemaSource

_SUBCLASS, _INSTANCE, _SUBPROPERTY, _CONSTRAINT, _CLASS = "P279", "P31", "P1647", "P2302", "P2308"
_SUBJECT_TYPE, _VALUE_TYPE = "Q21503250", "Q21510865"


class _DataValue(msgspec.Struct):
    value: Any


class _Snak(msgspec.Struct):
    datavalue: _DataValue | None = None


class _Claim(msgspec.Struct):
    mainsnak: _Snak
    rank: str = "normal"
    qualifiers: dict[str, list[_Snak]] | list[Any] = {}


class _Word(msgspec.Struct):
    value: str


class _Entity(msgspec.Struct):
    """The fields that are used. Old dumps write an empty object as ``[]``."""

    id: str
    type: str
    datatype: str = ""
    labels: dict[str, _Word] | list[Any] = {}
    descriptions: dict[str, _Word] | list[Any] = {}
    aliases: dict[str, list[_Word]] | list[Any] = {}
    claims: dict[str, list[_Claim]] | list[Any] = {}


def read_wikidata(path: str | Path, language: str = "en") -> SchemaSource:
    """Read the classes, item-valued properties and entity types of a dump.

    Head and tail types come from the subject and value type constraints of a property (P2302 with P2308).

    Raises:
        DataError: the file is missing, names no class or item-valued property, or is cut off.
    """
    source = SchemaSource([])
    knowledge = Knowledge()
    for entity in _entities(Path(path), source):
        source.counts["entities read"] += 1
        _statements(entity, knowledge)
    wanted = knowledge.properties | {id for edge in knowledge.subclasses for id in edge}
    for entity in _entities(Path(path), SchemaSource([])):  # what is malformed has been counted
        if entity.id in wanted:
            _words(entity, knowledge, language)
    if not wanted:
        raise DataError(f"{path}: no class and no item-valued property in it; give a dump with an entity on each line")
    return schema_of(knowledge, source)


def _entities(path: Path, source: SchemaSource) -> Iterator[_Entity]:
    decoder = msgspec.json.Decoder(_Entity)
    number = 0
    try:
        with _open(path) as lines:
            for number, line in enumerate(lines, 1):
                line = line.strip().rstrip(b",")
                if line in (b"", b"[", b"]"):
                    continue
                if number == 1 and line == b"{":  # one entity alone, indented
                    line += lines.read()
                try:
                    yield decoder.decode(line)
                except msgspec.DecodeError as error:
                    source.reject("malformed entity", f"{path}:{number}: {error}")
    except (OSError, EOFError) as error:
        raise DataError(f"{path}:{number + 1}: {error}; the file may be missing or cut off, fetch it again") from error


def _open(path: Path) -> BinaryIO:
    if path.suffix == ".gz":
        return cast(BinaryIO, gzip.open(path, "rb"))
    if path.suffix == ".bz2":
        return cast(BinaryIO, bz2.open(path, "rb"))
    return open(path, "rb")


def _statements(entity: _Entity, knowledge: Knowledge) -> None:
    if entity.type == "property":
        if entity.datatype == "wikibase-item":
            knowledge.properties.add(entity.id)
        knowledge.subproperties += [(entity.id, parent) for parent in _values(entity, _SUBPROPERTY)]
        for claim in _claims(entity, _CONSTRAINT):
            types = {_SUBJECT_TYPE: knowledge.heads, _VALUE_TYPE: knowledge.tails}.get(_value(claim.mainsnak))
            if types is not None and isinstance(claim.qualifiers, dict):
                classes = [_value(snak) for snak in claim.qualifiers.get(_CLASS, ())]
                types.setdefault(entity.id, []).extend(id for id in classes if id)
        return
    knowledge.subclasses += [(entity.id, parent) for parent in _values(entity, _SUBCLASS)]
    if kinds := _values(entity, _INSTANCE):
        knowledge.facts[entity.id] = kinds


def _words(entity: _Entity, knowledge: Knowledge, language: str) -> None:
    if isinstance(entity.labels, dict) and language in entity.labels:
        knowledge.labels[entity.id] = entity.labels[language].value
    if isinstance(entity.descriptions, dict) and language in entity.descriptions:
        knowledge.descriptions[entity.id] = entity.descriptions[language].value
    if isinstance(entity.aliases, dict) and language in entity.aliases:
        knowledge.aliases[entity.id] = [alias.value for alias in entity.aliases[language]]


def _claims(entity: _Entity, property: str) -> list[_Claim]:
    """The statements of a property that are not deprecated."""
    found = entity.claims.get(property, []) if isinstance(entity.claims, dict) else []
    return [claim for claim in found if claim.rank != "deprecated"]


def _values(entity: _Entity, property: str) -> list[str]:
    return [value for value in (_value(claim.mainsnak) for claim in _claims(entity, property)) if value]


def _value(snak: _Snak) -> str:
    """The id of the item or property that a snak names, or "" where it names none ("unknown value")."""
    value = snak.datavalue.value if snak.datavalue else None
    if not isinstance(value, dict):
        return ""
    if "id" in value:
        return str(value["id"])
    prefix = "P" if value.get("entity-type") == "property" else "Q"
    return f"{prefix}{value['numeric-id']}" if "numeric-id" in value else ""
