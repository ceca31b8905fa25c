"""Triples merged into sentences: each is kept with its mentions in place, or rejected with the reason."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowcoder.corpus.reading import Reading
from knowcoder.corpus.search import fold, search
from knowcoder.corpus.sentence import Sentence
from knowcoder.corpus.triples import Signature, TripleKeys, read_triples

RELATIONS = {"P57": Signature("Director", "Film", "Human"), "director": Signature("Director", "Film", "Human")}


def read(path: Path, records: list[dict[str, object]], keys: TripleKeys) -> tuple[list[Sentence], Reading]:
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    reading = Reading()
    found = read_triples(path, keys, RELATIONS, source="s", split="train", language="en", reading=reading)
    return list(found), reading


def test_triples_of_one_sentence_become_one_sentence(tmp_path: Path) -> None:
    text = "Up and Away was directed by Zoë Ray and Bo Li."
    triples = [("Up and Away (film)", "Zoe Ray"), ("Up and Away", "Bo Li"), ("Up and Away", "Bo Li")]
    records: list[dict[str, object]] = [
        {"sent": text, "sub_label": head, "rel": "P57", "obj_label": tail} for head, tail in triples
    ]
    records += [{"sent": text, "sub_label": "Up", "rel": "P99", "obj_label": "Bo Li"}]
    records += [{"sent": text, "sub_label": "Up and Away", "rel": "P57", "obj_label": "Li Bo"}]
    records += [{"sent": text, "sub_label": "Up and Away", "rel": "P57"}]
    (sentence,), reading = read(tmp_path / "triples.jsonl", records, TripleKeys())
    assert [(r.type, r.head.text, r.tail.text) for r in sentence.relations] == [
        ("Director", "Up and Away", "Zoë Ray"),
        ("Director", "Up and Away", "Bo Li"),
    ]
    assert [(m.type, m.text) for m in sentence.entities] == [
        ("Film", "Up and Away"),
        ("Human", "Zoë Ray"),
        ("Human", "Bo Li"),
    ]
    assert [(reject.line, reject.reason) for reject in reading.rejected] == [
        (3, "triple said twice"),
        (4, "relation not in the ontology"),
        (5, "tail not in the sentence"),
        (6, "field missing"),
    ]
    assert (reading.read, reading.kept, reading.texts, reading.repaired) == (6, 2, 1, 1)


def test_lists_of_triples_and_relations_by_label(tmp_path: Path) -> None:
    triple = {"sub": "Up", "rel": "director", "obj": "Bo Li"}
    record: dict[str, object] = {"sent": "Bo Li made Up.", "triples": [triple]}
    keys = TripleKeys(triples="triples", head="sub", relation="rel", tail="obj")
    (sentence,), reading = read(tmp_path / "truth.jsonl", [record, {"sent": "No triples."}], keys)
    assert sentence.relations[0].tail.text == "Bo Li"
    assert (reading.read, reading.texts) == (1, 2)


def test_head_and_tail_are_different_pieces_of_text(tmp_path: Path) -> None:
    record: dict[str, object] = {"sent": "Ray filmed Ray.", "sub_label": "Ray", "rel": "P57", "obj_label": "Ray"}
    (sentence,), _ = read(tmp_path / "same.jsonl", [record], TripleKeys())
    assert (sentence.relations[0].head.start, sentence.relations[0].tail.start) == (0, 11)


@given(st.text(), st.text())
def test_what_is_found_is_what_was_sought(name: str, text: str) -> None:
    assert len(fold(text)) == len(text)
    for start, end, status in search(name, text):
        assert 0 <= start < end <= len(text)
        assert status == "normalised" or text[start:end] in name


@pytest.mark.parametrize(
    ("name", "text", "found"),
    [
        ("Art", "Arthur paints Art.", "Art"),
        ("01 January 2009", "It began in 2009.", "2009"),
        ("06 July 1975", "Born July 6, 1975, in Rome.", "July 6, 1975"),
        ("Bleach : Hell Verse", "See Bleach: Hell Verse now.", "Bleach: Hell Verse"),
        ("W. E. B. Du Bois", "W.E.B. Du Bois wrote.", "W.E.B. Du Bois"),
    ],
)
def test_spellings(name: str, text: str, found: str) -> None:
    start, end, _ = next(search(name, text))
    assert text[start:end] == found
