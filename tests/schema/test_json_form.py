"""The JSON Schema that editors check says what the reader takes."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from knowcoder import jsonl
from knowcoder.errors import DataError
from knowcoder.schema.json_form import JSON_SCHEMA, json_schema
from knowcoder.schema.json_source import read_json
from knowcoder.schema.library import SchemaLibrary

RIGHT: list[Any] = [
    {"$schema": "https://example.org/library.schema.json", "title": "t", "entities": ["city", {"id": "a"}]},
    {"relations": [{"id": "r", "head": [], "tail": ["a"], "examples": [["x", "y"]], "rules": ["drop_pronouns"]}]},
    {"events": [{"id": "e", "label": "e", "roles": ["who", {"name": "what", "types": ["a"], "description": "d"}]}]},
    {"entities": [{"id": "a", "name": "A", "parent": None, "parents": ["b"], "aliases": ["x"], "description": "d"}]},
]
WRONG: list[Any] = [
    {"entities": [{"name": "A"}]},
    {"entities": [{"id": 1}]},
    {"entities": [{"id": "a", "head": []}]},
    {"entities": {"id": "a"}},
    {"relations": [{"id": "r", "examples": ["x"]}]},
    {"events": [{"id": "e", "roles": [{"types": ["a"]}]}]},
]


def test_the_schema_that_is_shipped_is_the_one_of_the_concepts() -> None:
    assert jsonl.read_json(JSON_SCHEMA) == json_schema(), "run python -m knowcoder.schema.json_form"
    jsonschema.Draft202012Validator.check_schema(json_schema())


@pytest.mark.parametrize("document", RIGHT)
def test_editor_and_reader_take_the_same(document: Any, tmp_path: Path) -> None:
    jsonschema.validate(document, json_schema())
    (tmp_path / "s.json").write_text(json.dumps(document))
    assert read_json(tmp_path / "s.json").concepts


@pytest.mark.parametrize("document", WRONG)
def test_editor_and_reader_refuse_the_same(document: Any, tmp_path: Path) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(document, json_schema())
    (tmp_path / "s.json").write_text(json.dumps(document))
    with pytest.raises(DataError, match=r"s\.json:1: "):
        read_json(tmp_path / "s.json")


def test_what_a_library_is_saved_as_is_the_form_too(tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text(json.dumps({"entities": ["a"], **RIGHT[1], **RIGHT[2]}))
    library = read_json(tmp_path / "s.json").library()
    library.save(tmp_path)
    saved = {key: list(jsonl.read(tmp_path / f"{key}.jsonl", dict)) for key in ("entities", "relations", "events")}
    jsonschema.validate(saved, json_schema())
    (tmp_path / "again.json").write_text(json.dumps(saved))
    assert read_json(tmp_path / "again.json").library() == library == SchemaLibrary.load(tmp_path)


def test_the_documented_example_is_right(tmp_path: Path) -> None:
    page = (Path(__file__).parents[2] / "docs/reference/formats.md").read_text("utf-8")
    (example,) = (block for block in re.findall(r"```json[^\n]*\n(.*?)```", page, re.S) if '"$schema"' in block)
    jsonschema.validate(json.loads(example), json_schema())
    (tmp_path / "s.json").write_text(example)
    source = read_json(tmp_path / "s.json")
    assert len(source.library()) > 5
    assert not source.rejects
