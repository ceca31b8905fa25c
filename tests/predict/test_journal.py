"""Predictions on disk survive a kill."""

from __future__ import annotations

from pathlib import Path

from knowcoder import jsonl
from knowcoder.corpus.sentence import Annotations, Mention
from knowcoder.predict.journal import PREDICTIONS, Journal
from knowcoder.score.prediction import Answer, Prediction


def prediction(id: str) -> Prediction:
    found = Annotations(entities=(Mention("Human", "Ada", 0, 3),))
    return Prediction(id=id, task="NER", annotations=found, answers=(Answer(prompt_hash="0", text="\n", tokens=1),))


def test_lines_come_back_and_a_second_journal_goes_on(tmp_path: Path) -> None:
    for id in ("a", "b"):
        with Journal(tmp_path) as journal:
            assert (id, "NER") not in journal.done
            journal.write(prediction(id))
    assert list(jsonl.read(tmp_path / PREDICTIONS, Prediction)) == [prediction("a"), prediction("b")]
    assert Journal(tmp_path).done == {("a", "NER"), ("b", "NER")}


def test_a_half_written_line_is_cut_off(tmp_path: Path) -> None:
    for id in ("a", "b"):
        with Journal(tmp_path) as journal:
            journal.write(prediction(id))
    path = tmp_path / PREDICTIONS
    path.write_bytes(path.read_bytes()[:-5])
    with Journal(tmp_path) as journal:
        assert journal.done == {("a", "NER")}
        journal.write(prediction("b"))
    assert list(jsonl.read(path, Prediction)) == [prediction("a"), prediction("b")]


def test_a_first_line_cut_in_half_leaves_an_empty_journal(tmp_path: Path) -> None:
    (tmp_path / PREDICTIONS).write_bytes(b'{"id": "a"')
    assert not Journal(tmp_path).done
    assert (tmp_path / PREDICTIONS).read_bytes() == b""
