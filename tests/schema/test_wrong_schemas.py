"""What is wrong with a schema: an error with file, line, value and remedy, or a reject; read = kept + rejected."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from knowcoder import artefact, cli, jsonl

CUT = gzip.compress(b"node1\tlabel\tnode2\n" + b"".join(b"Q%d\tP279\tQ1\n" % i for i in range(2, 999)))[:-40]
ERRORS = [
    ("json", "s.json", b'{"entities": [\n  {"id": "a"},\n  {"id": "b",}\n]}', "s.json:3: JSON is malformed"),
    ("json", "s.json", b'{"entities": [\n  {"id": "a", "colour": 1}]}', "s.json:2: Object contains unknown field"),
    ("json", "s.json", b'{"entities": [\n  {"id": "a"},\n  {"id": "a"}]}', "s.json:3: the id 'a' is used twice, first"),
    ("json", "s.json", b'{"entities": ["a"], "relations": [\n"a"]}', "s.json:2: the id 'a' is used twice, first on"),
    ("json", "s.json", b'{"entities": [\n  {"id": "a",\n  "id": "b"}]}', "s.json:2: the key 'id' is there twice"),
    ("json", "s.json", b'{"entities": [{"id": ""}]}', "s.json:1: the id is empty; give"),
    ("json", "s.json", b'{"entities": ["a",\n{"id": "b", "name": "x y"}]}', "s.json:2: type 'b': 'x y' cannot be a"),
    ("json", "s.json", b'{"entities": [{"id": "a", "name": "X"},\n{"id": "b", "name": "X"}]}', "s.json:2: b and a are"),
    ("json", "s.json", b'{"events": [\n\n{"id": "e", "roles": [{"name": "from"}]}]}', "s.json:3: event 'E': 'from'"),
    ("json", "s.json", b'{"A": {"roles": ["x"]},\n"A": {"roles": ["y"]}}', "s.json:2: the key 'A' is there twice"),
    ("json", "s.json", b'{"A.B": {"roles": ["x"], "role_types": []},\n"A": {"roles": ["y"], "role_types": [[], []]}}',
     "s.json:2: A: 1 roles and 2 role_types; give"),
    ("json", "s.json", b'{"classes": []}', "s.json:1: holds classes; a schema has entities"),
    ("json", "s.json", b'{"entities": \n"\xff"}', "s.json:2: not UTF-8"),
    ("json", "s.json", b"{}", "s.json:1: holds nothing; a schema has"),
    ("python", "s.py", b"class A(Entity): ...\n\nclass B(Entity:\n", "s.py:3: not Python ("),
    ("python", "s.py", b"class A(Entity): ...\n# \xff\n", "s.py:2: not UTF-8"),
    ("python", "s.py", b"class A(Entity): ...\nclass A(Entity): ...", "s.py:2: the class 'A' is defined twice"),
    ("python", "s.py", b"class A: ...", "s.py:1: class 'A' inherits from nothing; let it"),
    ("python", "s.py", b"class R(Relation):\n    head: 1 + 2", "s.py:2: class 'R': head: '1 + 2' is no type hint"),
    ("python", "s.json", b'{"A":\n "class A(Entity: pass"}', "s.json:2: not Python ("),
    ("python", "s.json", b'{"A":\n 1}', "s.json:2: Expected `str`, got `int`"),
    ("python", "s.txt", b"", "holds no type; look at source=python"),
    ("kgtk", "derived.P279.tsv.gz", CUT, "derived.P279.tsv.gz:"),
    ("kgtk", "derived.P279.tsv", b"from\tto\nQ1\tQ2\n", "derived.P279.tsv:1: the header has no node1 and node2"),
    ("kgtk", "other.tsv", b"from\tto\nQ1\tQ2\n", "no subclass edges (*P279*.tsv) and no properties"),
]  # fmt: skip


@pytest.mark.parametrize(("source", "name", "content", "said"), ERRORS, ids=[f"{e[1]}-{e[3][:40]}" for e in ERRORS])
def test_an_error_names_file_line_value_and_remedy(
    source: str, name: str, content: bytes, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / name).write_bytes(content)
    given = tmp_path / "in" if source == "kgtk" else tmp_path / "in" / name
    assert cli.main(["schema", f"source={source}", f"input={given}", f"output={tmp_path}/output"]) == 2
    (error,) = [line for line in capsys.readouterr().err.splitlines() if "error:" in line]
    assert error.startswith("knowcoder schema: error: ")
    assert said in error
    assert not [left for left in tmp_path.iterdir() if "output" in left.name]


@pytest.mark.parametrize("source", ["json", "python", "kgtk", "wikidata"])
def test_a_path_that_is_not_there(source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["schema", f"source={source}", f"input={tmp_path}/no", f"output={tmp_path}/output"]) == 2
    assert f"input={tmp_path}/no: no such file or folder; correct the path" in capsys.readouterr().err


FORM = {
    "entities": [{"id": "a", "parent": "no"}, {"id": "b", "parent": "c"}, {"id": "c", "parent": "b"}],
    "relations": [{"id": "r", "tail": ["a", "no"]}, {"id": "q", "parent": "r"}, {"id": "p", "head": [], "tail": ["b"]}],
    "events": [{"id": "e", "roles": ["who", {"name": "what", "types": ["no", "e"]}]}],
}
OPEN = "any entity is taken: say [] if that is meant"
REJECTS = [
    (2, "unknown parent; define it or leave it out", "a: no"),
    (6, "unknown tail type; define it or leave it out", "r: no"),
    (10, "unknown role type; define it or leave it out", "e: no"),
    (10, "unknown role type; define it or leave it out", "e: e"),
    (4, "a cycle of parents; take one out", "c -> b"),
    (6, f"no head type; {OPEN}", "r"),
    (7, f"no head type; {OPEN}", "q"),
]


def lines(form: dict[str, list[Any]]) -> str:
    """A form with every item on a line of its own."""
    lists = (f'"{key}": [\n' + ",\n".join(map(json.dumps, items)) + "]" for key, items in form.items())
    return "{" + ",\n".join(lists) + "}"


def test_what_is_left_out_is_a_reject_with_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "s.json"
    file.write_text(lines(FORM))
    assert cli.main(["schema", "source=json", f"input={file}", f"output={tmp_path}/output"]) == 0
    rejects = list(jsonl.read(tmp_path / "output/rejects.jsonl", artefact.Reject))
    assert [(reject.line, reject.reason, reject.value) for reject in rejects] == REJECTS
    assert {reject.file for reject in rejects} == {str(file)}
    manifest = artefact.read_manifest(tmp_path / "output")
    assert manifest is not None
    counts = manifest.counts
    assert counts.read == 7 + 4 + 3 + 2 + 2  # types, parents, tails, role types, and the two heads that are missing
    assert counts.read == counts.kept + sum(counts.rejected.values())
    assert sum(counts.rejected.values()) == len(REJECTS)
    printed = capsys.readouterr().out
    assert "left out: 2 no head type; any entity is taken" in printed
    assert "left out: 1 unknown parent; define it or leave it out; see" in printed


def test_who_is_renamed_is_printed_and_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    forms = {
        "one": {"entities": [{"id": "a", "name": "Bank"}, {"id": "b", "name": "River"}]},
        "two": {"entities": [{"id": "a", "name": "Shore"}, {"id": "c", "name": "Bank"}, {"id": "d", "name": "Event"}]},
        "three": {"events": [{"id": "e"}]},
    }
    for name, form in forms.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(form))
        assert cli.main(["schema", f"input={tmp_path}/{name}.json", f"output={tmp_path}/{name}"]) == 0
    capsys.readouterr()
    merged = f"merge=[{tmp_path}/two,{tmp_path}/three]"
    assert cli.main(["schema", f"input={tmp_path}/one.json", merged, f"output={tmp_path}/all"]) == 0
    renamed = [(line["id"], line["old"], line["new"]) for line in jsonl.read(tmp_path / "all/renamed.jsonl", dict)]
    assert renamed == [("a", "Shore", "Bank"), ("c", "Bank", "Bank_c"), ("d", "Event", "Event_")]
    printed = capsys.readouterr().out
    assert f"renamed: Shore -> Bank (a), Bank -> Bank_c (c), Event -> Event_ (d); all in {tmp_path}/all" in printed
    assert (tmp_path / "all/schema_pys/Events.py").is_file()


def test_a_library_that_is_broken_is_named_with_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "s.json").write_text('["a", "b"]')
    assert cli.main(["schema", f"input={tmp_path}/s.json", f"output={tmp_path}/made"]) == 0
    file = tmp_path / "made/entities.jsonl"
    whole = file.read_text()
    for change, said in (
        ((whole[:-9], "2: Input data was truncated")),
        ((whole.replace('"name":"B"', '"name":"A"'), "2: types 'a' and 'b' are both called 'A'; rename one")),
        ((whole.replace('"id":"b"', '"id":"a"'), "2: types 'A' and 'B' have the same id 'a'; change one")),
        ((whole.replace('"parent":null', '"parent":"z"', 1), "1: entity 'A': its parent 'z' is no entity")),
    ):
        file.write_text(change)
        assert cli.main(["schema", f"schema={tmp_path}/made", "stats=true"]) == 2
        assert f"{file}:{said}" in capsys.readouterr().err
