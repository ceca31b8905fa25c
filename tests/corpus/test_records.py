"""Files of records: every share stands once, documents stay whole, no record stops the others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowcoder.config.corpus import EntityKeys, LayoutConfig, RecordKeys
from knowcoder.corpus.labels import Classes
from knowcoder.corpus.read import read_rows
from knowcoder.corpus.reading import Reading, Unusable
from knowcoder.corpus.records import read_records

VALUE = st.none() | st.booleans() | st.integers(-2, 9) | st.text("ab ", max_size=3)
SPAN = st.dictionaries(st.sampled_from(["type", "text", "start", "end"]), VALUE | st.lists(VALUE, max_size=2))
RECORD = st.fixed_dictionaries({}, optional={"text": VALUE, "entities": VALUE | st.lists(VALUE | SPAN, max_size=4)})


@given(st.lists(RECORD | VALUE, max_size=4))
def test_whatever_records_hold_is_kept_or_rejected(records: list[Any]) -> None:
    reading, layout = Reading(), LayoutConfig("records", records=RecordKeys(text="text"))
    layout.entities = EntityKeys(at="entities")
    about = {"source": "x", "split": "train", "language": "en"}
    found = list(read_rows(enumerate(records, 1), "f", layout, Classes(open=True), **about, reading=reading))
    mentions = [(sentence.text, mention) for sentence in found for mention in sentence.entities]
    assert all(text[mention.start : mention.end] == mention.text != "" for text, mention in mentions)
    assert reading.kept == len(mentions)
    assert reading.read == reading.kept + len(reading.rejected)
    assert {reject.line for reject in reading.rejected} <= set(range(1, len(records) + 1))


@given(st.lists(st.integers(0, 4), max_size=20), st.floats(0, 1))
def test_shares_hold_every_record_once_and_documents_whole(
    tmp_path_factory: pytest.TempPathFactory, documents: list[int], cut: float
) -> None:
    path = tmp_path_factory.mktemp("shares") / "records.jsonl"
    ids = [f"doc{document}#{number}" for number, document in enumerate(documents)]
    path.write_text("".join(f"{json.dumps({'id': id})}\n" for id in ids))
    first, second = (
        [record["id"] for _, record in read_records(path, RecordKeys(share=share, document="#"))]
        for share in ([0.0, cut], [cut, 1.0])
    )
    assert sorted(first + second) == sorted(ids)
    assert {id.partition("#")[0] for id in first}.isdisjoint(id.partition("#")[0] for id in second)


def test_a_broken_line_is_a_reject_among_records(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text('{"a": 1}\n{"b"\n\n{"c": 2}\n')
    read = list(read_records(tmp_path / "r.jsonl", RecordKeys()))
    assert [line for line, _ in read] == [1, 2, 4]
    assert isinstance(read[1][1], Unusable)
