"""A corpus comes back from disk as it was, and says what it lacks."""

from __future__ import annotations

from pathlib import Path

import pytest

from knowcoder.corpus.reading import Corpus, Reading, Reject, join, load_split, split_names
from knowcoder.corpus.sentence import Argument, Event, LabelSet, Mention, Relation, Sentence
from knowcoder.errors import ArtefactError


def corpus(source: str) -> Corpus:
    ada, london = Mention("Human", "Ada", 0, 3), Mention("City", "London")
    sentence = Sentence(
        id=f"{source}-1",
        text="Ada of London",
        source=source,
        tasks=("NER", "RE", "EAE"),
        entities=(ada, london),
        relations=(Relation("BornIn", ada, london),),
        events=(Event("Move", None, (Argument("agent", ada),)),),
    )
    labels = {source: LabelSet(entities=("Human", "City"), relations=("BornIn",), events=("Move",))}
    splits: dict[str, list[Sentence]] = {"train": [sentence], "test": []}
    return Corpus(splits, labels, [Reject("a.txt", 3, "why", "what")], {"train": {"read": 2}})


def test_saving_and_loading_is_the_identity(tmp_path: Path) -> None:
    before = corpus("a")
    before.save(tmp_path)
    after = Corpus.load(tmp_path)
    assert (after.splits, after.labels, after.rejects) == (before.splits, before.labels, before.rejects)
    assert split_names(tmp_path) == ["train", "test"]
    with pytest.raises(ArtefactError, match="it has: train, test"):
        load_split(tmp_path, "dev")


def test_joining_keeps_sources_apart_and_adds_counts() -> None:
    whole = join([corpus("a"), corpus("b")])
    assert [sentence.source for sentence in whole.splits["train"]] == ["a", "b"]
    assert list(whole.labels) == ["a", "b"]
    assert whole.tally()["train"] | {"read": 4, "sentences": 2, "arguments": 2} == whole.tally()["train"]


def test_the_account_adds_up() -> None:
    reading = Reading(kept=3)
    reading.reject("f", 1, "b", "x")
    reading.reject("f", 2, "a", "y")
    assert reading.counts() == {
        "texts": 0, "texts left out": 0, "read": 5, "kept": 3, "rejected": 2, "repaired": 0,
        "rejected: a": 1, "rejected: b": 1,
    }  # fmt: skip
