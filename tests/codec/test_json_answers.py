"""Answers of IEPile, which are JSON, are read through the same function as code."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from knowcoder.codec.parse import Offer, parse_answer
from knowcoder.schema.naming import class_name, role_name


@pytest.mark.parametrize(
    ("folder", "task"), [("NER", "NER"), ("RE", "RE"), ("SPO", "RE"), ("EE", "EE"), ("EET", "ED"), ("EEA", "EAE")]
)
def test_every_published_answer_is_read_without_a_problem(data_root: Path, folder: str, task: str) -> None:
    lines = (data_root / "iepile_samples" / folder / "train.json").read_text("utf-8").splitlines()
    count = 0
    for row in map(json.loads, lines):
        parsed = parse_answer(row["output"], _offer(json.loads(row["instruction"])["schema"]), task)  # type: ignore[arg-type]
        found = parsed.annotations
        expected = sum(map(len, json.loads(row["output"]).values()))
        assert not parsed.problems, row["output"]
        assert len(found.entities) + len(found.relations) + len(found.events) == expected
        count += expected
    assert count


def _offer(schema: list[str | dict[str, list[str]]]) -> Offer:
    roles = {}
    names = set()
    for item in schema:
        label = item if isinstance(item, str) else str(item.get("predicate") or item["event_type"])
        names.add(class_name(label))
        if isinstance(item, dict) and "arguments" in item:
            roles[class_name(label)] = frozenset(map(role_name, item["arguments"]))
    return Offer(frozenset(names), roles=roles)
