"""Paths in records: what they lead to, and that they take any record."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowcoder.corpus.paths import depth_of, items_at, value_at

RECORD = {"a": {"b": [1, 2, 3]}, "list": [{"x": 1}, {"y": 2}, {"x": 3}], "json": '{"in": [4]}', "a.dot": 5}
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=8,
)
PATHS = st.lists(st.sampled_from(["a", "b", "0", "-1", "1:", "{c}"]), min_size=1, max_size=3).map(".".join)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("a.b.0", 1),
        ("a.b.-1", 3),
        ("a.b.9", None),
        ("a.b.1:", [2, 3]),
        ("list.x", [1, 3]),
        ("json.in.0", 4),
        ("a.dot", 5),
        (".", RECORD),
        ("", None),
        ("none.b", None),
    ],
)
def test_a_path_leads_to_a_value(path: str, value: Any) -> None:
    assert value_at(RECORD, path) == value


def test_items_remember_the_way() -> None:
    record = {"docs": [{"id": 7, "out": {"born": [["Ada", "Rome"]], "died": []}}]}
    (found,) = items_at(record, "docs.out.{type}", depth=1)
    assert found.value == ["Ada", "Rome"]
    assert (found.get("type"), found.get("id"), found.get("1")) == ("born", 7, "Rome")


def test_depth_is_the_most_leading_numbers() -> None:
    assert depth_of("type", "0", "1.0,2,") == 2
    assert depth_of("type") == depth_of("") == 0


@given(ANYTHING, PATHS)
def test_any_record_takes_any_path(record: Any, path: str) -> None:
    value_at(record, path)
    for item in items_at(record, path):
        assert item.value is not None
        assert not isinstance(item.value, list)
