"""Head words by a real pipeline of spaCy, trained here on one sentence; and what is said where something is missing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from knowcoder.corpus.sentence import Annotations, LabelSet, Mention, Sentence
from knowcoder.errors import ModelError
from knowcoder.score.head_words import load_head_words
from knowcoder.score.metrics import score
from knowcoder.score.prediction import Prediction
from knowcoder.score.relax import Context

TEXT = "Ana visited the old university today"
HEADS = [1, 1, 4, 4, 1, 1]
DEPENDENCIES = ["nsubj", "ROOT", "det", "amod", "obj", "advmod"]


@pytest.fixture(scope="module")
def spacy() -> Any:
    return pytest.importorskip("spacy", reason="the extra spacy is not installed: head words are not tested")


@pytest.fixture(scope="module")
def pipeline(spacy: Any, tmp_path_factory: pytest.TempPathFactory) -> str:
    from spacy.training import Example

    made = spacy.blank("en")
    made.add_pipe("parser", config={"min_action_freq": 1})
    example = Example.from_dict(made.make_doc(TEXT), {"heads": HEADS, "deps": DEPENDENCIES})
    optimizer = made.initialize(lambda: [example])
    for _ in range(40):
        made.update([example], sgd=optimizer)
    assert [token.head.i for token in made(TEXT)] == HEADS
    folder = tmp_path_factory.mktemp("spacy") / "pipeline"
    made.to_disk(folder)
    return str(folder)


def place(piece: str) -> Mention:
    return Mention("Place", piece, TEXT.index(piece), TEXT.index(piece) + len(piece))


def test_the_head_word_is_the_root_of_the_mention(pipeline: str) -> None:
    head_word = load_head_words(pipeline)
    assert head_word(TEXT, place("the old university")) == "university"
    assert head_word(TEXT, place("the old univers")) == "university"
    assert head_word(TEXT, Mention("Place", "not there")) == "not there"


def test_a_mention_with_the_same_head_word_counts_in_that_column_alone(pipeline: str) -> None:
    gold = Sentence(id="1", text=TEXT, source="s", tasks=("NER",), entities=(place("university"),))
    said = Prediction(id="1", task="NER", annotations=Annotations((Mention("Place", "the old university"),)))
    context = Context(head_word=load_head_words(pipeline))
    columns = score([gold], [said], {"s": LabelSet(entities=("Place",))}, context=context).tasks["NER"].columns
    assert (columns["strict"].f1, columns["head_words"].f1) == (0, 1)


def test_what_is_missing_is_told_with_the_remedy(spacy: Any, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="spacy download no_such_pipeline"):
        load_head_words("no_such_pipeline")
    spacy.blank("en").to_disk(tmp_path / "blank")
    with pytest.raises(ModelError, match="no dependency parser"):
        load_head_words(str(tmp_path / "blank"))


def test_without_spacy_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "spacy", None)
    with pytest.raises(ModelError, match=r"pip install \"knowcoder\[spacy\]\""):
        load_head_words("en_core_web_sm")
