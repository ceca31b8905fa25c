"""The public corpora, each read by keys alone, with the counts that their files have."""

from __future__ import annotations

from pathlib import Path

import pytest
from corpora import events, mentions, read_by_keys, relations

CROSSNER = {
    "ai": [(100, 532), (350, 1549), (431, 1809)],
    "literature": [(100, 541), (400, 2130), (416, 2266)],
    "music": [(100, 648), (380, 2679), (465, 3336)],
    "politics": [(200, 1304), (541, 3482), (651, 4209)],
    "science": [(200, 1075), (450, 2538), (543, 3089)],
}


@pytest.mark.parametrize("domain", CROSSNER)
def test_crossner(domain: str, data_root: Path, tmp_path: Path) -> None:
    corpus, counts = read_by_keys(tmp_path, "format=columns", f"input={data_root / 'crossner' / domain}")
    assert [(tally["sentences"], tally["entities"]) for tally in counts.values()] == CROSSNER[domain]
    assert corpus.rejects == []


def test_weibo_ner(data_root: Path, tmp_path: Path) -> None:
    words = ["format=columns", "columns.join=", "columns.token_suffix=1", "language=zh"]
    corpus, counts = read_by_keys(tmp_path, f"input={data_root / 'weibo_ner'}", *words)
    assert [tally["sentences"] for tally in counts.values()] == [1350, 270, 270]
    assert sum(tally["entities"] for tally in counts.values()) == 2702
    assert sum(tally["repaired"] for tally in counts.values()) == 14
    assert len(corpus.labels["corpus"].entities) == 8
    labels = [f"{kind}.{how}={kind}" for kind in ("PER", "ORG", "LOC", "GPE") for how in ("NAM", "NOM")]
    corpus, _ = read_by_keys(tmp_path, f"input={data_root / 'weibo_ner'}", *words, f"labels=[{','.join(labels)}]")
    assert corpus.labels["corpus"].entities == ("GPE", "LOC", "ORG", "PER")
    assert sum(len(sentence.entities) for found in corpus.splits.values() for sentence in found) == 2702


def test_conll04(data_root: Path, tmp_path: Path) -> None:
    words = [
        "format=records",
        "records.tokens=tokens",
        "records.tags=tags",
        "records.scheme=BILOU",
        "relations.at=relations",
    ]
    corpus, counts = read_by_keys(tmp_path, f"input={data_root / 'conll04' / 'conll04_*n.json'}", *words)
    assert list(counts) == ["train"]
    corpus, counts = read_by_keys(tmp_path, f"input={data_root / 'conll04'}", *words)
    assert [tally["sentences"] for tally in counts.values()] == [922, 231, 288]
    assert [tally["relations"] for tally in counts.values()] == [1283, 343, 422]
    assert corpus.rejects == []
    assert (len(corpus.labels["corpus"].entities), len(corpus.labels["corpus"].relations)) == (4, 5)


def test_wikievents(data_root: Path, tmp_path: Path) -> None:
    words = [
        "format=records",
        "records.sentences=sentences",
        "entities.at=entity_mentions",
        "entities.type=entity_type",
    ]
    words += ["events.at=event_mentions", "events.type=event_type", "events.filler=entity_id"]
    corpus, counts = read_by_keys(tmp_path, f"input={data_root / 'wikievents'}", *words)
    found = [[tally[kind] for kind in ("sentences", "entities", "events", "arguments")] for tally in counts.values()]
    assert found == [[378, 2256, 345, 426], [492, 2673, 364, 560]]
    assert {reject.reason for reject in corpus.rejects} == {"argument in another sentence"}
    assert len(corpus.rejects) == 991 - 426 - 560
    whole, counts = read_by_keys(tmp_path, f"input={data_root / 'wikievents'}", *words, "records.whole=true")
    assert sum(tally["arguments"] for tally in counts.values()) == 991
    assert whole.rejects == []


def test_phee(data_root: Path, tmp_path: Path) -> None:
    words = ["format=records", "records.text=context", "events.at=annotations.events", "events.type=event_type"]
    corpus, counts = read_by_keys(
        tmp_path, f"input={data_root / 'phee'}", *words, "events.trigger=Trigger", "events.arguments=*"
    )
    assert (counts["dev"]["sentences"], counts["dev"]["events"]) == (961, 1003)
    assert {reject.reason for reject in corpus.rejects} == {
        "mention in pieces", "event within an event", "argument said twice",
    }  # fmt: skip


def test_text2kg(data_root: Path, tmp_path: Path) -> None:
    words = ["format=records", "records.text=sent", "records.merge=true", "relations.at=.", "relations.type=rel"]
    words += ["relations.head=sub_label", "relations.tail=obj_label"]
    folder = data_root / "text2kg_wikidata"
    corpus, counts = read_by_keys(tmp_path, f"input={folder / 'train' / '*.jsonl'}", *words)
    assert (counts["train"]["read"], counts["train"]["texts"]) == (5335, 5098)
    texts = [sentence.text for sentence in corpus.splits["train"]]
    assert len(texts) == 5098 - counts["train"]["texts left out"]
    words = ["format=records", "records.text=sent", "relations.at=triples", "relations.type=rel", "relations.head=sub"]
    pattern = f"input={folder / 'ground_truth' / '*.jsonl'}"
    _, counts = read_by_keys(tmp_path, pattern, *words, "relations.tail=obj", "records.merge=true")
    assert (counts["train"]["read"], counts["train"]["texts"]) == (7232, 3911)


RAW = {
    "NER": ["entities.at=LIST", "entities.type=entity_type", "spans.text=entity"],
    "RE": (
        "relations.at=LIST",
        "relations.type=relation",
        "relations.head_type=head_type",
        "relations.tail_type=tail_type",
    ),
    "EE": ["events.at=LIST", "events.type=event_type", "events.trigger=event_trigger", "spans.text=argument"],
}
RAW |= {"SPO": RAW["RE"], "KG": RAW["RE"], "EET": RAW["EE"], "EEA": RAW["EE"]}
TRAIN = {
    "NER": ["entities.at=output.{type}"],
    "RE": ["relations.at=output.{type}"],
    "SPO": ["relations.at=output.{type}", "relations.head=subject", "relations.tail=object"],
    "KG": ["relations.at=output.{head_type}.{head}.{type}", "relations.head_type=head_type", "relations.tail=."],
    "EE": ["events.at=output.{type}", "events.arguments=arguments.{role}", "records.none=[NAN]"],
    "EET": ["events.at=output.{type}", "events.trigger=."],
}
TRAIN |= {"EEA": TRAIN["EE"]}
LISTS = {"NER": "entity", "RE": "relation", "SPO": "relation", "KG": "relation"}
# Records and annotations of the sample and of both instruction forms.
IEPILE = {
    "NER": ((6, 3), (6, 3), (6, 3)),
    "RE": ((6, 9), (72, 9), (72, 108)),
    "SPO": ((5, 6), (23, 6), (60, 72)),
    "KG": ((5, 32), (5, 32), (5, 32)),
    "EE": ((6, 21), (96, 21), (96, 336)),
    "EET": ((6, 21), (96, 9), (96, 336)),
    "EEA": ((6, 21), (6, 21), (6, 21)),
}


@pytest.mark.parametrize("task", IEPILE)
def test_iepile_raw_and_as_instructions(task: str, data_root: Path, tmp_path: Path) -> None:
    folder = data_root / "iepile_samples" / task
    named = LISTS.get(task, "event")
    layouts = {
        "sample": ["records.text=text", *(word.replace("LIST", named) for word in RAW[task])],
        "train": ["records.text=instruction.input", *TRAIN[task]],
        "test": ["records.text=instruction.input", *(word.replace("LIST", "label") for word in RAW[task])],
    }
    read = {}
    for name, words in layouts.items():
        corpus, counts = read_by_keys(tmp_path, "format=records", f"input={folder / name}.json", *words, "language=zh")
        (tally,) = counts.values()
        read[name] = (tally["sentences"], tally["read"])
        assert corpus.rejects == []
    assert tuple(read.values()) == IEPILE[task]


def test_the_published_rows(data_root: Path, tmp_path: Path) -> None:
    words = ["format=records", "records.text=sentence", "entities.at=entities", "relations.at=relations"]
    words += ["events.at=events", "spans.text=name", "spans.start=pos.0", "spans.end=pos.1"]
    path = data_root / "knowcoder_official" / "example_data" / "example_data.jsonl"
    corpus, counts = read_by_keys(tmp_path, f"input={path}", *words, "events.trigger=pos.0,pos.1,trigger")
    assert corpus.rejects == []
    rows = corpus.splits["train"]
    assert sorted(sentence.tasks for sentence in rows) == [("ED", "EAE")] * 7 + [("NER",), ("RE",)]
    assert {kind: counts["train"][kind] for kind in ("entities", "relations", "events", "arguments")} == {
        "entities": 7, "relations": 4, "events": 4, "arguments": 4,
    }  # fmt: skip
    assert all(
        mentions(sentence) or relations(sentence) or events(sentence) or "ED" in sentence.tasks for sentence in rows
    )
