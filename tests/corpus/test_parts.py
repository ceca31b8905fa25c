"""The stage `corpus`: parts of a corpus by key, what stands twice is said, the list of data sets is a table."""

from __future__ import annotations

from pathlib import Path

import pytest

from knowcoder import artefact, config, stages
from knowcoder.corpus import registry
from knowcoder.corpus.reading import load_labels, load_split
from knowcoder.errors import ArtefactError, ConfigError


def run(*words: str) -> None:
    stages.corpus(config.load("corpus", list(words)))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus of 40 training sentences, one of them twice, and a test sentence that is one of them."""
    folder = tmp_path_factory.mktemp("parts")
    sentences = [f"Ada{n}\tB-PER\nrests\tO\n" for n in range(39)]
    (folder / "train.tsv").write_text("\n".join([*sentences, sentences[0]]))
    (folder / "test.tsv").write_text("\n".join(sentences[:20]))
    run(f"input={folder}", "source=mine", f"output={folder / 'corpus'}")
    return folder / "corpus"


def test_what_stands_twice_and_what_leaks_is_in_the_manifest(made: Path) -> None:
    manifest = artefact.read_manifest(made)
    assert manifest is not None
    assert manifest.facts["duplicates"] == {"train": 1, "test": 0}
    assert manifest.facts["overlap"]["test in train"]["sentences_seen"] == 20
    assert manifest.facts["overlap"]["test in train"]["sources"] == {"mine": 20}


def test_what_leaks_is_on_the_screen(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(f"input={made.parent}", "source=mine", f"output={tmp_path / 'again'}")
    said = capsys.readouterr().out
    assert "sentences that stand twice: 1 train" in said
    assert "test: 20 of 20 sentences (100.0%) and 20 of 20 mentions (100.0%) stand in train too" in said


def test_parts_are_splits_of_a_corpus_that_is_there(made: Path, tmp_path: Path) -> None:
    output = tmp_path / "parts"
    run(f"input={made}", "shares=[5,50]", "few=3", "sampled=true", f"output={output}")
    sizes = {split: len(load_split(output, split)) for split in ("train", "train-5", "train-50", "few-3", "test")}
    assert sizes == {"train": 40, "train-5": 2, "train-50": 20, "few-3": 3, "test": 2}
    assert load_split(output, "train") == load_split(made, "train")
    assert load_split(output, "few-3") == load_split(made, "train")[:3]
    small, large = ({s.id for s in load_split(output, split)} for split in ("train-5", "train-50"))
    assert small < large
    assert load_labels(output) == load_labels(made)
    manifest = artefact.read_manifest(output)
    assert manifest is not None
    assert set(manifest.inputs) == {"input"}
    assert manifest.facts["splits"]["train-5"]["sentences"] == 2


def test_the_seed_decides_what_is_drawn(made: Path, tmp_path: Path) -> None:
    drawn = {}
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        run(f"input={made}", "few=5", "few_from=random", f"seed={seed}", f"output={tmp_path / name}")
        drawn[name] = load_split(tmp_path / name, "few-5")
    assert drawn["one"] == drawn["again"] != drawn["other"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["shares=[0]"], "shares=0: a share is a percentage above 0 and below 100"),
        (["sampled=true"], "sampled: there is no split test to draw from; there are: train"),
    ],
)
def test_a_part_that_cannot_be_drawn_is_named(words: list[str], said: str, made: Path, tmp_path: Path) -> None:
    run(f"input={made.parent / 'train.tsv'}", f"output={tmp_path / 'train'}")
    with pytest.raises(ConfigError, match=said):
        run(f"input={tmp_path / 'train'}", *words, f"output={tmp_path / 'parts'}")
    assert not (tmp_path / "parts").exists()


def test_parts_are_drawn_from_no_other_artefact(made: Path, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_text((made / "manifest.json").read_text().replace('"corpus"', '"schema"', 1))
    with pytest.raises(ArtefactError, match="schema"):
        run(f"input={tmp_path}", f"output={tmp_path / 'parts'}")


def test_a_corpus_is_no_benchmark(made: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="is a corpus already; leave benchmark out"):
        run(f"input={made}", "benchmark=[conll03]", f"output={tmp_path / 'parts'}")


def test_the_list_is_a_table_of_all(capsys: pytest.CaptureFixture[str]) -> None:
    run("list=true")
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["name", "tasks", "text", "types", "train", "dev", "test", "verified", "licence"]
    assert [row.split()[0] for row in rows[:-1]] == registry.names()
    (politics,) = (row for row in rows if row.startswith("crossner-politics"))
    assert "9 (8)" in politics
    assert "200 (199)" in politics
    assert politics.endswith("yes       MIT; the text is Wikipedia's, CC BY-SA")
