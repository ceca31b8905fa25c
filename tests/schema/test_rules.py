"""Rules that finish answers: what each does, and how they travel with a type through source and files."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowcoder import jsonl
from knowcoder.errors import DataError
from knowcoder.schema import rules
from knowcoder.schema.concepts import EntityType, EventType, RelationType, Role
from knowcoder.schema.json_source import read_json
from knowcoder.schema.library import SchemaLibrary
from knowcoder.schema.package import write_package
from knowcoder.schema.python_source import read_python, read_python_files
from knowcoder.schema.render import Style, definitions, library_source
from knowcoder.schema.source import unite

told = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).map(str.strip).filter(bool)
some_rule = st.one_of(
    st.just("drop_pronouns"), told.map("cut_at:{}".format), told.map("append:{}".format), st.just("cut_at:such as")
)
some_rules = st.lists(some_rule, max_size=4).map(tuple)


def library(*given: tuple[str, ...]) -> SchemaLibrary:
    one, two, three = given
    return SchemaLibrary(
        (EntityType(id="Firm", name="Firm", rules=one), EntityType(id="Bank", name="Bank", parent="Firm", rules=two)),
        (RelationType(id="Owns", name="Owns", description="To have.", head=("Firm",), rules=three),),
        (EventType(id="Sale", name="Sale", roles=(Role(name="cut_at"), Role(name="rules")), rules=one),),
    )


@pytest.mark.parametrize(
    ("rule", "mention", "after", "kept"),
    [
        ("cut_at:such as", "ships such as ferries", "", "ships"),
        ("cut_at:such as", "ships, Such  as ferries", "", "ships"),
        ("cut_at:as", "a base as such", "", "a base"),
        ("cut_at:as", "Texas gas", "", "Texas gas"),
        ("cut_at:as", "as it was", "", "as it was"),
        ("append:star", "4", " star hotel", "4 star"),
        ("append:star", "4.5", "-Star hotel", "4.5-Star"),
        ("append:star", "five", " star", "five star"),
        ("append:star", "4", " stars", "4"),
        ("append:star", "room 4", " star", "room 4"),
        ("drop_pronouns", "They", "", None),
        ("drop_pronouns", "The", "", "The"),
    ],
)
def test_what_the_rules_do(rule: str, mention: str, after: str, kept: str | None) -> None:
    rules.check(rule)
    assert rules.apply(rule, mention, after) == kept


@given(some_rule, st.text(min_size=1), st.text())
def test_a_rule_keeps_a_piece_of_the_sentence_that_begins_where_the_mention_does(rule, mention, after) -> None:
    kept = rules.apply(rule, mention, after)
    assert kept is None or (kept and (mention + after).startswith(kept))


@given(some_rules, some_rules, some_rules)
def test_class_methods_in_source_are_read_back_as_the_same_rules(one, two, three) -> None:
    whole = library(one, two, three)
    source = library_source(whole)
    compile(source, "schema.py", "exec")
    assert read_python(source) == whole
    assert "classmethod" not in definitions([concept.name for concept in whole], whole, Style())


def test_a_package_of_types_with_rules_is_read_back_and_its_methods_do_what_the_rules_do(tmp_path: Path) -> None:
    whole = library(("cut_at:such as", "cut_at:as"), ("drop_pronouns",), ())
    assert read_python_files(write_package(whole, tmp_path)).library() == whole
    namespace: dict[str, type] = {}
    exec(library_source(whole), namespace)
    assert namespace["Bank"].drop_pronouns("it", "") is None
    assert namespace["Bank"].cut_at("banks such as ours", "") == "banks"
    assert namespace["Sale"]("sold").roles() == {"cut_at": [], "rules": []}


def test_rules_survive_files_and_merging(tmp_path: Path) -> None:
    whole = library(("cut_at:as",), (), ("drop_pronouns",))
    whole.save(tmp_path)
    assert SchemaLibrary.load(tmp_path) == whole
    other = [replace(concept, rules=("append:plc",)) for concept in whole]
    assert [concept.rules for concept in unite([*whole, *other])] == [
        ("cut_at:as", "append:plc"),
        ("append:plc",),
        ("drop_pronouns", "append:plc"),
        ("cut_at:as", "append:plc"),
    ]


@pytest.mark.parametrize("rule", ["", "shout", "cut_at", "cut_at:", "cut_at: as", "drop_pronouns:", "drop_pronouns:it"])
def test_what_is_no_rule_is_refused_wherever_it_comes_from(rule: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"'Firm'.* is no rule; the rules are cut_at:TEXT"):
        library((rule,), (), ())
    jsonl.write_json(tmp_path / "s.json", {"entities": [{"id": "firm", "rules": [rule]}]})
    with pytest.raises(DataError, match="is no rule"):
        read_json(tmp_path / "s.json").library()


def test_methods_of_another_kind_are_nobody_s_rules_and_a_wrong_call_is_shown_with_its_line() -> None:
    method = "class A(Entity):\n    @classmethod\n    def f(cls, mention, after):\n        {}\n"
    assert read_python(method.format("return [m for m in mention if m != 'it']")).entities[0].rules == ()
    assert read_python(method.format("return rules.append(mention, after, 'star')")).entities[0].rules == (
        "append:star",
    )
    for wrong in (
        "rules.shout(mention, after)",
        "rules.cut_at(mention, after, phrase)",
        "rules.cut_at(mention, after)",
    ):
        with pytest.raises(DataError, match=r"mine.py:3: .* is no rule"):
            read_python(method.format(f"return {wrong}"), "mine.py")
