"""Schemas in JSON: ontologies with domain and range, and label lists in our own small form.

Our form, of which every part but ``id`` may be left out::

    {"entities":  [{"id": "city", "name": "City", "label": "city", "description": "A large settlement.",
                    "aliases": ["town"], "examples": ["Paris"], "parent": "place"}],
     "relations": [{"id": "mayor_of", "head": ["human"], "tail": ["city"], "examples": [["Ann", "Paris"]]}],
     "events":    [{"id": "attack", "roles": [{"name": "attacker", "types": ["human"]}]}]}

``head``, ``tail``, ``types`` and ``parent`` name ids. What has no ``name`` gets one from its label or id.

An ontology is ``{"concepts": [{"qid", "label"}], "relations": [{"pid", "label", "domain", "range"}]}``.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from knowcoder import jsonl
from knowcoder.errors import DataError
from knowcoder.schema.concepts import Concept, EntityType, EventType, RelationType, Role
from knowcoder.schema.source import SchemaSource, finish

T = TypeVar("T")
C = TypeVar("C", EntityType, RelationType, EventType)


def read_json(path: str | Path) -> SchemaSource:
    """Read a JSON schema, or all of a folder: the same id in several files is the same concept.

    Raises:
        DataError: no file, not JSON, a field that the form does not have, an id used for two things.
    """
    root = Path(path)
    files = sorted(root.glob("*.json")) if root.is_dir() else [root]
    if not files:
        raise DataError(f"{root}: no *.json in this folder; give a JSON file or a folder of them")
    source = SchemaSource([])
    for file in files:
        _read_file(file, source)
    return finish(source)


class _Form(msgspec.Struct, forbid_unknown_fields=True):
    entities: list[dict[str, Any]] = []
    relations: list[dict[str, Any]] = []
    events: list[dict[str, Any]] = []


class _OntologyConcept(msgspec.Struct):
    qid: str
    label: str


class _OntologyRelation(msgspec.Struct):
    pid: str
    label: str
    domain: str = ""
    range: str = ""


class _Ontology(msgspec.Struct):
    concepts: list[_OntologyConcept]
    relations: list[_OntologyRelation]


def _read_file(file: Path, source: SchemaSource) -> None:
    document = jsonl.read_json(file, dict[str, Any])
    if "concepts" in document:
        _read_ontology(_convert(document, _Ontology, file), source)
        return
    form = _convert(document, _Form, file)
    seen: set[str] = set()
    concepts: list[Concept] = []
    concepts += [_concept(item, EntityType, file) for item in form.entities]
    concepts += [_concept(item, RelationType, file) for item in form.relations]
    concepts += [_concept(item, EventType, file) for item in form.events]
    for concept in concepts:
        if concept.id in seen:
            raise DataError(f"{file}: the id {concept.id!r} is used twice; give every concept its own")
        seen.add(concept.id)
    source.concepts += concepts


def _concept(item: dict[str, Any], kind: type[C], file: Path) -> C:
    _only_fields_of(kind, item, file)
    for role in item.get("roles", ()):
        _only_fields_of(Role, role, file)
    return _convert({"name": "", **item}, kind, file)


def _only_fields_of(kind: type, item: Any, file: Path) -> None:
    known = {field.name for field in dataclasses.fields(kind)}
    if not isinstance(item, dict) or item.keys() - known:
        raise DataError(f"{file}: {str(item)[:80]}: the fields of {kind.__name__} are {', '.join(sorted(known))}")


def _convert(value: Any, kind: type[T], file: Path) -> T:
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise DataError(f"{file}: {error}; the value is {str(value)[:80]}") from error


def _read_ontology(ontology: _Ontology, source: SchemaSource) -> None:
    for concept in ontology.concepts:
        source.concepts.append(EntityType(id=concept.qid, name="", label=concept.label.strip()))
    for relation in ontology.relations:
        source.concepts.append(
            RelationType(
                id=relation.pid,
                name="",
                label=relation.label.strip(),
                head=(relation.domain,) if relation.domain else (),
                tail=(relation.range,) if relation.range else (),
            )
        )
