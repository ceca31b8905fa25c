"""The JSON form in which people write a schema, and the JSON Schema by which editors check it.

Both follow from the concepts: what a type may hold is said once.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import msgspec

from knowcoder import jsonl
from knowcoder.schema.concepts import EntityType, EventType, RelationType, Role

JSON_SCHEMA = Path(__file__).with_name("library.schema.json")
ADDRESS = "https://json-schema.org/draft/2020-12/schema"

_HELP = {
    "id": "unique in the library; parents and type hints name it: Q5, city",
    "name": "class name, a Python identifier, unique; left out, it is made from the label, or else from the id",
    "label": "the words that people use for it, in any language",
    "description": "one or two sentences: what belongs here, and what does not",
    "described_by": "the model that wrote the description; empty where people did",
    "aliases": "other labels, in any language",
    "parent": "id of the type of the same kind that it inherits from",
    "parents": "ids of further types above it; kept as data",
    "examples": "mentions of it; for a relation pairs of head and tail, for an event trigger words",
    "head": "ids of the entity types that the head may have; [] is any entity; left out, the parent's",
    "tail": "ids of the entity types that the tail may have; [] is any entity; left out, the parent's",
    "roles": "who and what takes part: names, or names with types",
    "types": "ids of the entity types that may fill the role; [] is any entity",
    "rules": "rules that finish what was extracted, by name: drop_pronouns, cut_at:such as",
}
_INHERITED = ("head", "tail")


def _record(kind: type, title: str, replaced: dict[str, Any]) -> type[Any]:
    """A concept as people write it: every field but ``id``, or a role's ``name``, may be left out."""
    hints = get_type_hints(kind) | replaced
    described: Any = Annotated
    fields: list[tuple[str, Any, Any]] = []
    for field in dataclasses.fields(kind):
        default = field.default
        if default is dataclasses.MISSING:
            default = msgspec.NODEFAULT if field.name == "id" or kind is Role else ""
        hint = described[hints[field.name], msgspec.Meta(description=_HELP[field.name])]
        if field.name in _INHERITED:
            hint, default = hint | msgspec.UnsetType, msgspec.UNSET
        fields.append((field.name, hint, default))
    return msgspec.defstruct(title, fields, forbid_unknown_fields=True, kw_only=True)


RoleRecord: Any = _record(Role, "Role", {})
RECORDS: dict[str, Any] = {
    "entities": _record(EntityType, "Entity", {}),
    "relations": _record(RelationType, "Relation", {}),
    "events": _record(EventType, "Event", {"roles": tuple[RoleRecord | str, ...]}),
}
"""Key of the form -> what its list holds; a text there stands for a type of that id and label."""


def json_schema() -> dict[str, Any]:
    """The JSON Schema of the form, for editors and other checkers."""
    fields: list[tuple[str, Any, Any]] = [("schema", str, ""), ("title", str, "")]
    for key, record in RECORDS.items():
        one: Any = record | str
        fields.append((key, list[one], []))
    document = msgspec.defstruct("SchemaLibrary", fields, forbid_unknown_fields=True, rename={"schema": "$schema"})
    schema = {"$schema": ADDRESS, "title": "Schema library of knowcoder", **msgspec.json.schema(document)}
    plain: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(schema))
    return plain


if __name__ == "__main__":
    jsonl.write_json(JSON_SCHEMA, json_schema())
