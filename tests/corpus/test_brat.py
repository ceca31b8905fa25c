"""BRAT: what stands in the annotation file comes back; a line that cannot be read is an error with its number."""

from __future__ import annotations

from pathlib import Path

import pytest
from corpora import events, mentions, read_by_keys, relations
from hypothesis import given, settings
from hypothesis import strategies as st

from knowcoder.corpus.brat import read_document
from knowcoder.corpus.sentence import Sentence
from knowcoder.errors import DataError

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"))


def write(folder: Path, text: str, *lines: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "a.txt").write_text(text, encoding="utf-8", newline="")
    (folder / "a.ann").write_text("\n".join(lines), encoding="utf-8", newline="")
    return folder / "a.ann"


def read(tmp_path: Path, text: str, *lines: str) -> tuple[list[Sentence], list[str]]:
    """The sentences, and why what is not in them is not."""
    write(tmp_path / "data", text, *lines)
    words = ["format=brat", f"input={tmp_path / 'data'}", "relations.at=R", "events.at=E"]
    corpus, _ = read_by_keys(tmp_path, *words)
    return list(corpus.splits["train"]), [reject.reason for reject in corpus.rejects]


@settings(max_examples=40)
@given(TEXT.filter(bool), st.lists(st.tuples(st.integers(0, 30), st.integers(1, 9)), max_size=5))
def test_any_span_of_any_text_comes_back(
    tmp_path_factory: pytest.TempPathFactory, text: str, spans: list[tuple[int, int]]
) -> None:
    """A line break within a mention is a space in its line."""
    kept = [(start, start + length) for start, length in spans if start + length <= len(text)]
    lines = [
        f"T{number}\tPer {start} {end}\t{text[start:end].replace(chr(10), ' ')}"
        for number, (start, end) in enumerate(kept)
    ]
    record = read_document(write(tmp_path_factory.getbasetemp() / "brat", text, *lines, "#1\tNote T0\tsure"))
    assert record["text"] == text
    assert [(entity["start"], entity["end"]) for entity in record["T"]] == kept
    assert all("text" not in entity for entity in record["T"])


def test_offsets_that_are_not_the_mentions_are_searched_near_by(tmp_path: Path) -> None:
    (sentence,), rejected = read(tmp_path, "Ada, Ada and Bob", "T1\tPer 6 9\tAda", "T2\tPer 0 3\tEve")
    assert [(mention.text, mention.start) for mention in sentence.entities] == [("Ada", 5)]
    assert rejected == ["another text at the offsets"]


def test_events_with_roles_told_apart_by_numbers(tmp_path: Path) -> None:
    lines = ["T1\tPer 0 3\tAda", "T2\tPer 8 11\tBob", "T3\tMeet 4 7\tmet", "R1\tKnows Arg1:T1 Arg2:T2\t"]
    lines += ["E1\tMeet:T3 Who:T1 Who2:T2 Part2:T1", "A1\tNegated E1"]
    (sentence,), rejected = read(tmp_path, "Ada met Bob", *lines)
    assert mentions(sentence) == [("Per", "Ada"), ("Per", "Bob")]
    assert relations(sentence) == [("Ada", "Knows", "Bob")]
    assert events(sentence) == [("Meet", "met", {"who": ["Ada", "Bob"], "part2": ["Ada"]})]
    assert rejected == []


def test_what_refers_to_nothing_is_rejected(tmp_path: Path) -> None:
    lines = ["T1\tPer 0 3\tAda", "T3\tMeet 4 7\tmet", "T4\tPer 0 3;8 11\tAda Bob", "R1\tKnows Arg1:T1 Arg2:T9"]
    lines += ["E1\tMeet:T3 Who:E2 Whom:T7", "E2\tMeet:T8 Who:T1"]
    (sentence,), rejected = read(tmp_path, "Ada met Bob", *lines)
    assert events(sentence) == [("Meet", "met", {})]
    assert rejected == [
        "mention in pieces",
        "tail of no entity",
        "event within an event",
        "argument of no entity",
        "argument of a rejected event: trigger of no entity",
        "trigger of no entity",
    ]


@pytest.mark.parametrize(
    "line",
    [
        "T2\tPer 0",
        "T2\tPer zero 3\tAda",
        "T1\tPer 0 3\tAda",
        "R1\tKnows Arg1:T1",
        "E1\tMeet",
        "E1\tMeet:T1 Who",
        "E1\t",
    ],
)
def test_a_malformed_line_is_named(tmp_path: Path, line: str) -> None:
    with pytest.raises(DataError, match=r"a\.ann:2: .*the line is "):
        read_document(write(tmp_path, "Ada", "T1\tPer 0 3\tAda", line))


def test_files_that_are_missing_or_no_text_are_named(tmp_path: Path) -> None:
    path = write(tmp_path, "Ada", "T1\tPer 0 3\tAda")
    path.write_bytes(b"\xff")
    with pytest.raises(DataError, match=r"a\.ann: .*UTF-8"):
        read_document(path)
    path.with_suffix(".txt").unlink()
    with pytest.raises(DataError, match=r"NAME\.txt and NAME\.ann"):
        read_document(path)
