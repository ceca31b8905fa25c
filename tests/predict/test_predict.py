"""From sentences to predictions: who is asked what, what becomes of the answers, and what a kill costs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from msgspec.structs import replace

from knowcoder import jsonl
from knowcoder.codec.answer import build_answer
from knowcoder.codec.model_card import ModelCard
from knowcoder.codec.prompt import build_prompt
from knowcoder.codec.wrapper import Wrapper
from knowcoder.corpus.sentence import Annotations, Argument, Event, LabelSet, Mention, Relation, Sentence
from knowcoder.errors import ConfigError, DataError
from knowcoder.predict.engines import Completion, open_model
from knowcoder.predict.journal import PREDICTIONS
from knowcoder.predict.predict import Predictor, Request, requests_of
from knowcoder.predict.run import predict
from knowcoder.predict.surplus import drop_surplus
from knowcoder.schema.concepts import TASKS, EntityType, EventType, RelationType, Role
from knowcoder.schema.library import SchemaLibrary
from knowcoder.schema.render import Style
from knowcoder.score.prediction import Prediction

LIBRARY = SchemaLibrary(
    entities=(EntityType(id="Q1", name="Human"), EntityType(id="Q2", name="City")),
    relations=(RelationType(id="P1", name="BornIn", head=("Q1",), tail=("Q2",)),),
    events=(
        EventType(id="E1", name="Attack", roles=(Role(name="attacker", types=("Q1",)), Role(name="place"))),
        EventType(id="E2", name="Rain"),
    ),
)
LABELS = {"s": LabelSet(entities=("Human", "City"), relations=("BornIn",), events=("Attack", "Rain"))}


def sentence(id: str, name: str) -> Sentence:
    text = f"{name} bombed Oslo and {name} left."
    start = text.index(f"and {name}") + 4
    first, second = Mention("Human", name, 0, len(name)), Mention("Human", name, start, start + len(name))
    oslo, bombed = text.index("Oslo"), text.index("bombed")
    city = Mention("City", "Oslo", oslo, oslo + 4)
    trigger = Mention("Attack", "bombed", bombed, bombed + 6)
    return Sentence(
        id=id,
        text=text,
        source="s",
        group="seen",
        tasks=TASKS,
        entities=(first, city, second),
        relations=(Relation("BornIn", first, city),),
        events=(
            Event("Attack", trigger, (Argument("attacker", first), Argument("place", replace(city, type="Entity")))),
        ),
    )


SENTENCES = [
    sentence("1", "Ada"),
    sentence("2", 'Ko "K" fi'),
    Sentence(id="3", text="Nothing.", source="s", tasks=TASKS),
]


class Oracle:
    """An engine that answers as gold does, from the prompt alone."""

    def __init__(self, wrapper: Wrapper, sentences: Sequence[Sentence], batches: Sequence[LabelSet]) -> None:
        self.wrapper = wrapper
        self.context: int | None = None
        self.can_constrain = True
        self.asked = 0
        self.answers: dict[tuple[int, ...], str] = {}
        for known in sentences:
            for labels in batches:
                for task in TASKS:
                    classes = known.classes(task) if task == "EAE" else labels.of(task)
                    given = known.triggers if task == "EAE" else ()
                    prompt = build_prompt(task, classes, known.text, LIBRARY, Style(), events=given)
                    answer = build_answer(task, known.annotations, classes, LIBRARY, Style())
                    self.answers[tuple(wrapper.prompt_ids(prompt))] = answer

    def complete(
        self,
        prompts: Sequence[list[int]],
        grammars: Sequence[str | None],
        max_new_tokens: int,
        progress: Callable[[int, Completion], None] | None = None,
    ) -> list[Completion]:
        self.asked += len(prompts)
        made = [Completion(self.answers[tuple(prompt)], 5, True) for prompt in prompts]
        for index, completion in enumerate(made):
            if progress:
                progress(index, completion)
        return made


@pytest.fixture
def wrapper(model_dir: Path) -> Wrapper:
    return Wrapper.from_folder(model_dir)


@pytest.fixture
def oracle(wrapper: Wrapper) -> Oracle:
    halves = [
        LabelSet(entities=(name,), relations=("BornIn",), events=(event,))
        for name, event in (("Human", "Attack"), ("City", "Rain"))
    ]
    return Oracle(wrapper, SENTENCES, [LABELS["s"], *halves])


def lines(folder: Path) -> dict[tuple[str, str], Prediction]:
    return {(line.id, line.task): line for line in jsonl.read(folder / PREDICTIONS, Prediction)}


@pytest.mark.parametrize("classes_per_prompt", [0, 1])
@pytest.mark.parametrize("decoding", ["constrained", "free"])
def test_gold_answers_give_gold_annotations_with_their_offsets(
    oracle: Oracle, tmp_path: Path, decoding: str, classes_per_prompt: int
) -> None:
    predictor = Predictor(LIBRARY, oracle, ModelCard(), decoding=decoding, classes_per_prompt=classes_per_prompt)  # type: ignore[arg-type]
    predict(SENTENCES, LABELS, TASKS, predictor, tmp_path)
    found = lines(tmp_path)
    assert len(found) == len(SENTENCES) * len(TASKS)
    for gold in SENTENCES:
        assert not any(found[gold.id, task].problems for task in TASKS)
        assert set(found[gold.id, "NER"].annotations.entities) == set(gold.entities)
        assert found[gold.id, "RE"].annotations.relations == gold.relations
        assert found[gold.id, "ED"].annotations.events == tuple(Event(e.type, e.trigger) for e in gold.events)
        assert found[gold.id, "EAE"].annotations.events == gold.events
        assert found[gold.id, "EAE"].group == gold.group
        for task in TASKS:
            mentions = list(found[gold.id, task].annotations.mentions())
            assert len(found[gold.id, task].alignment) == len(mentions)
            assert set(found[gold.id, task].alignment) <= {"exact", "ambiguous"}
        assert len(found[gold.id, "NER"].answers) == (2 if classes_per_prompt else 1)


def test_a_killed_run_goes_on_where_it_stopped(oracle: Oracle, tmp_path: Path) -> None:
    predictor = Predictor(LIBRARY, oracle, ModelCard())
    first = predict(SENTENCES[:1], LABELS, TASKS, predictor, tmp_path)
    asked = oracle.asked
    second = predict(SENTENCES, LABELS, TASKS, predictor, tmp_path)
    assert (first["predictions"], second["predictions"]) == (4, 12)
    assert second["tokens"] == 5 * oracle.asked
    assert oracle.asked == asked + 7  # no event, so no question about arguments
    assert len(lines(tmp_path)) == 12


def length(wrapper: Wrapper, *classes: str) -> int:
    return len(wrapper.prompt_ids(build_prompt("NER", classes, SENTENCES[0].text, LIBRARY, Style())))


@pytest.mark.parametrize(("missing", "batches"), [(0, 1), (1, 2)])
def test_classes_are_split_only_where_prompt_and_answer_exceed_the_context(
    oracle: Oracle, caplog: pytest.LogCaptureFixture, missing: int, batches: int
) -> None:
    """The length of the samples that the model was trained on splits nothing, but is told."""
    whole = length(oracle.wrapper, "Human", "City")
    oracle.context = whole + 50 - missing
    predictor = Predictor(LIBRARY, oracle, ModelCard(max_length=whole // 2), max_new_tokens=50)
    (prediction,) = predictor.predict([Request(SENTENCES[0], "NER", ("Human", "City"))])
    assert len(prediction.answers) == batches
    assert set(prediction.annotations.entities) == set(SENTENCES[0].entities)
    assert "trained on samples" in caplog.text
    assert not prediction.problems


def test_a_prompt_that_fills_the_context_is_not_asked_and_says_so(oracle: Oracle) -> None:
    oracle.context = length(oracle.wrapper, "Human")
    predictor = Predictor(LIBRARY, oracle, ModelCard(), max_new_tokens=4)
    (prediction,) = predictor.predict([Request(SENTENCES[0], "NER", ("Human",))])
    assert oracle.asked == 0
    assert "fills the model's context" in prediction.problems[0]


def test_constrained_decoding_is_refused_where_the_engine_cannot(oracle: Oracle) -> None:
    oracle.can_constrain = False
    assert not Predictor(LIBRARY, oracle, ModelCard()).constrained
    with pytest.raises(ConfigError, match="obeys no grammar"):
        Predictor(LIBRARY, oracle, ModelCard(), decoding="constrained")


def test_only_annotated_tasks_are_asked_and_gold_chooses_no_class() -> None:
    partly = replace(SENTENCES[0], tasks=("NER", "EAE"))
    unknown = Sentence(id="4", text="Raw.", source="s")
    requests = list(requests_of([partly, unknown], LABELS, TASKS))
    asked = [(request.sentence.id, request.task) for request in requests]
    assert asked == [("1", "NER"), ("1", "EAE"), *(("4", task) for task in TASKS)]
    assert requests[0].classes == LABELS["s"].entities
    assert requests[1].classes == ("Attack",)
    with pytest.raises(DataError, match="no label set"):
        list(requests_of([replace(unknown, source="else")], LABELS, TASKS))


def test_surplus_repeats_are_dropped_and_counted() -> None:
    text = "Ada saw Ada."
    ada, oslo = Mention("Human", "Ada"), Mention("City", "Ada")
    event = Event("Attack", Mention("Attack", "saw"), (Argument("place", oslo),) * 3)
    given = Annotations((ada, ada, ada, oslo), (Relation("BornIn", ada, oslo),) * 3, (event, event))
    kept, dropped = drop_surplus(text, given)
    assert kept.entities == (ada, ada, oslo)
    assert len(kept.relations) == 2
    assert [len(event.arguments) for event in kept.events] == [2]
    assert dropped == 1 + 1 + 1 + 3 + 1


@pytest.mark.parametrize("dialect", ["clean", "released"])
def test_a_random_model_under_the_grammar_says_nothing_unsound(model_dir: Path, tmp_path: Path, dialect: str) -> None:
    engine, _ = open_model(model_dir, device="cpu")
    engine.context = None  # so that no answer is cut
    card = ModelCard(style=Style(dialect=dialect))  # type: ignore[arg-type]
    counts = predict(SENTENCES, LABELS, TASKS, Predictor(LIBRARY, engine, card, max_items=3), tmp_path)
    assert counts["predictions"] == 12
    for (id, _), line in lines(tmp_path).items():
        text = next(known.text for known in SENTENCES if known.id == id)
        assert all("repeated" in problem for problem in line.problems)
        for mention in line.annotations.entities:
            assert mention.start is not None
            assert text[mention.start : mention.end] == mention.text
