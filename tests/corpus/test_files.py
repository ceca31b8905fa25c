"""Corpora without a benchmark file: splits by file name, class names from the labels or from a library."""

from __future__ import annotations

from pathlib import Path

import pytest

from knowcoder.corpus.columns import ColumnKeys
from knowcoder.corpus.files import read_column_files, read_triple_files, split_files
from knowcoder.corpus.sentence import LabelSet
from knowcoder.corpus.triples import TripleKeys
from knowcoder.errors import ConfigError
from knowcoder.schema.concepts import EntityType, RelationType
from knowcoder.schema.library import SchemaLibrary

LIBRARY = SchemaLibrary(
    (EntityType(id="Q5", name="Human", aliases=("PER",)), EntityType(id="Q1", name="Idea")),
    (RelationType(id="P1", name="Knows", label="knows", head=("Q5",), tail=("Q5",)),),
)


@pytest.mark.parametrize("names", [["eng.train", "eng.valid", "eng.test"], ["train.txt", "dev.txt", "x_test_2.txt"]])
def test_files_are_told_by_their_names(tmp_path: Path, names: list[str]) -> None:
    for name in [*names, "README.md"]:
        (tmp_path / name).touch()
    assert split_files(tmp_path) == dict(zip(("train", "dev", "test"), (tmp_path / n for n in names), strict=True))
    assert split_files(tmp_path / "README.md") == {"train": tmp_path / "README.md"}


def test_what_cannot_be_told_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no file named"):
        split_files(tmp_path)
    (tmp_path / "a.test").touch()
    (tmp_path / "b.test").touch()
    with pytest.raises(ConfigError, match="both say test"):
        split_files(tmp_path)


def test_class_names(tmp_path: Path) -> None:
    path = tmp_path / "test.txt"
    path.write_text("Ada\tB-per\n\nRome\tB-big city\n")
    made = read_column_files(path, ColumnKeys(), "s")
    assert made.labels == {"s": LabelSet(entities=("BigCity", "Per"))}
    assert [sentence.entities[0].type for sentence in made.splits["test"]] == ["Per", "BigCity"]
    known = read_column_files(path, ColumnKeys(), "s", LIBRARY)
    assert known.labels == {"s": LabelSet(entities=("Human",))}
    assert [sentence.entities[0].type for sentence in known.splits["test"]] == ["Human"]
    assert [reject.reason for reject in known.rejects] == ["label without a class"]


def test_triples(tmp_path: Path) -> None:
    path = tmp_path / "triples.jsonl"
    path.write_text('{"sent": "Al knows Bo.", "sub_label": "Al", "rel": "knows", "obj_label": "Bo"}\n')
    corpus = read_triple_files(path, TripleKeys(), "s", LIBRARY)
    assert corpus.labels == {"s": LabelSet(entities=("Human",), relations=("Knows",))}
    assert corpus.splits["train"][0].relations[0].head.type == "Human"
