"""Benchmarks on the real data: every published count is met, gold scores one, and all share one library."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import pytest
from mentions_hold import assert_mentions_hold

from knowcoder.codec.answer import build_answer
from knowcoder.codec.parse import Offer, parse_answer
from knowcoder.corpus import benchmark, registry
from knowcoder.enrich.examples import mentions_of
from knowcoder.errors import ConfigError
from knowcoder.schema.concepts import RelationType
from knowcoder.schema.render import Style
from knowcoder.schema.source import library_of
from knowcoder.score.metrics import score
from knowcoder.score.prediction import Prediction

read = cache(benchmark.read_benchmark)
"""A benchmark on the real data, read once for all tests."""

# Sentences and entities of train, dev and test, as the data set's files have them.
CROSSNER = {
    "crossner-ai": (14, [(100, 532), (350, 1549), (431, 1809)]),
    "crossner-literature": (12, [(100, 541), (400, 2130), (416, 2266)]),
    "crossner-music": (13, [(100, 648), (380, 2679), (465, 3336)]),
    "crossner-politics": (9, [(200, 1304), (541, 3482), (651, 4209)]),
    "crossner-science": (17, [(200, 1075), (450, 2538), (543, 3089)]),
}


@pytest.mark.parametrize("name", CROSSNER)
def test_crossner_has_the_published_counts(name: str, data_root: Path) -> None:
    types, expected = CROSSNER[name]
    corpus = read(name, data_root)
    assert corpus.warnings == []
    assert corpus.rejects == []
    found = [(len(sentences), sum(len(s.entities) for s in sentences)) for sentences in corpus.splits.values()]
    assert list(corpus.splits) == ["train", "dev", "test"]
    assert found == expected
    used = {mention.type for sentences in corpus.splits.values() for s in sentences for mention in s.entities}
    assert used == set(corpus.labels[name].entities)
    assert len(used) == types
    assert_mentions_hold(corpus)


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
    assert_mentions_hold(corpus)


# Sentences, entities, relations, events, arguments kept and arguments left out, by split.
SPANS = {
    "conll04": {
        "train": (922, 3377, 1283, 0, 0, 0),
        "dev": (231, 893, 343, 0, 0, 0),
        "test": (288, 1079, 422, 0, 0, 0),
    },
    "wikievents": {"dev": (378, 2256, 0, 345, 426, 2), "test": (492, 2673, 0, 364, 560, 3)},
    "phee": {"train": (673, 0, 0, 704, 3649, 225), "test": (288, 0, 0, 299, 1504, 55)},
    "weibo-ner": {
        "train": (1350, 1895, 0, 0, 0, 0),
        "dev": (270, 389, 0, 0, 0, 0),
        "test": (270, 418, 0, 0, 0, 0),
    },
}
KINDS = ("sentences", "entities", "relations", "events", "arguments", "rejected")


@pytest.mark.parametrize("name", SPANS)
def test_files_with_spans_have_the_published_counts(name: str, data_root: Path) -> None:
    corpus = read(name, data_root)
    assert corpus.warnings == []
    tally = corpus.tally()
    assert {split: tuple(tally[split][kind] for kind in KINDS) for split in tally} == SPANS[name]
    for counts in tally.values():
        assert counts["read"] == counts["kept"] + counts["rejected"]
        assert counts["kept"] == sum(counts[kind] for kind in KINDS[1:5])
    reasons = {reject.reason for reject in corpus.rejects}
    expected = {
        "wikievents": {"argument in another sentence"},
        "phee": {"event within an event", "mention in pieces", "argument said twice"},
    }
    assert reasons == expected.get(name, set())
    offered = corpus.labels[name]
    for sentences in corpus.splits.values():
        for sentence in sentences:
            for task in sentence.tasks:
                assert set(sentence.classes(task)) <= set(offered.of(task))
    assert_mentions_hold(corpus)


VERIFIED = [name for name in registry.names() if registry.load(name).verified]


@pytest.mark.parametrize("name", VERIFIED)
def test_no_example_of_ours_is_held_out_text(name: str, data_root: Path) -> None:
    known = registry.load(name)
    examples = {example for label in known.labels.values() for example in label.examples}
    examples |= {example for label in known.relations.values() for pair in label.examples for example in pair}
    corpus = read(name, data_root)
    held_out = mentions_of(s for split, found in corpus.splits.items() if split != "train" for s in found)
    assert not {example.casefold() for example in examples} & {mention.casefold() for mention in held_out}
    assert known.ontology or all(label.examples for label in known.all_labels.values())


def test_no_abstract_stands_on_both_sides_of_the_cut(data_root: Path) -> None:
    records = map(json.loads, (data_root / "phee" / "dev.jsonl").open())
    abstracts = {record["context"]: record["id"].rsplit("_", 1)[0] for record in records}
    splits = benchmark.read_benchmark("phee", data_root).splits.values()
    train, test = ({abstracts[sentence.text] for sentence in sentences} for sentences in splits)
    assert not train & test


@pytest.mark.parametrize("name", SPANS)
def test_gold_as_answers_scores_one(name: str, data_root: Path) -> None:
    library = library_of(benchmark.schema_of(name, data_root))
    corpus = read(name, data_root)
    sentences = corpus.splits["test"]
    predictions = []
    for sentence in sentences:
        for task in sentence.tasks:
            offered = corpus.labels[name].of(task)
            answer = parse_answer(
                build_answer(task, sentence.annotations, offered, library, Style()), Offer.of(library, offered), task
            )
            assert answer.problems == ()
            predictions.append(Prediction(id=sentence.id, task=task, source=name, annotations=answer.annotations))
    tasks = score(sentences, predictions, corpus.labels).tasks
    assert {task: found.columns["strict"].f1 for task, found in tasks.items()} == dict.fromkeys(sentences[0].tasks, 1)


def test_development_text_can_be_training_text(data_root: Path) -> None:
    plain = benchmark.read_benchmarks(["conll04", "wikievents"], data_root)
    moved = benchmark.read_benchmarks(["conll04", "wikievents"], data_root, train_on_dev=["wikievents"])
    sizes = {split: len(sentences) for split, sentences in moved.splits.items()}
    assert sizes == {"train": 922 + 378, "dev": 231, "test": 288 + 492}
    assert {split: counts["texts"] for split, counts in moved.counts.items()} == sizes
    assert (moved.labels, moved.rejects) == (plain.labels, plain.rejects)
    with pytest.raises(ConfigError, match="no split dev"):
        benchmark.read_benchmarks(["phee"], data_root, train_on_dev=["phee"])
    with pytest.raises(ConfigError, match="not among"):
        benchmark.read_benchmarks(["phee"], data_root, train_on_dev=["conll04"])


OWN = """
title: Own
licence: ours
homepage: none
obtain: it is here
folder: own
format: records
keys: {records: {text: text}, entities.at: mentions, relations.at: facts}
splits: {train: {path: a.jsonl}}
labels: {person: {name: Human, id: Q5}, town: {name: Town, parent: place}, place: {name: Place}}
relations: {lives: {name: LivesIn, head: [person], tail: [HERE]}}
"""


def test_a_yaml_file_of_ones_own_is_a_benchmark(tmp_path: Path) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(OWN.replace("HERE", "town"))
    record = {
        "text": "Ada in Rome",
        "mentions": [{"type": "person", "start": 0, "end": 3}, {"type": "town", "start": 7, "end": 11}],
        "facts": [{"type": "lives", "head": 0, "tail": {"start": 7, "end": 11}}],
    }
    (tmp_path / "a.jsonl").write_text(json.dumps(record))
    corpus = benchmark.read_benchmark(str(path), tmp_path)
    assert list(corpus.labels) == ["own"]
    (relation,) = corpus.splits["train"][0].relations
    assert (relation.head.type, relation.tail.type) == ("Human", "Town")
    concepts = {concept.id: concept for concept in benchmark.schema_of(str(path))}
    assert concepts["town"].parent == "place"
    assert concepts["lives"] == RelationType(
        id="lives", name="LivesIn", label="lives in", aliases=("lives",), head=("Q5",), tail=("town",)
    )
    path.write_text(OWN.replace("HERE", "moon"))
    with pytest.raises(ConfigError, match="moon"):
        benchmark.schema_of(str(path))


def test_all_benchmarks_share_one_library(data_root: Path) -> None:
    library = library_of(benchmark.schema_of_all(registry.names(), data_root))
    corpus = benchmark.read_benchmarks(VERIFIED, data_root)
    for labels in corpus.labels.values():
        assert all(name in library for name in (*labels.entities, *labels.relations, *labels.events))
    ids = [sentence.id for sentences in corpus.splits.values() for sentence in sentences]
    assert len(set(ids)) == len(ids)


IEPILE = {"msra": ("NER", 6, 3), "duie2": ("SPO", 5, 6), "duee1": ("EE", 6, 9)}  # folder, texts, what is asked for


@pytest.mark.parametrize("name", IEPILE)
def test_real_rows_of_chinese_data_sets_are_read_without_loss(name: str, data_root: Path, tmp_path: Path) -> None:
    folder, texts, annotations = IEPILE[name]
    for split in ("train", "test"):
        (tmp_path / f"{split}.json").write_bytes((data_root / "iepile_samples" / folder / "sample.json").read_bytes())
    corpus = benchmark.read_benchmark(name, tmp_path)
    assert corpus.rejects == []
    found = corpus.splits["train"]
    assert len(found) == texts
    assert sum(len(s.entities if name == "msra" else (*s.relations, *s.events)) for s in found) == annotations
    assert {sentence.language for sentence in found} == {"zh"}
    assert_mentions_hold(corpus)
