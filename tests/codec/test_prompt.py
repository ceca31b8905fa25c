"""Prompts with their answers are programs: they compile, type-check under mypy, and mean what they say."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from codec_example import ANNOTATIONS, BOMBED, CLASSES, LIBRARY, TEXT
from hypothesis import given
from hypothesis import strategies as st

from knowcoder.codec.answer import build_answer
from knowcoder.codec.prompt import InstanceOrder, build_prompt, definitions, instance_code
from knowcoder.errors import DataError
from knowcoder.schema.concepts import TASKS, Task
from knowcoder.schema.render import Style


def program(task: Task, style: Style, text: str = TEXT) -> str:
    events = (BOMBED,) if task == "EAE" else ()
    prompt = build_prompt(task, CLASSES[task], text, LIBRARY, style, events)
    return prompt + build_answer(task, ANNOTATIONS, CLASSES[task], LIBRARY, style) + "\n"


def test_prompts_with_answers_type_check(tmp_path: Path) -> None:
    files = []
    for number, style in enumerate([Style(), Style(parents="define"), Style(hints=False, descriptions=False)]):
        for task in TASKS:
            file = tmp_path / f"{task.lower()}_{number}.py"
            file.write_text(program(task, style), "utf-8")
            files.append(str(file))
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), *files]
    checked = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("task", TASKS)
def test_prompts_with_answers_run(task: Task) -> None:
    scope: dict[str, object] = {}
    exec(compile(program(task, Style()), "rendered", "exec"), scope)  # our own fixed code, never a model's
    assert scope["sentence"] == TEXT
    assert repr(scope["results"]) == {
        "NER": "[Poet(ADA), City(LONDON)]",
        "RE": "[BornIn(Human(ADA), Settlement(LONDON)), Knows(Entity(LONDON), Entity(ADA))]",
        "ED": '[Attack("bombed")]',
        "EAE": '[Attack("bombed", attacker=[Human(ADA)], place=[Settlement(LONDON)], from_=[Entity(LONDON)])]',
    }[task].replace("ADA", '"Ada \\"A\\" Byron"').replace("LONDON", '"London"')


@given(st.text(), st.sampled_from(TASKS))
def test_any_sentence_compiles_and_survives(text: str, task: Task) -> None:
    code = build_prompt(task, CLASSES[task], text, LIBRARY, Style(), (BOMBED,) if task == "EAE" else ())
    assert code.endswith('"\n')
    scope: dict[str, object] = {}
    exec(compile(code, "rendered", "exec"), scope)
    assert scope["sentence"] == text


def test_the_frame_of_a_prompt() -> None:
    prompt = build_prompt("EAE", ["Attack"], "They bombed it.", LIBRARY, Style(), (BOMBED,))
    assert prompt == (
        "from knowcoder import Entity, Event\n\n"
        "class Human(Entity): ...\nclass Settlement(Entity): ...\n\n"
        'class Attack(Event):\n    """Violence.\n    Examples: bombed, shelled\n    """\n'
        "    attacker: list[Human] = []\n    place: list[Settlement] = []\n    from_: list[Entity] = []\n\n"
        '"""Instantiate the events with their arguments."""\n'
        'events = [Attack("bombed")]\n'
        'sentence = "They bombed it."\n'
    )


def test_event_detection_prints_no_roles() -> None:
    prompt = build_prompt("ED", ["Attack", "Meet"], "x", LIBRARY, Style())
    assert "attacker" not in prompt
    assert "Human" not in prompt
    assert prompt.startswith("from knowcoder import Event\n")


def test_an_unknown_class_is_named() -> None:
    with pytest.raises(DataError, match="Twon"):
        build_prompt("NER", ["Twon"], "x", LIBRARY, Style())


def test_definitions_of_all_kinds_compile() -> None:
    code = definitions(["Attack", "Knows", "City", "Place"], LIBRARY, Style())
    compile(code, "rendered", "exec")
    assert code.index("class Place") < code.index("class Settlement(Place): ...") < code.index("class City(Settlement)")
    assert code.index("class City") < code.index("class Knows") < code.index("class Attack")


@pytest.mark.parametrize("dialect", ["clean", "released"])
def test_instance_code_stands_sentence_imports_results(dialect: str) -> None:
    style = Style(dialect=dialect)  # type: ignore[arg-type]
    code = instance_code("RE", "BornIn", "Ada bombed London.", ANNOTATIONS, LIBRARY, style)
    head, _, answer = code.partition("\n\nresults")
    assert head == (
        "# Extract the relations from the following sentence.\n"
        'sentence = "Ada bombed London."\n\n'
        "from Entities import Human, Settlement\nfrom Relations import BornIn"
    )
    assert "results" + answer == build_answer("RE", ANNOTATIONS, ["BornIn"], LIBRARY, style)


def test_instance_code_of_an_event_imports_the_base_class_that_it_uses() -> None:
    code = instance_code("EAE", "Attack", TEXT, ANNOTATIONS, LIBRARY, Style())
    compile(code, "rendered", "exec")
    assert "from knowcoder import Entity\nfrom Entities import Human, Settlement\nfrom Events import Attack\n" in code


@given(st.text(), st.sampled_from(TASKS))
def test_the_data_set_is_named_in_the_instruction_and_nowhere_else(name: str, task: Task) -> None:
    plain, tagged = (build_prompt(task, CLASSES[task], "x", LIBRARY, Style(), dataset=tag) for tag in ("", name))
    ast.parse(tagged)
    assert (plain == tagged) == (name == "")
    differing = [
        (one, other) for one, other in zip(plain.splitlines(), tagged.splitlines(), strict=True) if one != other
    ]
    assert all(other.startswith('"""For DATASET ') for _, other in differing)


def test_the_published_instruction_names_the_data_set_twice() -> None:
    prompt = build_prompt("ED", ["Meet"], "x", LIBRARY, Style("released"), dataset="ACE05")
    assert (
        "For DATASET ACE05, some Event Classes are defined above. "
        "Please instantiate all the corresponding Event Objects in the following sentence from ACE05.\n" in prompt
    )


def test_instance_code_stands_in_three_orders() -> None:
    def places(order: InstanceOrder) -> list[int]:
        code = instance_code("NER", "City", TEXT, ANNOTATIONS, LIBRARY, Style(), order)
        ast.parse(code)
        return [code.find(part) for part in ("class City(", "from Entities import City", "sentence = ", "results = [")]

    defined, imported, sentence, results = places("sentence")
    assert defined == -1 < sentence < imported < results
    defined, imported, sentence, results = places("import")
    assert defined == -1 < imported < sentence < results
    defined, imported, sentence, results = places("whole")
    assert imported == -1 < defined < sentence < results
