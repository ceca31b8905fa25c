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


@pytest.mark.parametrize(
    "answer",
    [
        {"entities": {"person": ["x", "y"]}},
        {"results": [{"person": ["x"]}, {"person": ["y"]}]},
        {"Output": [{"entity": "x", "type": "person"}, {"entity": "y", "type": "Person"}]},
        {"answer": {"entities": {"person": ["x", "y"], "city": []}}},
    ],
)
def test_a_key_around_the_answer_is_no_class(answer: object) -> None:
    for text in (json.dumps(answer), f"results = {answer}"):
        parsed = parse_answer(text, {"Person", "City"}, "NER")
        assert [mention.text for mention in parsed.annotations.entities] == ["x", "y"]
        assert not parsed.problems
    event = parse_answer('{"events": ["riot"]}', {"Events"}, "ED")  # unless it was offered
    assert [found.type for found in event.annotations.events] == ["Events"]


def test_what_is_not_taken_is_told_once() -> None:
    parsed = parse_answer('{"ghost": ["x"], "person": []}', {"Person"}, "NER")
    assert [str(problem) for problem in parsed.problems] == ["unknown class: Ghost"]


FOUND = {"person": ['Ada "B" C', "x/y", "\u5317\u4eac \U0001f600"], "city": ["Bo\n"]}
WRITTEN = {
    "plain": json.dumps(FOUND),
    "indented": json.dumps(FOUND, indent=2, ensure_ascii=False),
    "code": 'results = [\n    Person("Ada \\"B\\" C"), Person("x/y"),\n'
    '    Person("\u5317\u4eac \U0001f600"), City("Bo\\n")]',
}


@pytest.mark.parametrize("form", sorted(WRITTEN))
def test_an_answer_that_is_escaped_once_more_is_read_and_told(form: str) -> None:
    """As a log has it, with its quotes or without, in a fence, behind talk, or in the quotes of Python."""
    answer = WRITTEN[form]
    again = json.dumps(answer)
    bare = again[1:-1]
    forms = [again, bare, f"It's this: {bare}", f"```\n{bare}\n```", repr(answer)]
    for text in forms:
        parsed = parse_answer(text, {"Person", "City"}, "NER")
        assert [(m.type.lower(), m.text) for m in parsed.annotations.entities] == [
            (label, text) for label, texts in FOUND.items() for text in texts
        ], text
        assert [str(problem) for problem in parsed.problems] == [
            "punctuation: an answer that is escaped as the inside of a string"
        ]
    cut = parse_answer(again[: again.index("x/y") + 6], {"Person", "City"}, "NER")
    assert cut.annotations.entities[0].text == 'Ada "B" C'


def test_an_escaped_slash_is_a_slash_in_json_alone() -> None:
    for answer in (r'{"person": ["x\/y"]}', r'[{"entity": "x\/y", "type": "person"}]', r'"{\"person\": [\"x\\/y\"]}"'):
        assert parse_answer(answer, {"Person"}, "NER").annotations.entities[0].text == "x/y"
    assert parse_answer(r'{"person": ["x\\/y"]}', {"Person"}, "NER").annotations.entities[0].text == r"x\/y"
    assert parse_answer(r'results = [Person("x\/y")]', {"Person"}, "NER").annotations.entities[0].text == r"x\/y"


def test_escaped_quotes_within_a_python_string_are_no_sign_of_that() -> None:
    answer = r"""results = [Person('say \"hi\"'), Person('see (\"x\")'), Person("\"")]"""
    parsed = parse_answer(answer, {"Person"}, "NER")
    assert [mention.text for mention in parsed.annotations.entities] == ['say "hi"', 'see ("x")', '"']
    assert not parsed.problems


def _offer(schema: list[str | dict[str, list[str]]]) -> Offer:
    roles = {}
    names = set()
    for item in schema:
        label = item if isinstance(item, str) else str(item.get("predicate") or item["event_type"])
        names.add(class_name(label))
        if isinstance(item, dict) and "arguments" in item:
            roles[class_name(label)] = frozenset(map(role_name, item["arguments"]))
    return Offer(frozenset(names), roles=roles)
