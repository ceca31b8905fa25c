"""The benchmarks: their files are well formed and consistent; on the real data every published count is met."""

from __future__ import annotations

from pathlib import Path

import pytest

from knowcoder.corpus import benchmark
from knowcoder.corpus.reading import Corpus
from knowcoder.errors import ConfigError
from knowcoder.schema.source import library_of

# Sentences and entities of train, dev and test, as the data set's files have them.
CROSSNER = {
    "crossner-ai": (14, [(100, 532), (350, 1549), (431, 1809)]),
    "crossner-literature": (12, [(100, 541), (400, 2130), (416, 2266)]),
    "crossner-music": (13, [(100, 648), (380, 2679), (465, 3336)]),
    "crossner-politics": (9, [(200, 1304), (541, 3482), (651, 4209)]),
    "crossner-science": (17, [(200, 1075), (450, 2538), (543, 3089)]),
}


def assert_offsets_hold(corpus: Corpus) -> None:
    for sentences in corpus.splits.values():
        for sentence in sentences:
            arguments = [mention for relation in sentence.relations for mention in (relation.head, relation.tail)]
            for mention in (*sentence.entities, *arguments):
                assert sentence.text[mention.start : mention.end] == mention.text


@pytest.mark.parametrize("name", benchmark.names())
def test_every_file_is_complete(name: str) -> None:
    described = benchmark.load(name)
    assert described.verified
    assert all(layout.expected for layout in described.splits.values())
    assert all(label.description.endswith(".") for label in described.labels.values() if not described.ontology)


@pytest.mark.parametrize("name", CROSSNER)
def test_crossner_has_the_published_counts(name: str, data_root: Path) -> None:
    types, expected = CROSSNER[name]
    corpus = benchmark.read_benchmark(name, data_root)
    assert corpus.warnings == []
    assert corpus.rejects == []
    found = [(len(sentences), sum(len(s.entities) for s in sentences)) for sentences in corpus.splits.values()]
    assert list(corpus.splits) == ["train", "dev", "test"]
    assert found == expected
    used = {mention.type for sentences in corpus.splits.values() for s in sentences for mention in s.entities}
    assert used == set(corpus.labels[name].entities)
    assert len(used) == types
    assert_offsets_hold(corpus)


def test_text2kg_has_the_published_counts(data_root: Path) -> None:
    corpus = benchmark.read_benchmark("text2kg", data_root / "text2kg_wikidata")
    assert corpus.warnings == []
    for split, triples in (("train", 5335), ("test", 7232)):
        counts = corpus.counts[split]
        assert counts["read"] == counts["kept"] + counts["rejected"] == triples
        assert counts["kept"] == sum(len(sentence.relations) for sentence in corpus.splits[split])
    assert len(corpus.labels) == 10
    concepts = benchmark.schema_of("text2kg", data_root)
    assert sum(concept.id.startswith("Q") for concept in concepts) == 128
    assert sum(concept.id.startswith("P") for concept in concepts) == 90
    assert_offsets_hold(corpus)


def test_all_benchmarks_share_one_library(data_root: Path) -> None:
    library = library_of(benchmark.schema_of_all(benchmark.names(), data_root))
    corpus = benchmark.read_benchmarks(benchmark.names(), data_root)
    for labels in corpus.labels.values():
        assert all(name in library for name in (*labels.entities, *labels.relations))
    ids = [sentence.id for sentences in corpus.splits.values() for sentence in sentences]
    assert len(set(ids)) == len(ids)


def test_an_unknown_benchmark_names_those_there_are() -> None:
    with pytest.raises(ConfigError, match="crossner-ai"):
        benchmark.load("crosner")


def test_a_path_without_the_files_says_how_to_get_them(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="git clone"):
        benchmark.read_benchmark("crossner-ai", tmp_path)


def test_other_counts_than_expected_are_a_warning(tmp_path: Path) -> None:
    (tmp_path / "ai").mkdir()
    for split in ("train", "dev", "test"):
        (tmp_path / "ai" / f"{split}.txt").write_text("Ada\tB-researcher\nof\tO\nX\tB-planet\n\nHello\tO\n")
    corpus = benchmark.read_benchmark("crossner-ai", tmp_path)
    assert "1 sentences, expected 100" in corpus.warnings[0]
    assert [reject.reason for reject in corpus.rejects] == ["label without a class"] * 3
