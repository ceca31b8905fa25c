"""The published rows come out byte for byte."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from codec_example import LIBRARY

from knowcoder.codec.answer import build_answer
from knowcoder.codec.prompt import build_prompt, definitions
from knowcoder.corpus.sentence import Annotations, Argument, Event, Mention, Relation
from knowcoder.schema.concepts import Task
from knowcoder.schema.library import SchemaLibrary
from knowcoder.schema.naming import class_name, python_name
from knowcoder.schema.python_source import read_python
from knowcoder.schema.render import Style

RELEASED = Style(dialect="released")


def annotations_of(row: dict[str, Any]) -> Annotations:
    return Annotations(
        tuple(Mention(class_name(item["type"]), item["name"]) for item in row.get("entities", ())),
        tuple(
            Relation(item["type"], Mention("Entity", item["head"]["name"]), Mention("Entity", item["tail"]["name"]))
            for item in row.get("relations", ())
        ),
        tuple(
            Event(
                item["type"],
                Mention(item["type"], item["trigger"]),
                tuple(
                    Argument(python_name(argument["role"]), Mention("Entity", argument["name"]))
                    for argument in item.get("arguments", ())
                ),
            )
            for item in row.get("events", ())
        ),
    )


def renamed(annotations: Annotations, library: SchemaLibrary) -> Annotations:
    """The row's lower-case types by the class names of its prompt; naming keeps ``Event`` for the base class."""
    names = {name.lower(): name for name in library.names("entity")}
    return Annotations(
        tuple(Mention(names[mention.type.lower().rstrip("_")], mention.text) for mention in annotations.entities),
        annotations.relations,
        annotations.events,
    )


def test_prompts_and_outputs_of_the_published_rows(data_root: Path) -> None:
    path = data_root / "knowcoder_official" / "example_data" / "example_data.jsonl"
    tasks: list[Task] = []
    for line in path.read_text("utf-8").splitlines():
        row = json.loads(line)
        prompt: str = row["one-stage"]["zero-shot"]["prompt"]
        source = prompt[: prompt.index('\n"""\nThis is an object-oriented')]
        library = read_python(source)
        task: Task = "NER" if "entities" in row else "RE" if "relations" in row else "ED"
        task = "EAE" if "triggers of the events" in prompt else task
        names = re.findall(r"(?m)^class (\w+)\(", source)
        annotations = renamed(annotations_of(row), library)
        triggers = [event.trigger for event in annotations.events if event.trigger] if task == "EAE" else []
        assert build_prompt(task, names, row["sentence"], library, RELEASED, triggers) == prompt
        assert build_answer(task, annotations, names, library, RELEASED) == row["one-stage"]["output"]
        tasks.append(task)
    assert {task: tasks.count(task) for task in tasks} == {"NER": 1, "RE": 1, "ED": 5, "EAE": 2}


def test_several_triggers_are_told_in_one_sentence() -> None:
    triggers = [Mention("Attack", "bombed"), Mention("Meet", "met")]
    prompt = build_prompt("EAE", ["Attack", "Meet"], "x", LIBRARY, RELEASED, triggers)
    told = '"bombed" is the trigger of event type "Attack"; "met" is the trigger of event type "Meet".'
    assert f"confirmed as follows: {told}\n" in prompt


def test_hints_are_unions_and_can_be_left_out() -> None:
    prompt = build_prompt("RE", ["BornIn"], "x", LIBRARY, RELEASED)
    assert "def __init__(self, head_entity: Human, tail_entity: Settlement | Place):" in prompt
    bare = build_prompt("RE", ["BornIn"], "x", LIBRARY, Style("released", descriptions=False, examples=0, hints=False))
    assert "class BornIn(Relation):\n\tdef __init__(self, head_entity: Entity, tail_entity: Entity):" in bare


def test_definitions_have_the_base_classes_that_they_need() -> None:
    code = definitions(["Attack", "City"], LIBRARY, RELEASED)
    printed = [line for line in code.splitlines() if line.startswith("class ")]
    assert printed == ["class Entity:", "class Event:", "class City(Settlement):", "class Attack(Event):"]
