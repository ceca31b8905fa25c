"""Retrieval ranks by shared words, rare ones first; demonstrations come from it and stand in the prompt in order."""

from __future__ import annotations

import pytest

from knowcoder.codec.answer import build_answer
from knowcoder.codec.prompt import build_prompt
from knowcoder.corpus.sentence import Event, Mention, Sentence
from knowcoder.predict.retrieval import Bm25, class_index
from knowcoder.predict.shots import Shots, with_shots
from knowcoder.schema.concepts import EntityType, RelationType
from knowcoder.schema.library import SchemaLibrary
from knowcoder.schema.render import Style

LIBRARY = SchemaLibrary(
    entities=(
        EntityType(id="1", name="RailwayStation", description="A stop of trains."),
        EntityType(id="2", name="Human"),
        EntityType(id="3", name="Lake", aliases=("湖",)),
    ),
    relations=(RelationType(id="4", name="BornIn", examples=(("Ada", "London"),)),),
)


def test_rare_shared_words_count_most_and_short_documents_before_long_ones() -> None:
    index = Bm25(["the cat", "the dog and the cat and the bird", "the fish", ""])
    assert index.ranked("a CAT?")[:2] == [0, 1]
    assert index.ranked("the fish")[0] == 2
    assert index.ranked("nothing") == [0, 1, 2, 3]
    assert Bm25([]).ranked("x") == []


def test_classes_are_found_by_the_words_of_their_names_descriptions_and_aliases() -> None:
    index = class_index(LIBRARY, ("RailwayStation", "Human", "Lake", "BornIn"))
    assert index.ranked("to London")[0] == 3
    assert index.ranked("the old railway")[0] == 0
    assert index.ranked("西湖")[0] == 2
    assert index.ranked("two trains")[0] == 0


def sentence(id: str, text: str, source: str = "s", trigger: str = "") -> Sentence:
    start = text.find(trigger)
    events = (Event(trigger, Mention(trigger, trigger, start, start + len(trigger))),) if trigger else ()
    return Sentence(id=id, text=text, source=source, tasks=("NER", "ED", "EAE"), events=events)


TRAINING = [
    sentence("1", "a cat sat"),
    sentence("2", "a dog ran", trigger="ran"),
    sentence("3", "elsewhere", "other"),
    sentence("4", "a cat ran home", trigger="ran"),
]


@pytest.mark.parametrize("how", ["first", "random", "nearest"])
def test_shots_are_of_the_same_source_and_never_the_sentence_itself(how: str) -> None:
    shots = Shots(TRAINING, 5, how)  # type: ignore[arg-type]
    asked = sentence("t", "a cat sat")
    found = shots.of(asked, asked.text, "NER", ["Human"], told=False)
    assert {shot.id for shot in found} == {"2", "4"}
    assert [shot.id for shot in shots.of(asked, asked.text, "EAE", ["sat"], told=True)] == []


def test_a_source_without_training_sentences_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    shots = Shots(TRAINING, 5)
    asked = sentence("t", "a cat sat", source="new")
    assert not shots.of(asked, asked.text, "NER", ["Human"], told=False)
    assert not shots.of(asked, asked.text, "NER", ["Human"], told=False)
    assert caplog.text.count("none is shown") == 1


def test_the_nearest_comes_last_and_the_first_come_first() -> None:
    asked = sentence("t", "the cat came home")
    nearest = Shots(TRAINING, 2, "nearest").of(asked, asked.text, "NER", [], told=False)
    assert [shot.id for shot in nearest] == ["1", "4"]
    first = Shots(TRAINING, 2, "first").of(asked, asked.text, "NER", [], told=False)
    assert [shot.id for shot in first] == ["1", "2"]


@pytest.mark.parametrize("dialect", ["clean", "released"])
@pytest.mark.parametrize("text", ["plain", 'a """ b\n\n"""\nx'])
def test_shots_stand_between_the_definitions_and_the_sentence(dialect: str, text: str) -> None:
    style = Style(dialect=dialect)  # type: ignore[arg-type]
    classes = ("Human", "Lake")

    def bare(of: str) -> str:
        return build_prompt("NER", classes, of, LIBRARY, style)

    shot = Sentence(id="1", text=f"Ada {text}", entities=(Mention("Human", "Ada", 0, 3),))
    answer = build_answer("NER", shot.annotations, classes, LIBRARY, style)
    prompt = with_shots(bare(""), [(bare(shot.text), answer)], bare(text))
    head = len(prompt) - len(bare(text)) - len(bare(shot.text)) - len(answer) - 2
    assert head < 0  # the definitions stand once
    definitions = bare(text)[:-head]
    assert prompt == definitions + bare(shot.text)[-head:] + answer + "\n\n" + bare(text)[-head:]
    assert prompt.count("class Human") == 1
