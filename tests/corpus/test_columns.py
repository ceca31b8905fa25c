"""Column files: tags spell spans and back, offsets point at the text, nothing is lost without a reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowcoder.corpus.columns import ColumnKeys, Scheme, Span, decode_tags, read_columns
from knowcoder.corpus.reading import Reading
from knowcoder.corpus.sentence import Sentence
from knowcoder.errors import DataError

SPELLING: dict[str, tuple[str, str, str, str]] = {  # first, middle, last, only token of an entity
    "BIO": ("B", "I", "I", "B"),
    "BILOU": ("B", "I", "L", "U"),
    "BMES": ("B", "M", "E", "S"),
}


@st.composite
def spans_of_a_sentence(draw: st.DrawFn) -> tuple[int, list[Span]]:
    spans, position = [], 0
    for _ in range(draw(st.integers(0, 5))):
        position += draw(st.integers(0, 2))
        end = position + draw(st.integers(1, 4))
        spans.append((draw(st.sampled_from(["per", "org", "a-b"])), position, end))
        position = end
    return position + draw(st.integers(0, 2)), spans


def spell(length: int, spans: list[Span], scheme: str) -> list[str]:
    first, middle, last, only = SPELLING[scheme]
    tags = ["O"] * length
    for kind, start, end in spans:
        prefixes = [only] if end - start == 1 else [first, *[middle] * (end - start - 2), last]
        tags[start:end] = [f"{prefix}-{kind}" for prefix in prefixes]
    return tags


@pytest.mark.parametrize("scheme", ["BIO", "BILOU", "BMES"])
@given(sentence=spans_of_a_sentence())
def test_tags_round_trip(scheme: Scheme, sentence: tuple[int, list[Span]]) -> None:
    length, spans = sentence
    assert decode_tags(spell(length, spans, scheme), scheme) == (spans, 0)


@pytest.mark.parametrize("scheme", ["BIO", "IO", "IOB1", "BILOU", "BMES"])
@given(data=st.data())
def test_any_legal_prefixes_give_disjoint_spans(scheme: Scheme, data: st.DataObject) -> None:
    prefixes = {"BIO": "BI", "IO": "I", "IOB1": "BI", "BILOU": "BILU", "BMES": "BMES"}[scheme]
    tag = st.sampled_from(["O", *(f"{prefix}-{kind}" for prefix in prefixes for kind in "xy")])
    tags = data.draw(st.lists(tag, max_size=12))
    spans, _ = decode_tags(tags, scheme)
    covered = [index for _, start, end in spans for index in range(start, end)]
    assert covered == [index for index, tag in enumerate(tags) if tag != "O"]
    assert all(tags[index].endswith(f"-{kind}") for kind, start, end in spans for index in range(start, end))


@pytest.mark.parametrize(
    ("scheme", "tags", "spans", "repaired"),
    [
        ("BIO", "I-x I-x O I-y", [("x", 0, 2), ("y", 3, 4)], 2),
        ("BIO", "B-x I-y", [("x", 0, 1), ("y", 1, 2)], 1),
        ("IOB1", "I-x I-x B-x I-y", [("x", 0, 2), ("x", 2, 3), ("y", 3, 4)], 0),
        ("IO", "x x O y", [("x", 0, 2), ("y", 3, 4)], 0),
        ("BILOU", "B-x I-x O L-y", [("x", 0, 2), ("y", 3, 4)], 2),
        ("BMES", "S-x B-x E-x B-y", [("x", 0, 1), ("x", 1, 3), ("y", 3, 4)], 1),
    ],
)
def test_illegal_tags_are_repaired_and_counted(scheme: Scheme, tags: str, spans: list[Span], repaired: int) -> None:
    assert decode_tags(tags.split(), scheme) == (spans, repaired)


def read(path: Path, keys: ColumnKeys) -> tuple[list[Sentence], Reading]:
    reading = Reading()
    classes = {label: label for label in ("per", "loc", "x", "y", "B")}
    found = read_columns(path, keys, classes, source="s", split="train", language="en", reading=reading)
    return list(found), reading


def test_layouts_are_a_matter_of_keys(tmp_path: Path) -> None:
    path = tmp_path / "columns.txt"
    path.write_text("-DOCSTART- O\n\n1 B-per Ada\n2 I-per Lovelace\n\n1 O Hm\n")
    sentences, reading = read(path, ColumnKeys(separator="", token=2, tag=1))
    assert [sentence.text for sentence in sentences] == ["Ada Lovelace", "Hm"]
    assert [mention.text for mention in sentences[0].entities] == ["Ada Lovelace"]
    assert (reading.read, reading.kept) == (2, 2)


def test_characters_and_blank_tokens(tmp_path: Path) -> None:
    path = tmp_path / "characters.txt"
    path.write_text("北\tB-loc\n京\tI-loc\n \tO\n人\tO\n", encoding="utf-8")
    (sentence,), _ = read(path, ColumnKeys(join=""))
    assert sentence.text == "北京 人"
    assert (sentence.entities[0].text, sentence.entities[0].start, sentence.entities[0].end) == ("北京", 0, 2)


def test_a_malformed_sentence_is_rejected_with_its_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.txt"
    path.write_text("a\tO\n\nb\tO\nc\n\nd\tX-y\n\n \tB-x\n")
    sentences, reading = read(path, ColumnKeys())
    assert [sentence.id for sentence in sentences] == ["s-train-1"]
    assert [(reject.line, reject.reason) for reject in reading.rejected] == [
        (4, "column missing"),
        (6, "tag is not BIO"),
        (8, "mention is blank"),
    ]
    assert reading.read == reading.kept + len(reading.rejected) == 4


def test_a_file_that_is_not_text_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "binary.txt"
    path.write_bytes(b"a\tO\n\xff\xfe\tO\n")
    with pytest.raises(DataError, match="UTF-8"):
        read(path, ColumnKeys())
