"""Conversations: every mention of every answer comes back or is rejected, and what is no answer is shown."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from corpora import mentions, read_by_keys
from hypothesis import given, settings
from hypothesis import strategies as st

from knowcoder.config.corpus import DialogueKeys
from knowcoder.corpus.dialogue import told_as_records
from knowcoder.corpus.reading import Unusable

TEXT = st.text(st.characters(exclude_categories=["Cs"]))
LINE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n"))


def turns(text: str, *asked: tuple[str, Any]) -> dict[str, Any]:
    said = [f"Text: {text}", "I have read it."]
    for kind, answer in asked:
        said += [f"What describes {kind} in the text?", answer if isinstance(answer, str) else json.dumps(answer)]
    return {"conversations": [{"from": "?", "value": turn} for turn in said]}


@settings(max_examples=30)
@given(TEXT, st.lists(st.tuples(LINE, st.lists(TEXT))))
def test_text_types_and_mentions_come_back(text: str, asked: list[tuple[str, list[str]]]) -> None:
    ((line, record),) = told_as_records([(7, turns(text, *asked))], DialogueKeys())
    assert (line, record["text"]) == (7, text)
    assert record["entities"] == [{"type": kind, "text": mention} for kind, found in asked for mention in found]


@settings(max_examples=30)
@given(
    st.recursive(
        st.none() | st.integers() | TEXT, lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner), max_leaves=5
    )
)
def test_any_record_is_a_text_or_says_why_not(record: Any) -> None:
    gone = Unusable("gone", "")
    (_, made), passed = told_as_records([(1, {"conversations": record}), (2, gone)], DialogueKeys())
    assert isinstance(made, Unusable) or isinstance(made["text"], str)
    assert passed == (2, gone)


def test_what_is_no_list_of_texts_is_rejected_and_shown(tmp_path: Path) -> None:
    records = [
        turns("Ada in Rome", ("person", ["Ada", "Bob"]), ("place", "Rome"), ("date", [1]), ("food", [])),
        {"conversations": [{"value": "What describes x in the text?"}, {"value": "[]"}]},
        {"conversations": [{"value": "Text: Hm"}, {"value": "What describes x in the text?"}]},
    ]
    (tmp_path / "a.jsonl").write_text("\n".join(map(json.dumps, records)))
    corpus, _ = read_by_keys(tmp_path, f"input={tmp_path / 'a.jsonl'}", "format=dialogue")
    one, two = corpus.splits["train"]
    assert (mentions(one), mentions(two)) == ([("Person", "Ada")], [])
    assert [(reject.line, reject.reason, reject.value) for reject in corpus.rejects] == [
        (1, "entity not in the text", "Bob"),
        (1, "span malformed", "Rome"),
        (1, "span malformed", "[1]"),
        (2, "no turn gives the text", "['What describes x in the text?', '[]']"),
    ]


def test_other_words_are_a_matter_of_keys(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text(json.dumps([{"chat": ["<Ada>", "person:", '["Ada"]']}]))
    words = ["format=dialogue", "dialogue.turns=chat", "dialogue.said=.", "dialogue.text=<(?P<text>.*)>"]
    corpus, _ = read_by_keys(tmp_path, f"input={tmp_path / 'a.json'}", *words, "dialogue.question=(?P<type>.*):")
    assert mentions(corpus.splits["train"][0]) == [("Person", "Ada")]
