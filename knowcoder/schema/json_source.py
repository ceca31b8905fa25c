"""Schemas in JSON: our own form, lists of labels, ontologies with domain and range, events with role types.

The layout is told by the keys of the document::

    {"entities": [...], "relations": [...], "events": [...]}      our form, see json_form.py; a text is a label
    ["person", "city"]                                            labels of entity types
    {"concepts": [{"qid", "label"}],                              an ontology
     "relations": [{"pid", "label", "domain", "range"}]}
    {"Conflict.Attack": {"roles": ["Attacker"],                   events by dotted label, with role types
                         "role_types": [["per", "org"]], "keywords": ["raid"], "template": "<arg1> attacked"}}
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec

from knowcoder.errors import DataError
from knowcoder.schema.concepts import Concept, EntityType, EventType, RelationType, Role
from knowcoder.schema.json_form import RECORDS
from knowcoder.schema.json_pieces import JsonFile, Piece, beginning
from knowcoder.schema.naming import role_name
from knowcoder.schema.source import SchemaSource, finish

_KINDS: dict[str, Any] = {"entities": EntityType, "relations": RelationType, "events": EventType}
_SLOTS = ("head", "tail")
_ARGUMENT = re.compile(r"<arg(\d+)>")
_UNSPECIFIED, _ANY_EVENT = "Unspecified", "event"
ROLE_OF_EVENTS = "a role that events fill; any entity is taken"


def read_json(path: str | Path) -> SchemaSource:
    """Read a JSON schema, or all of a folder: the same id in several files is the same concept.

    Raises:
        DataError: no file, not JSON, a field that the form does not have, an id used for two things; names file,
            line and value.
    """
    root = Path(path)
    files = sorted(root.glob("*.json")) if root.is_dir() else [root]
    if not files:
        raise DataError(f"{root}: no *.json in this folder; give a JSON file or a folder of them")
    reader = _Reader()
    for file in files:
        reader.read(file)
    source = finish(reader.source)
    _inherit(source, reader.open)
    return source


class _OntologyConcept(msgspec.Struct):
    qid: str
    label: str


class _OntologyRelation(msgspec.Struct):
    pid: str
    label: str
    domain: str | None = None
    range: str | None = None


class _EventRecord(msgspec.Struct):
    roles: list[str]
    role_types: list[list[str]] = []
    keywords: list[str] = []
    template: str = ""


class _Reader:
    """Reads JSON files into a source; every concept with the line on which it begins."""

    def __init__(self) -> None:
        self.source = SchemaSource([])
        self.open: list[tuple[str, str]] = []  # relations, by id, and their slots of which nothing is said
        self._file: JsonFile
        self._lines: dict[str, int] = {}  # of the ids that the file has defined

    def read(self, file: Path) -> None:
        """Add what a file holds to the source."""
        self._file, self._lines = JsonFile(file), {}
        if self._file.whole.raw.lstrip()[:1] == b"[":
            self._read_form("entities", self._file.whole)
            return
        document = self._file.members(self._file.whole)
        unknown = sorted(document.keys() - {"$schema", "title", *RECORDS})
        if document and not unknown:
            for key in RECORDS:
                if key in document:
                    self._read_form(key, document[key])
        elif {"concepts", "relations"} <= document.keys():
            self._read_ontology(document["concepts"], document["relations"])
        elif document and all(b'"roles"' in member.raw for member in document.values()):
            self._read_events(document)
        else:
            raise DataError(
                f"{file}:1: holds {', '.join(unknown[:5]) or 'nothing'}; a schema has entities, relations and events "
                "(our form), or concepts and relations (an ontology), or is a list of labels, or an object of events "
                "with roles"
            )

    # --- layouts

    def _read_form(self, key: str, items: Piece) -> None:
        for item in self._file.items(items):
            record = self._file.parse(item, RECORDS[key] | str)
            open_slots: list[str] = []
            if isinstance(record, str):
                concept = _KINDS[key](id=record.strip(), name="", label=record.strip())
            else:
                fields = msgspec.structs.asdict(record)
                if key == "events":
                    fields["roles"] = tuple(_role(role) for role in record.roles)
                open_slots = [slot for slot in _SLOTS if fields.get(slot) is msgspec.UNSET]
                concept = _KINDS[key](**fields | dict.fromkeys(open_slots, ()))
            if concept.id in self._lines:
                said = f"is used twice, first on line {self._lines[concept.id]}; change one"
                raise DataError(f"{self._file.file}:{item.line}: the id {concept.id!r} {said}")
            self._lines[concept.id] = item.line
            self._add(concept, item, open_slots)

    def _read_ontology(self, concepts: Piece, relations: Piece) -> None:
        # Published ontologies repeat concepts, and relations for every pair of domain and range: they are united.
        for item in self._file.items(concepts):
            concept = self._file.parse(item, _OntologyConcept)
            self._add(EntityType(id=concept.qid, name="", label=concept.label.strip()), item)
        for item in self._file.items(relations):
            found = self._file.parse(item, _OntologyRelation)
            head, tail = ((end,) if end else () for end in (found.domain, found.range))
            relation = RelationType(id=found.pid, name="", label=found.label.strip(), head=head, tail=tail)
            ends = (("head", found.domain), ("tail", found.range))
            self._add(relation, item, [slot for slot, end in ends if end is None])

    def _read_events(self, document: Mapping[str, Piece]) -> None:
        for id, member in document.items():
            record: _EventRecord = self._file.parse(member, _EventRecord)
            if record.role_types and len(record.role_types) != len(record.roles):
                raise DataError(
                    f"{self._file.file}:{member.line}: {id}: {len(record.roles)} roles and {len(record.role_types)} "
                    "role_types; give each role its list of types"
                )
            for code in dict.fromkeys(code for codes in record.role_types for code in codes):
                if code != _ANY_EVENT:
                    self._add(EntityType(id=code, name="", label=code), member)
            self._add(self._event(id, record, member, document.keys()), member)

    def _event(self, id: str, record: _EventRecord, member: Piece, ids: Container[str]) -> EventType:
        """An event whose id is a path, ``Conflict.Attack.Unspecified``; under that stand the others of its stem."""
        stem, _, last = id.rpartition(".")
        own = last if last != _UNSPECIFIED or not stem else stem.rpartition(".")[2]
        general = f"{stem}.{_UNSPECIFIED}"
        roles: dict[str, Role] = {}
        for label, types in zip(record.roles, record.role_types or [[]] * len(record.roles), strict=True):
            if _ANY_EVENT in types:
                place = f"{id}: {label}: {_ANY_EVENT}"
                self.source.reject(ROLE_OF_EVENTS, place, str(self._file.file), member.line)
                self.source.read += 1
                types = []
            name = role_name(label)
            before = roles.get(name, Role(name=name, types=tuple(types)))
            roles[name] = replace(before, types=tuple(dict.fromkeys((*before.types, *types))))
        words = {str(number): label for number, label in enumerate(record.roles, 1)}
        return EventType(
            id=id,
            name="",
            label=own,
            description=_ARGUMENT.sub(lambda found: words.get(found[1], found[0]), record.template),
            parent=general if general in ids and general != id else None,
            examples=tuple(dict.fromkeys(record.keywords)),
            roles=tuple(roles.values()),
        )

    # --- reading

    def _add(self, concept: Concept, item: Piece, open_slots: Iterable[str] = ()) -> None:
        place = f"{self._file.file}:{item.line}"
        if not concept.id:
            raise DataError(f"{place}: the id is empty; give every type its own: {beginning(item)}")
        self.open += [(concept.id, slot) for slot in open_slots]
        self.source.add(concept, str(self._file.file), item.line)


def _role(record: Any) -> Role:
    if isinstance(record, str):
        return Role(name=role_name(record))
    return Role(**msgspec.structs.asdict(record))


def _inherit(source: SchemaSource, slots: Iterable[tuple[str, str]]) -> None:
    """Give slots of which nothing was said their parent's types; where no parent says, any entity will do."""
    relations = {concept.id: concept for concept in source.concepts if isinstance(concept, RelationType)}
    silent = dict.fromkeys(slots)
    for id, slot in silent:
        relation: RelationType | None = relations[id]
        while relation is not None and (relation.id, slot) in silent:
            relation = relations.get(relation.parent or "")
        if relation is not None:
            relations[id] = replace(relations[id], **{slot: getattr(relation, slot)})
        else:
            source.read += 1
            source.reject(f"no {slot} type; any entity is taken: say [] if that is meant", id, *source.places[id,])
    source.concepts = [relations.get(concept.id, concept) for concept in source.concepts]
