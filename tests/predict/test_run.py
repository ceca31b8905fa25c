"""A corpus in two steps, jointly, in shards, in pieces and with demonstrations: what is asked, what is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from knowcoder import cli, jsonl
from knowcoder.codec.model_card import ModelCard
from knowcoder.codec.wrapper import Wrapper
from knowcoder.corpus.sentence import Event, LabelSet, Mention, Sentence
from knowcoder.errors import DataError
from knowcoder.predict.engines import Completion, open_model
from knowcoder.predict.journal import PREDICTIONS
from knowcoder.predict.predict import Predictor, Request
from knowcoder.predict.run import join_shards, predict, shard_of
from knowcoder.predict.shots import Shots
from knowcoder.schema.concepts import EntityType, EventType, Role
from knowcoder.schema.library import SchemaLibrary
from knowcoder.score.prediction import Prediction

LIBRARY = SchemaLibrary(
    entities=(EntityType(id="Q1", name="Human"), EntityType(id="Q2", name="City")),
    events=(
        EventType(id="E1", name="Attack", roles=(Role(name="attacker", types=("Q1",)), Role(name="place"))),
        EventType(id="E2", name="Rain"),
    ),
)
LABELS = {"s": LabelSet(entities=("Human", "City"), events=("Attack", "Rain"))}
TEXT = "Ada bombed Oslo. Bo saw Ada."


class Scripted:
    """An engine that answers by what its prompt contains, and notes what it was asked."""

    context: int | None = None
    can_constrain = False

    def __init__(self, wrapper: Wrapper, answer: Callable[[str], str]) -> None:
        self.wrapper, self.answer = wrapper, answer
        self.asked: list[str] = []

    def complete(
        self,
        prompts: Sequence[list[int]],
        grammars: Sequence[str | None],
        max_new_tokens: int,
        progress: Callable[[int, Completion], None] | None = None,
    ) -> list[Completion]:
        texts = [self.wrapper.decode(prompt) for prompt in prompts]
        self.asked += texts
        made = [Completion(self.answer(text), 3, True) for text in texts]
        for index in reversed(range(len(made))):  # answers end in any order
            if progress:
                progress(index, made[index])
        return made


@pytest.fixture
def wrapper(model_dir: Path) -> Wrapper:
    return Wrapper.from_folder(model_dir)


def lines(folder: Path) -> dict[tuple[str, str], Prediction]:
    return {(line.id, line.task): line for line in jsonl.read(folder / PREDICTIONS, Prediction)}


def sentences(count: int = 1) -> list[Sentence]:
    return [Sentence(id=str(n), text=TEXT, source="s", tasks=("NER", "ED", "EAE")) for n in range(count)]


def test_arguments_from_end_to_end_are_asked_of_detected_triggers(wrapper: Wrapper, tmp_path: Path) -> None:
    def answer(prompt: str) -> str:
        if "events = [" in prompt:
            assert 'events = [Attack("bombed")]' in prompt
            assert "class Rain" not in prompt
            return 'results = [Attack("bombed", attacker=[Human("Ada")])]'
        return 'results = [Attack("bombed")]'

    (gold,) = sentences()
    gold = replace(gold, tasks=("EAE",))  # detection is asked although only arguments are annotated
    engine = Scripted(wrapper, answer)
    for _ in range(2):  # the second run finds everything there
        predict([gold], LABELS, ["ED", "EAE"], Predictor(LIBRARY, engine, ModelCard()), tmp_path, "predicted")
    assert len(engine.asked) == 2
    (event,) = lines(tmp_path)["0", "EAE"].annotations.events
    assert event.trigger == Mention("Attack", "bombed", 4, 10)
    assert event.arguments[0].mention == Mention("Human", "Ada", 0, 3)


def test_a_joint_answer_counts_for_detection_and_arguments(wrapper: Wrapper, tmp_path: Path) -> None:
    engine = Scripted(wrapper, lambda _: 'results = [Attack("bombed", attacker=[Human("Ada")])]')
    counts = predict(sentences(), LABELS, ["EE"], Predictor(LIBRARY, engine, ModelCard()), tmp_path)
    assert len(engine.asked) == 1
    assert "events = [" not in engine.asked[0]
    assert "class Rain" in engine.asked[0]
    found = lines(tmp_path)
    (detected,), (whole,) = found["0", "ED"].annotations.events, found["0", "EAE"].annotations.events
    assert detected.trigger == whole.trigger == Mention("Attack", "bombed", 4, 10)
    assert not detected.arguments
    assert (found["0", "ED"].alignment, found["0", "EAE"].alignment) == (("exact",), ("exact", "ambiguous"))
    assert [argument.role for argument in whole.arguments] == ["attacker"]
    assert counts["tokens"] == 3


def test_pieces_are_asked_apart_and_found_again_in_the_whole(wrapper: Wrapper, tmp_path: Path) -> None:
    engine = Scripted(wrapper, lambda _: 'results = [Human("Ada")]')
    predictor = Predictor(LIBRARY, engine, ModelCard(), pieces="sentence", classes_per_prompt=1)
    predict(sentences(), LABELS, ["NER"], predictor, tmp_path)
    assert len(engine.asked) == 4  # two sentences, two classes
    (found,) = lines(tmp_path).values()
    assert [(m.start, TEXT[m.start or 0 : m.end]) for m in found.annotations.entities] == [(0, "Ada"), (24, "Ada")]


def test_a_trigger_that_a_cut_runs_through_is_told_as_a_problem(wrapper: Wrapper) -> None:
    (gold,) = sentences()
    across = Event("Attack", Mention("Attack", "Oslo. Bo", 11, 19))
    predictor = Predictor(LIBRARY, Scripted(wrapper, str), ModelCard(), pieces="sentence")
    (found,) = predictor.predict([Request(replace(gold, events=(across,)), "EAE", ("Attack",))])
    assert found.problems == ("1 triggers stand in no piece of the text",)
    assert not found.annotations.events


def test_retrieval_offers_the_nearest_classes_alone(wrapper: Wrapper) -> None:
    engine = Scripted(wrapper, lambda _: "results = []")
    predictor = Predictor(LIBRARY, engine, ModelCard(), retrieve=1)
    predictor.predict([Request(Sentence(id="1", text="a city by night"), "NER", ("Human", "City"))])
    assert "class City" in engine.asked[0]
    assert "class Human" not in engine.asked[0]


def test_demonstrations_are_shown_with_their_answers(wrapper: Wrapper) -> None:
    shown = Sentence(id="9", text="Bo left.", source="s", tasks=("NER",), entities=(Mention("Human", "Bo", 0, 2),))
    engine = Scripted(wrapper, lambda _: "results = []")
    predictor = Predictor(LIBRARY, engine, ModelCard(), shots=Shots([shown], 2))
    predictor.predict([Request(sentences()[0], "NER", ("Human", "City"))])
    assert 'sentence = "Bo left."\nresults = [\n    Human("Bo"),\n]\n\n"""' in engine.asked[0]
    assert engine.asked[0].endswith(f'sentence = "{TEXT}"\n')


def test_an_engine_that_fails_loses_nothing_that_was_answered(wrapper: Wrapper, tmp_path: Path) -> None:
    class Failing(Scripted):
        def complete(self, prompts, grammars, max_new_tokens, progress=None):  # type: ignore[no-untyped-def]
            assert progress
            progress(1, Completion("results = []", 1, True))
            raise KeyboardInterrupt

    predictor = Predictor(LIBRARY, Failing(wrapper, str), ModelCard())
    with pytest.raises(KeyboardInterrupt):
        predict(sentences(3), LABELS, ["NER"], predictor, tmp_path)
    assert list(lines(tmp_path)) == [("1", "NER")]


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_shards_hold_every_sentence_once_and_join_to_the_whole(wrapper: Wrapper, tmp_path: Path, count: int) -> None:
    every = sentences(5)
    predictor = Predictor(LIBRARY, Scripted(wrapper, lambda _: 'results = [Human("Ada")]'), ModelCard())
    parts = [tmp_path / str(number) for number in range(count)]
    for number, part in enumerate(parts, start=1):
        predict(shard_of(every, f"{number}/{count}"), LABELS, ["NER"], predictor, part)
    joined = join_shards(parts, tmp_path / "joined")
    whole = predict(every, LABELS, ["NER"], predictor, tmp_path / "whole")
    assert joined == whole
    assert lines(tmp_path / "joined") == lines(tmp_path / "whole")
    with pytest.raises(DataError, match="another shard"):
        join_shards(parts[:1] * 2, tmp_path / "twice")


@pytest.mark.parametrize("shard", ["0/2", "3/2", "1", "a/b", "-1/2", "1/0"])
def test_a_shard_of_another_form_is_refused(shard: str) -> None:
    with pytest.raises(DataError, match="i/n"):
        shard_of([], shard)


def test_the_command_joins_all_shards_of_one_prediction_and_no_others(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["world", f"output={tmp_path}/w", "sentences=40", "test_sentences=6"]) == 0
    words = ["predict", f"schema={tmp_path}/w/schema", f"corpus={tmp_path}/w/corpus", "method=dictionary"]
    for number in (1, 2):
        assert cli.main([*words, f"shard={number}/2", f"output={tmp_path}/{number}"]) == 0
    assert cli.main([*words, f"parts=[{tmp_path}/1,{tmp_path}/2]", f"output={tmp_path}/all"]) == 0
    assert cli.main([*words, f"output={tmp_path}/whole"]) == 0
    assert lines(tmp_path / "all") == lines(tmp_path / "whole")
    assert cli.main([*words, f"parts=[{tmp_path}/1]", f"output={tmp_path}/half"]) == 2
    assert "must be all shards" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (["tasks=[EE,ED]"], "counts for ED and EAE"),
        (["tasks=[EAE]", "triggers=predicted"], "needs ED and EAE"),
        (["engine=openai", "model=M"], "missing server.url"),
        (["engine=vllm", "model=M"], "vLLM is not installed"),
        (["engine=openai", "method=random", "model=M"], "needs engine=hf"),
    ],
)
def test_keys_that_cannot_go_together_are_refused(
    keys: list[str], said: str, model_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["world", f"output={tmp_path}/w", "sentences=20", "test_sentences=2"]) == 0
    words = ["predict", f"schema={tmp_path}/w/schema", f"corpus={tmp_path}/w/corpus", f"output={tmp_path}/p"]
    given = [f"model={model_dir}" if key == "model=M" else key for key in keys]
    assert cli.main([*words, f"model={model_dir}", *given]) == 2
    assert said in capsys.readouterr().err


def test_a_random_model_in_pieces_under_the_grammar_quotes_the_text(model_dir: Path, tmp_path: Path) -> None:
    engine, _ = open_model(model_dir, device="cpu")
    predictor = Predictor(LIBRARY, engine, ModelCard(), pieces="window", window=18, max_items=3, max_new_tokens=100)
    predict(sentences(), LABELS, ["NER", "ED", "EAE"], predictor, tmp_path, "predicted")
    for line in lines(tmp_path).values():
        for mention in line.annotations.mentions():
            assert mention.start is not None
            assert TEXT[mention.start : mention.end] == mention.text
