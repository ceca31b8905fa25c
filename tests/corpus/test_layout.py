"""Layouts of YAML files: the keys of the command line, nested or dotted, checked like those."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowcoder.config.corpus import FORMATS, LayoutConfig
from knowcoder.config.keys import keys_of, value_of
from knowcoder.corpus.layout import layout_of
from knowcoder.errors import ConfigError

KEYS = {key.name: key for key in keys_of(LayoutConfig) if key.name != "format"}
OTHERS: dict[Any, st.SearchStrategy[Any]] = {
    str: st.text(max_size=3),
    bool: st.booleans(),
    int: st.integers(-9, 9),
    list[int]: st.lists(st.integers(), max_size=2),
    list[str]: st.lists(st.text(max_size=3), max_size=2),
    list[float]: st.lists(st.floats(0, 1), max_size=2),
}
FIELDS = {name: st.sampled_from(key.choices) if key.choices else OTHERS[key.type] for name, key in KEYS.items()}


@settings(max_examples=30)
@given(st.sampled_from(FORMATS), st.sets(st.sampled_from(sorted(FIELDS)), max_size=6), st.data())
def test_nested_keys_are_dotted_ones_and_the_rest_has_its_default(
    format: str, names: set[str], data: st.DataObject
) -> None:
    said = {name: data.draw(FIELDS[name], label=name) for name in sorted(names)}
    nested: dict[str, dict[str, Any]] = {}
    for name, value in said.items():
        group, _, field = name.partition(".")
        nested.setdefault(group, {})[field] = value
    layout = layout_of(format, said)
    assert layout == layout_of(format, nested)
    assert layout.format == format
    assert {name: value_of(layout, name) for name in KEYS} == {name: key.default for name, key in KEYS.items()} | said


def test_the_later_part_has_the_last_word() -> None:
    layout = layout_of("records", {"records": {"text": "a", "join": ""}}, {"records.text": "b"})
    assert (layout.records.text, layout.records.join) == ("b", "")


@pytest.mark.parametrize(
    ("format", "keys", "said"),
    [
        ("rows", {}, "format=rows: must be one of columns"),
        ("records", {"record": {"text": "a"}}, r"'record.text' is not known; did you mean records\.text"),
        ("records", {"records": "text"}, "'records' is not known"),
        ("columns", {"columns.tags": "1"}, "columns.tags=1: "),
        ("columns", {"columns": {"scheme": "BOI"}}, "columns.scheme=BOI: must be one of 'BIO'"),
        ("records", {"records.merge": "yes"}, "records.merge=yes: "),
    ],
)
def test_a_wrong_key_or_value_is_named(format: str, keys: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        layout_of(format, keys)
