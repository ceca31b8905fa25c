"""Whatever types are called and described as: their code compiles, type-checks, runs, and reads back as the same."""

from __future__ import annotations

import ast
import hashlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Literal

import hostile_types
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from same_library import by_name, with_names_as_ids

import knowcoder
from knowcoder.codec.prompt import build_prompt
from knowcoder.schema.concepts import EntityType, Task
from knowcoder.schema.library import Kind, SchemaLibrary
from knowcoder.schema.package import write_package
from knowcoder.schema.python_source import read_python
from knowcoder.schema.quoting import docstring
from knowcoder.schema.render import Style, definitions, library_source

HOSTILE = hostile_types.all_of_them()
PARENTS: tuple[Literal["nearest", "define", "import"], ...] = ("nearest", "define", "import")


def check_identity(library: SchemaLibrary) -> None:
    source = library_source(library)
    read = read_python(source)
    assert by_name(read) == by_name(with_names_as_ids(library))
    assert library_source(read) == source


@settings(max_examples=30)
@given(hostile_types.libraries())
def test_source_to_library_to_source_is_the_identity(library: SchemaLibrary) -> None:
    check_identity(library)


@given(hostile_types.texts, st.lists(hostile_types.texts, max_size=4).map(tuple))
def test_a_quick_look_at_a_type_overlooks_nothing(description: str, examples: tuple[str, ...]) -> None:
    library = SchemaLibrary((EntityType(id="City", name="City", description=description, examples=examples),))
    careful = f"class City(Entity):{docstring(description, examples) or ' ...'}"
    assert definitions(["City"], library, Style()) == f"from knowcoder import Entity\n\n{careful}"


def test_the_worst_of_all_read_back_the_same() -> None:
    check_identity(HOSTILE)


def check_runs(code: str, library: SchemaLibrary) -> None:
    scope: dict[str, object] = {}
    exec(compile(code, "rendered", "exec"), scope)  # our own code, never a model's
    for concept in library.entities:
        assert isinstance(scope[concept.name]("x"), knowcoder.Entity)  # type: ignore[operator]
    for relation in library.relations:
        pair = scope[relation.name](knowcoder.Entity("x"), knowcoder.Entity("y"))  # type: ignore[operator]
        assert isinstance(pair, knowcoder.Relation)
    for event in library.events:
        found = scope[event.name]("x", **{role.name: [knowcoder.Entity("y")] for role in event.roles})  # type: ignore[operator]
        assert set(found.roles()) == {role.name for role in event.roles}


@settings(max_examples=15)
@given(hostile_types.libraries())
def test_rendered_classes_run(library: SchemaLibrary) -> None:
    check_runs(library_source(library), library)


def test_the_worst_of_all_run() -> None:
    check_runs(library_source(HOSTILE), HOSTILE)


@settings(max_examples=15)
@given(hostile_types.libraries(), st.sampled_from(["NER", "RE", "ED", "EAE"]), hostile_types.texts)
def test_prompts_of_them_run_and_keep_the_sentence(library: SchemaLibrary, task: Task, text: str) -> None:
    kinds: dict[str, Kind] = {"NER": "entity", "RE": "relation", "ED": "event", "EAE": "event"}
    for parents in PARENTS[:2]:
        prompt = build_prompt(task, library.names(kinds[task]), text, library, Style(parents=parents))
        scope: dict[str, object] = {}
        exec(compile(prompt, "rendered", "exec"), scope)
        assert scope["sentence"] == text


@settings(max_examples=15)
@given(hostile_types.libraries())
def test_published_code_names_every_class(library: SchemaLibrary) -> None:
    prompt = build_prompt("NER", library.names("entity"), "x", library, Style(dialect="released"))
    assert all(f"\nclass {name}(" in prompt for name in library.names("entity"))


def test_a_package_of_the_worst_imports_and_type_checks(tmp_path: Path) -> None:
    write_package(HOSTILE, tmp_path)
    modules = ", ".join(f"schema_pys.{module}" for module in ("Entities", "Relations", "Events"))
    program = tmp_path / "program.py"
    program.write_text(f"import {modules}\nprint(schema_pys.Entities.City('x'))\n")
    ran = subprocess.run([sys.executable, str(program)], capture_output=True, text=True)
    assert (ran.returncode, ran.stdout) == (0, 'City("x")\n'), ran.stderr
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), str(program)]
    checked = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert checked.returncode == 0, checked.stdout + checked.stderr


def digest_of_code() -> str:
    names = [concept.name for concept in HOSTILE][::3]
    codes = [definitions(names, HOSTILE, Style(parents=parents)) for parents in PARENTS]
    return hashlib.sha256("".join([library_source(HOSTILE), *codes]).encode()).hexdigest()


@pytest.mark.parametrize("seed", ["0", "1", "4242"])
def test_bytes_do_not_depend_on_the_hash_seed(seed: str) -> None:
    program = "from test_hostile_types import digest_of_code\nprint(digest_of_code())"
    environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parent)}
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip() == digest_of_code()


def test_no_character_is_left_that_a_file_cannot_hold() -> None:
    ast.parse(library_source(HOSTILE).encode("utf-8"))
