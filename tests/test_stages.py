"""What stages add to the packages that they call."""

from __future__ import annotations

from pathlib import Path

from knowcoder import artefact, config, jsonl, stages
from knowcoder.schema.library import SchemaLibrary

OWN = """
title: Own
licence: ours
homepage: none
obtain: it is here
folder: own
format: records
keys: {records: {text: text}, entities.at: mentions, relations.at: facts}
splits: {train: {path: train.jsonl}, test: {path: test.jsonl}}
labels: {person: {name: Human, id: Q5}, town: {name: Town}}
relations: {lives: {name: LivesIn, head: [person], tail: [town]}}
"""
ADA = {"text": "Ada rests.", "mentions": [{"type": "person", "start": 0, "end": 3}]}
BOB = {"text": "Bob met Ada.", "mentions": [{"type": "person", "start": n, "end": n + 3} for n in (0, 8)]}
KNOWLEDGE = {
    "entities": [
        {"id": "Q5", "name": "Person", "parent": "Q1"},
        {"id": "Q1", "label": "agent"},
        {"id": "Q2", "label": "town"},
    ]
}


def test_a_library_is_merged_and_cut_to_what_corpora_offer(tmp_path: Path) -> None:
    own = tmp_path / "own.yaml"
    own.write_text(OWN)
    jsonl.write(tmp_path / "train.jsonl", [ADA])
    jsonl.write(tmp_path / "test.jsonl", [ADA, BOB])
    jsonl.write_json(tmp_path / "knowledge.json", KNOWLEDGE)

    def run(verb: str, *words: str) -> Path:
        output = tmp_path / words[0]
        getattr(stages, verb)(config.load(verb, [f"output={output}", *words[1:]]))
        return output

    corpus = run("corpus", "corpus", f"benchmark=[{own}]", f"input={tmp_path}")
    manifest = artefact.read_manifest(corpus)
    assert manifest is not None
    assert manifest.facts["duplicates"] == {"train": 0, "test": 0}
    assert manifest.facts["overlap"] == {
        "test in train": {
            "sentences": 2, "sentences_seen": 1, "mentions": 3, "mentions_seen": 2, "sources": {"own": 1}
        }
    }  # fmt: skip
    knowledge = run("schema", "knowledge", "source=json", f"input={tmp_path / 'knowledge.json'}")
    library = SchemaLibrary.load(
        run("schema", "types", f"benchmark=[{own}]", f"merge=[{knowledge}]", f"only_for=[{corpus}]")
    )
    assert [concept.name for concept in library] == ["Human", "Town", "Agent", "LivesIn"]
    assert library.ancestors("Q5") == ("Q1",)
