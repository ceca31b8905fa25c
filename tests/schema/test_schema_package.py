"""A library written as a package imports, type-checks, and is the same library when it is read back."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from knowcoder.schema.concepts import EntityType, EventType, RelationType, Role
from knowcoder.schema.library import SchemaLibrary
from knowcoder.schema.package import write_package
from knowcoder.schema.python_source import read_python_files

LIBRARY = SchemaLibrary(
    (
        EntityType(id="City", name="City", description="A big one.", parent="Place", examples=("Marvel", "a, b")),
        EntityType(id="Place", name="Place", description='Some"where"'),
        EntityType(id="Human", name="Human"),
    ),
    (
        RelationType(id="BornIn", name="BornIn", head=("Human",), tail=("City",), examples=(("Ada", "London"),)),
        RelationType(id="NamedIn", name="NamedIn", parent="BornIn", head=("Place",)),
    ),
    (EventType(id="Attack", name="Attack", roles=(Role(name="place", types=("City", "Place"), description="X."),)),),
)
PROGRAM = """
from schema_pys.Entities import City, Human, Place
from schema_pys.Events import Attack
from schema_pys.Relations import BornIn, NamedIn
assert issubclass(City, Place)
print([BornIn(Human("Ada"), City("London")), NamedIn(Place("Cork"), City("Cork")), Attack("hit", place=[City("x")])])
"""


def test_read_back_it_is_the_same_library(tmp_path: Path) -> None:
    read = read_python_files(write_package(LIBRARY, tmp_path / "one")).library()
    assert {concept.name: concept for concept in read} == {concept.name: concept for concept in LIBRARY}
    again = write_package(read, tmp_path / "two")
    for file in sorted(again.iterdir()):
        assert file.read_bytes() == (tmp_path / "one" / "schema_pys" / file.name).read_bytes()


def test_it_imports_and_type_checks(tmp_path: Path) -> None:
    write_package(LIBRARY, tmp_path)
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    ran = subprocess.run([sys.executable, str(program)], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.startswith('[BornIn(Human("Ada"), City("London")), NamedIn(Place("Cork"), City("Cork")), Attack(')
    command = [sys.executable, "-m", "mypy", "--strict", "--cache-dir", str(tmp_path / "cache"), str(program)]
    checked = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[2])
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_library_without_relations_has_an_empty_module_for_them(tmp_path: Path) -> None:
    folder = write_package(SchemaLibrary((EntityType(id="City", name="City"),)), tmp_path)
    assert compile((folder / "Relations.py").read_text(), "Relations.py", "exec").co_names == ("__doc__",)
