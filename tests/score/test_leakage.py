"""Gold that the library shows as examples, and the column of the class methods."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec.structs import replace

from knowcoder import artefact, config, jsonl, stages
from knowcoder.corpus.reading import Corpus
from knowcoder.corpus.sentence import Argument, Event, LabelSet, Mention, Relation, Sentence
from knowcoder.enrich.enrich import enrich
from knowcoder.enrich.examples import mentions_of
from knowcoder.schema.concepts import TASKS, EntityType, EventType, RelationType, Role
from knowcoder.schema.library import SchemaLibrary
from knowcoder.score.leakage import Shown, shown_as_examples
from knowcoder.score.match import join, of_task
from knowcoder.score.metrics import score
from knowcoder.score.prediction import Prediction
from knowcoder.score.relax import Context

LIBRARY = SchemaLibrary(
    (
        EntityType(id="man", name="Man", examples=("Al",), rules=("drop_pronouns",)),
        EntityType(id="city", name="City", examples=("Al", "Rome")),
    ),
    (RelationType(id="in", name="In", examples=(("Al", "Rome"),)),),
    (EventType(id="move", name="Move", examples=("moved",), roles=(Role(name="to", types=("city",)),)),),
)
LABELS = {"": LabelSet(entities=("Man", "City"), relations=("In",), events=("Move",))}


def sentence(name: str, place: str, verb: str, id: str = "1") -> Sentence:
    man, city = Mention("Man", name), Mention("City", place)
    return Sentence(
        id=id,
        text=f"{name} {verb} to {place}",
        tasks=TASKS,
        entities=(man, city),
        relations=(Relation("In", man, city),),
        events=(Event("Move", Mention("Move", verb), (Argument("to", Mention("Entity", place)),)),),
    )


def answers(gold: list[Sentence]) -> list[Prediction]:
    return [Prediction(id=s.id, task=task, annotations=of_task(s.annotations, task)) for s in gold for task in TASKS]


GOLD = [sentence("Al", "Rome", "moved"), sentence("Bo", "Rome", "went", "2"), sentence("Rome", "Al", "moved", "3")]


def test_gold_counts_where_it_is_an_example_of_its_own_class() -> None:
    shown = shown_as_examples(join(GOLD, answers(GOLD), LABELS), LIBRARY)
    assert shown == {"NER": Shown(6, 4), "RE": Shown(3, 1), "ED": Shown(3, 2), "EAE": Shown(3, 3)}


def test_nothing_of_an_excluded_corpus_is_shown_after_enriching_but_triggers() -> None:
    train = [sentence("Al", "Rome", "moved"), sentence("Cy", "Bonn", "flew", "4")]
    richer, counts = enrich(LIBRARY, train, exclude=mentions_of(GOLD))
    shown = shown_as_examples(join(GOLD, answers(GOLD), LABELS), richer)
    assert {task: one.shown for task, one in shown.items()} == {"NER": 0, "RE": 0, "ED": 2, "EAE": 0}
    assert [type.examples for type in richer] == [("Cy",), ("Bonn",), (("Cy", "Bonn"),), ("moved", "flew")]
    assert counts["examples left out"] == 4


def test_class_methods_are_a_column_beside_strict_and_only_where_there_are_rules() -> None:
    said = replace(GOLD[0], entities=(*GOLD[0].entities, Mention("Man", "he")))
    guesses = answers([said, *GOLD[1:]])
    columns = score(GOLD, guesses, LABELS, context=Context.of(LIBRARY)).tasks["NER"].columns
    assert (columns["strict"].tp, columns["strict"].fp, columns["strict"].fn) == (6, 1, 0)
    assert (columns["class_methods"].tp, columns["class_methods"].fp, columns["class_methods"].fn) == (6, 0, 0)
    assert "class_methods" not in score(GOLD, guesses, LABELS).tasks["NER"].columns


def test_the_stage_says_what_is_shown_in_the_table_the_numbers_and_the_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, kind in (("schema", "schema"), ("corpus", "corpus"), ("said", "predictions")):
        (tmp_path / name).mkdir()
        artefact.Manifest(kind, state="complete").save(tmp_path / name)
    LIBRARY.save(tmp_path / "schema")
    Corpus({"test": GOLD}, LABELS).save(tmp_path / "corpus")
    jsonl.write(tmp_path / "said/predictions.jsonl", answers(GOLD))
    words = [f"predictions=[{tmp_path}/said]", f"gold={tmp_path}/corpus", f"schema={tmp_path}/schema"]
    settings = config.load("score", [*words, f"output={tmp_path}/score"])
    stages.score(settings)
    line = (
        "gold that the schema shows as examples: NER 4 of 6 (66.7%), RE 1 of 3 (33.3%), ED 2 of 3 (66.7%), EAE 3 of 3"
    )
    assert line in capsys.readouterr().out
    metrics = jsonl.read_json(tmp_path / "score/metrics.json")
    assert metrics["shown_as_examples"]["NER"] == {"gold": 6, "shown": 4}
    assert metrics["systems"]["said"]["tasks"]["NER"]["columns"]["class_methods"]["f1"] == 1.0
    page = (tmp_path / "score/report.html").read_text()
    assert "NER 4 of 6" in page
    assert "Class methods" in page


def test_of_nothing_nothing_is_shown() -> None:
    assert shown_as_examples([], LIBRARY) == {}
    assert str(Shown(0, 0)) == "0 of 0"
