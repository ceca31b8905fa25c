"""Every library at hand, written whole: it reads back as the same, runs, and type-checks."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from same_library import by_name, with_names_as_ids

from knowcoder.schema.json_source import read_json
from knowcoder.schema.kgtk import read_kgtk
from knowcoder.schema.library import KINDS, SchemaLibrary
from knowcoder.schema.package import write_package
from knowcoder.schema.python_source import read_python, read_python_files
from knowcoder.schema.render import Style, definitions, library_source
from knowcoder.world.generate import generate_world

SOURCES: dict[str, Callable[[Path], SchemaLibrary]] = {
    "taxonomy": lambda root: read_kgtk(root / "wikidata_arnold").library(),
    "properties": lambda root: read_kgtk(root / "wikidata_properties").library(),
    "published": lambda root: read_python_files(root / "knowcoder_official" / "class_defs").library(),
    "events": lambda root: read_json(root / "wikievents" / "event_role_KAIROS.json").library(),
    "ontologies": lambda root: read_json(root / "text2kg_wikidata" / "ontologies").library(),
}
ONTOLOGIES = 10
SAMPLE = 40  # classes of a kind that are type-checked

# Every class is made into an object; fields are typed, so any of them takes what it is told here.
PROGRAM = """
import dataclasses, importlib, sys
from knowcoder import Entity, Event, Relation
sys.path.insert(0, sys.argv[1])
made = 0
for module in ("Entities", "Relations", "Events"):
    for name, found in vars(importlib.import_module(f"schema_pys.{module}")).items():
        if found.__class__ is not type or found.__module__ != f"schema_pys.{module}":
            continue
        if issubclass(found, Relation):
            found(Entity("x"), Entity("y"))
        elif issubclass(found, Event):
            roles = found("x").roles()
            assert set(found("x", **{role: [Entity("y")] for role in roles}).roles()) == set(roles)
        else:
            assert repr(found("x")) == f'{name}("x")'
        made += 1
print(made)
"""


def world() -> SchemaLibrary:
    made = generate_world(1, 1, test_sentences=0, dev_sentences=0)
    return SchemaLibrary(tuple(made.entities), tuple(made.relations), tuple(made.events))


@pytest.fixture(scope="module")
def libraries(data_root: Path) -> dict[str, SchemaLibrary]:
    """All of them by a name that is an identifier."""
    found = {name: read(data_root) for name, read in SOURCES.items()}
    ontologies = sorted((data_root / "text2kg_wikidata" / "ontologies").glob("*.json"))
    assert len(ontologies) == ONTOLOGIES
    found |= {f"ontology{number}": read_json(file).library() for number, file in enumerate(ontologies)}
    return found | {"world": world()}


def test_they_read_back_as_the_same(libraries: dict[str, SchemaLibrary], tmp_path: Path) -> None:
    for name, library in libraries.items():
        source = library_source(library)
        compile(source, name, "exec")
        read = read_python(source)
        assert by_name(read) == by_name(with_names_as_ids(library)), name
        assert library_source(read) == source, name
        package = read_python_files(write_package(library, tmp_path / name)).library()
        assert by_name(package) == by_name(read), name


def test_every_class_makes_an_object(libraries: dict[str, SchemaLibrary], tmp_path: Path) -> None:
    for name, library in libraries.items():
        write_package(library, tmp_path / name)
        command = [sys.executable, "-c", PROGRAM, str(tmp_path / name)]
        ran = subprocess.run(command, capture_output=True, text=True)
        assert (ran.returncode, ran.stdout.strip()) == (0, str(len(library))), (name, ran.stderr)


def test_a_sample_of_each_type_checks(libraries: dict[str, SchemaLibrary], tmp_path: Path) -> None:
    for name, library in libraries.items():
        for kind in KINDS:
            names = library.names(kind)
            few = names[:: max(len(names) // SAMPLE, 1)][:SAMPLE]
            if few:
                code = definitions(few, library, Style(methods=True))
                (tmp_path / f"{name}_{kind}.py").write_text(code + "\n", "utf-8")
        write_package(library.subset([concept.name for concept in library][::97][:SAMPLE]), tmp_path / name)
        (tmp_path / name / "__init__.py").touch()
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), str(tmp_path)]
    checked = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert checked.returncode == 0, checked.stdout[-2000:] + checked.stderr[-2000:]
