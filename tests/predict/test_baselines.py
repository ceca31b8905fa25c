"""The dictionary says what training says, and no more."""

from __future__ import annotations

from pathlib import Path

import pytest

from knowcoder import jsonl
from knowcoder.corpus.sentence import Argument, Event, LabelSet, Mention, Relation, Sentence
from knowcoder.predict.baselines import Dictionary, Table, predict_with_dictionary
from knowcoder.predict.journal import PREDICTIONS
from knowcoder.predict.predict import Request
from knowcoder.schema.concepts import TASKS, Task
from knowcoder.score.prediction import Prediction

LABELS = LabelSet(entities=("Human", "City"), relations=("BornIn", "DiedIn"), events=("Attack",))


def at(text: str, type: str, part: str) -> Mention:
    start = text.index(part)
    return Mention(type, part, start, start + len(part))


def birth(id: str, person: str, city: str) -> Sentence:
    text = f"{person} was born in {city}."
    head, tail = at(text, "Human", person), at(text, "City", city)
    born = (Relation("BornIn", head, tail),)
    return Sentence(id=id, text=text, source="s", tasks=("NER", "RE"), entities=(head, tail), relations=born)


def attack(id: str, who: str, where: str) -> Sentence:
    text = f"{who} bombed {where} today."
    attacker, place = at(text, "Human", who), at(text, "City", where)
    trigger = at(text, "Attack", "bombed")
    arguments = (Argument("attacker", attacker), Argument("place", place))
    return Sentence(
        id=id,
        text=text,
        source="s",
        tasks=TASKS,
        entities=(attacker, place),
        events=(Event("Attack", trigger, arguments),),
    )


TRAINING = [
    birth("1", "Ada Lovelace", "London"),
    birth("2", "Ada", "Paris"),
    birth("3", "Kofi", "Lima"),
    attack("4", "Kofi", "London"),
    attack("5", "Ada", "Lima"),
    Sentence(id="6", text="He today and today slept.", source="s", tasks=TASKS),
]


@pytest.fixture(scope="module")
def dictionary() -> Dictionary:
    return Dictionary(TRAINING)


def ask(dictionary: Dictionary, task: Task, sentence: Sentence) -> Prediction:
    classes = LABELS.of(task)
    return Prediction(id=sentence.id, task=task, annotations=dictionary.answer(Request(sentence, task, classes)))


def test_known_strings_are_found_longest_first_with_offsets(dictionary: Dictionary) -> None:
    sentence = Sentence(id="t", text="In London, Ada Lovelace met Ada and Adam.")
    found = ask(dictionary, "NER", sentence).annotations.entities
    assert [(mention.type, mention.text) for mention in found] == [
        ("City", "London"),
        ("Human", "Ada Lovelace"),
        ("Human", "Ada"),
    ]
    assert all(sentence.text[m.start : m.end] == m.text for m in found)


def test_only_offered_classes_are_said(dictionary: Dictionary) -> None:
    request = Request(Sentence(id="t", text="Ada in London"), "NER", ("City",))
    assert [mention.text for mention in dictionary.answer(request).entities] == ["London"]


def test_triggers_and_only_triggers_are_events(dictionary: Dictionary) -> None:
    events = ask(dictionary, "ED", Sentence(id="t", text="They bombed it today.")).annotations.events
    assert [(event.type, event.trigger and event.trigger.text) for event in events] == [("Attack", "bombed")]


def test_a_new_pair_of_known_types_gets_their_usual_relation(dictionary: Dictionary) -> None:
    relations = ask(dictionary, "RE", Sentence(id="t", text="Ada Lovelace and Paris")).annotations.relations
    assert [(r.type, r.head.text, r.tail.text) for r in relations] == [("BornIn", "Ada Lovelace", "Paris")]


def test_given_triggers_get_their_usual_roles(dictionary: Dictionary) -> None:
    sentence = attack("t", "Ada Lovelace", "Paris")
    (event,) = ask(dictionary, "EAE", sentence).annotations.events
    assert event.trigger == sentence.events[0].trigger
    assert {(a.role, a.mention.text) for a in event.arguments} == {("attacker", "Ada Lovelace"), ("place", "Paris")}


def test_the_threshold_silences_keys_that_are_mostly_nothing() -> None:
    table = Table()
    for _ in range(9):
        table.add("said", ["Attack"])
        table.add("today", [])
    table.add("today", ["Attack"])
    table.tune()
    assert table.label("said", None) == "Attack"
    assert table.label("today", None) is None
    assert table.label("unheard", None) is None


def test_mentions_without_offsets_are_learnt_too() -> None:
    sentence = Sentence(id="1", text="北京的城市", source="s", tasks=("NER",), entities=(Mention("City", "北京"),))
    found = Dictionary([sentence]).answer(Request(Sentence(id="t", text="在北京"), "NER", ("City",)))
    assert found.entities == (Mention("City", "北京", 1, 3),)


def test_a_corpus_gets_a_line_for_every_annotated_task_and_resumes(tmp_path: Path) -> None:
    first = predict_with_dictionary(TRAINING, TRAINING, {"s": LABELS}, TASKS, tmp_path)
    again = predict_with_dictionary(TRAINING, TRAINING, {"s": LABELS}, TASKS, tmp_path)
    lines = list(jsonl.read(tmp_path / PREDICTIONS, Prediction))
    assert {(line.id, line.task) for line in lines} == {(s.id, task) for s in TRAINING for task in s.tasks}
    assert first == again
    assert first["predictions"] == len(lines)
