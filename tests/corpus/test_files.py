"""Corpora without a benchmark file: splits by name, class names from the labels or from a library."""

from __future__ import annotations

from pathlib import Path

import pytest

from knowcoder.config.corpus import LayoutConfig
from knowcoder.corpus.files import classes_from, read_files, split_files
from knowcoder.corpus.sentence import LabelSet
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
    files = [[tmp_path / name] for name in names]
    assert split_files(tmp_path) == dict(zip(("train", "dev", "test"), files, strict=True))
    assert split_files(tmp_path / "README.md") == {"train": [tmp_path / "README.md"]}


def test_patterns_and_folders_named_after_splits(tmp_path: Path) -> None:
    for name in ("train/a.txt", "train/b.txt", "test/a.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    expected = {"train": [tmp_path / "train/a.txt", tmp_path / "train/b.txt"], "test": [tmp_path / "test/a.txt"]}
    assert split_files(tmp_path) == split_files(tmp_path / "*" / "*.txt") == expected
    assert split_files(tmp_path, "brat") == {"train": [tmp_path / "train"], "test": [tmp_path / "test"]}


def test_what_cannot_be_told_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no file named"):
        split_files(tmp_path)
    with pytest.raises(ConfigError, match="no file there"):
        split_files(tmp_path / "*.txt")


def test_class_names(tmp_path: Path) -> None:
    path = tmp_path / "test.txt"
    path.write_text("Ada\tB-per\n\nRome\tB-big city\n\nX\tB-misc\n")
    layout = LayoutConfig()
    files = {"test": [path]}
    made = read_files(files, layout, "s", classes_from(["misc="], None))
    assert made.labels == {"s": LabelSet(entities=("BigCity", "Per"))}
    assert [reject.reason for reject in made.rejects] == ["label left out"]
    assert len(made.splits["test"]) == 3
    known = read_files(files, layout, "s", classes_from(["big city=Idea"], LIBRARY))
    assert [mention.type for sentence in known.splits["test"] for mention in sentence.entities] == ["Human", "Idea"]
    assert [reject.reason for reject in known.rejects] == ["label without a class"]
    with pytest.raises(ConfigError, match="Moon"):
        classes_from(["x=Moon"], LIBRARY)
    with pytest.raises(ConfigError, match="LABEL=CLASS"):
        classes_from(["x"], None)


def test_a_library_types_the_arguments_of_its_relations(tmp_path: Path) -> None:
    path = tmp_path / "triples.jsonl"
    path.write_text('{"text": "Al knows Bo.", "head": "Al", "type": "knows", "tail": "Bo"}\n')
    layout = LayoutConfig(format="records")
    layout.records.text, layout.relations.at = "text", "."
    corpus = read_files({"train": [path]}, layout, "s", classes_from([], LIBRARY))
    assert corpus.labels == {"s": LabelSet(entities=("Human",), relations=("Knows",))}
    assert corpus.splits["train"][0].relations[0].head.type == "Human"
