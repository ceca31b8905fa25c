"""Files that choose types: ids and facts are read, what is neither is an error with its line."""

from __future__ import annotations

from pathlib import Path

import pytest

from knowcoder.errors import DataError
from knowcoder.schema.choice import read_ids, types_in_facts


def test_ids_are_the_first_words_of_lines(tmp_path: Path) -> None:
    path = tmp_path / "ids.txt"
    path.write_text("Q5\thuman\n\n# comment\nP19 # born in\nQ5\n", encoding="utf-8")
    assert read_ids(path) == {"Q5", "P19"}
    path.write_text("Q5\nhuman\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"ids.txt:2: 'human' is no id"):
        read_ids(path)


def test_types_are_those_of_facts(tmp_path: Path) -> None:
    path = tmp_path / "facts.jsonl"
    path.write_text('{"id":"Q42","types":["Q5","Q36180"]}\n{"id":"Q1","types":[]}\n', encoding="utf-8")
    assert types_in_facts(path) == types_in_facts(tmp_path) == {"Q5", "Q36180"}
    path.write_text('{"id":"Q42"}\n', encoding="utf-8")
    with pytest.raises(DataError, match=r"facts.jsonl:1"):
        types_in_facts(path)
    with pytest.raises(DataError, match="no facts here"):
        types_in_facts(tmp_path / "none")
