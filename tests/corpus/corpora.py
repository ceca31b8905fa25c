"""Reading a corpus in tests as the command line does: by keys alone."""

from __future__ import annotations

from pathlib import Path

from mentions_hold import assert_mentions_hold

from knowcoder import config, stages
from knowcoder.artefact import read_manifest
from knowcoder.corpus.reading import Corpus
from knowcoder.corpus.sentence import Sentence


def read_by_keys(folder: Path, *words: str) -> tuple[Corpus, dict[str, dict[str, int]]]:
    """The corpus that ``knowcoder corpus KEY=VALUE ...`` writes, and its counts by split; both hold together."""
    output = folder / "read"
    stages.corpus(config.load("corpus", [f"output={output}", "overwrite=true", *words]))
    corpus, manifest = Corpus.load(output), read_manifest(output)
    assert manifest is not None
    counts = manifest.counts
    assert counts.read == counts.kept + sum(counts.rejected.values())
    splits: dict[str, dict[str, int]] = manifest.facts["splits"]
    for tally in splits.values():
        assert tally["read"] == tally["kept"] + tally["rejected"]
        assert tally["texts"] >= tally["sentences"]
        typed_arguments = tally["entities"] if tally["kept"] < sum(tally[kind] for kind in KINDS) else 0
        assert tally["kept"] == sum(tally[kind] for kind in KINDS) - typed_arguments
    assert all(reject.reason and reject.file for reject in corpus.rejects)
    assert_mentions_hold(corpus)
    return corpus, splits


KINDS = ("entities", "relations", "events", "arguments")


def mentions(sentence: Sentence) -> list[tuple[str, str]]:
    return [(mention.type, mention.text) for mention in sentence.entities]


def relations(sentence: Sentence) -> list[tuple[str, str, str]]:
    return [(relation.head.text, relation.type, relation.tail.text) for relation in sentence.relations]


def events(sentence: Sentence) -> list[tuple[str, str, dict[str, list[str]]]]:
    """Type, trigger or "", and the mentions of each role."""
    found = []
    for event in sentence.events:
        roles: dict[str, list[str]] = {}
        for argument in event.arguments:
            roles.setdefault(argument.role, []).append(argument.mention.text)
        found.append((event.type, event.trigger.text if event.trigger else "", roles))
    return found
