"""The verb on a dump: what it writes, what it says of bad input, and that a killed build goes on."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from knowcoder import artefact, cli
from knowcoder.schema.library import SchemaLibrary

ENTITIES: list[dict[str, Any]] = [
    {"id": "Q1", "type": "item", "labels": {"en": {"value": "thing"}}, "claims": []},
    {
        "id": "Q5",
        "type": "item",
        "labels": {"de": {"value": "Mensch"}},
        "claims": {"P279": [{"mainsnak": {"datavalue": {"value": {"id": "Q1"}}}}]},
    },
    {"id": "Q7", "type": "item", "claims": {"P31": [{"mainsnak": {"datavalue": {"value": {"numeric-id": 5}}}}]}},
    {"id": "Q8", "type": "lexeme"},
]
# A build that is killed after it has read the dump and before it has written the library.
KILLED = """
import os, sys
from knowcoder import cli
from knowcoder.schema import wikidata
wikidata.merge = lambda *arguments: os.kill(os.getpid(), 9)
cli.main(sys.argv[1:])
"""


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    path = tmp_path / "dump.json.gz"
    path.write_bytes(gzip.compress("[\n{}\n]\n".format(",\n".join(map(json.dumps, ENTITIES))).encode()))
    return path


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.glob("*.jsonl")}


def test_a_library_of_a_dump(tmp_path: Path, dump: Path) -> None:
    made = tmp_path / "made"
    assert cli.main(["schema", "source=wikidata", f"input={dump}", f"output={made}", "other_languages=[de]"]) == 0
    assert {type.id: (type.name, type.parent) for type in SchemaLibrary.load(made)} == {
        "Q1": ("Thing", None),
        "Q5": ("Mensch", "Q1"),
    }
    assert (made / "facts.jsonl").read_text() == '{"id":"Q7","types":["Q5"]}\n'
    assert (made / "instances.jsonl").read_text() == '{"id":"Q5","instances":1}\n'
    assert not (made / "shards").exists()
    [reject] = [json.loads(line) for line in (made / "rejects.jsonl").read_text().splitlines()]
    assert (reject["file"], reject["line"]) == (str(dump), 5)
    counts = artefact.require(made, "schema", key="schema").counts
    assert (counts.read, counts.kept, counts.rejected) == (5, 4, {reject["reason"]: 1})


def test_a_killed_build_goes_on(tmp_path: Path, dump: Path) -> None:
    words = ["schema", "source=wikidata", f"input={dump}"]
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert cli.main([*words, f"output={whole}"]) == 0
    run = subprocess.run([sys.executable, "-c", KILLED, *words, f"output={killed}"], capture_output=True)
    assert run.returncode == -9
    [shard] = (killed / "shards").glob("*.jsonl")
    before = shard.read_bytes()
    shard.write_bytes(before.replace(b'"thing"', b'"thing, read before"'))  # shows that it is not read again
    assert cli.main([*words, f"output={killed}"]) == 2  # it neither overwrites nor resumes unasked
    assert cli.main([*words, f"output={killed}", "resume=true", "workers=2"]) == 0
    assert SchemaLibrary.load(killed).by_id("Q1").label == "thing, read before"
    assert files(killed).keys() == files(whole).keys()
    assert (
        artefact.require(killed, "schema", key="schema").counts
        == artefact.require(whole, "schema", key="schema").counts
    )


@pytest.mark.parametrize(
    ("word", "said"),
    [("ids=", "no id"), ("facts=", "facts.txt:1"), ("input=", "no line is an item")],
)
def test_wrong_files_are_said(
    tmp_path: Path, dump: Path, capsys: pytest.CaptureFixture[str], word: str, said: str
) -> None:
    wrong = tmp_path / "facts.txt"
    wrong.write_text('"x"\n')
    words = ["schema", "source=wikidata", f"input={dump}", f"output={tmp_path / 'made'}"]
    assert cli.main([*(w for w in words if not w.startswith(word)), f"{word}{wrong}"]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "made").exists()  # nothing was made, so nothing stands in the way
