"""What a reader found: a corpus in memory and on disk, the rejects with their reasons, and the counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from knowcoder import jsonl
from knowcoder.artefact import Reject as Reject
from knowcoder.corpus.sentence import LabelSet, Sentence
from knowcoder.corpus.stored import Stored
from knowcoder.errors import ArtefactError

SPLITS = ("train", "dev", "test")


class Unusable(Exception):
    """Why a reader leaves out the unit that it is at; caught where the unit is counted."""

    def __init__(self, reason: str, value: str) -> None:
        super().__init__(reason)
        self.reason, self.value = reason, value


@dataclass(slots=True)
class Reading:
    """The account that a reader keeps while it yields sentences.

    A unit is an annotation: an entity, a relation, an event or an argument; a text that cannot be read is one too.

    Attributes:
        kept: units that reached the corpus; every unit read is either kept or rejected.
        repaired: tags that were not legal where they stood.
        texts: texts that were read.
        texts_left_out: those of them of which nothing that is said stands in them.
        sought: mentions given by their text alone, by what the search came to (see ``locate.py``).
    """

    kept: int = 0
    repaired: int = 0
    texts: int = 0
    texts_left_out: int = 0
    sought: Counter[str] = field(default_factory=Counter)
    rejected: Stored[Reject] = field(default_factory=lambda: Stored(Reject))

    @property
    def read(self) -> int:
        return self.kept + len(self.rejected)

    def reject(self, file: str | Path, line: int, reason: str, value: str = "") -> None:
        """Leave a unit out, with the reason."""
        self.rejected.append(Reject(str(file), line, reason, value))

    def counts(self) -> dict[str, int]:
        """The account as a manifest shows it: totals, then one line per reason."""
        reasons = Counter(f"rejected: {reject.reason}" for reject in self.rejected)
        totals = {"texts": self.texts, "texts left out": self.texts_left_out}
        totals |= {"read": self.read, "kept": self.kept, "rejected": len(self.rejected), "repaired": self.repaired}
        sought = {f"sought: {status}": count for status, count in sorted(self.sought.items())}
        return totals | sought | dict(sorted(reasons.items()))


@dataclass(slots=True)
class Corpus:
    """Annotated sentences by split, with the label set of each source.

    Attributes:
        splits: some of train, dev and test, in memory or on disk.
        labels: source -> the classes that all its sentences are offered at prediction.
        rejects: what was left out while reading.
        counts: split -> the reader's account (``Reading.counts``); empty for a corpus that was not read but made.
        warnings: what a user should know, such as counts that differ from the published ones.
    """

    splits: dict[str, Sequence[Sentence]]
    labels: dict[str, LabelSet]
    rejects: Stored[Reject] = field(default_factory=lambda: Stored(Reject))
    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def save(self, directory: str | Path) -> None:
        """Write ``SPLIT.jsonl`` for every split, ``labels.json`` and, if there are any, ``rejects.jsonl``."""
        folder = Path(directory)
        folder.mkdir(parents=True, exist_ok=True)
        for split, sentences in self.splits.items():
            jsonl.write(folder / f"{split}.jsonl", sentences)
        jsonl.write_json(folder / "labels.json", self.labels)
        if self.rejects:
            jsonl.write(folder / "rejects.jsonl", self.rejects)

    @classmethod
    def load(cls, directory: str | Path) -> Corpus:
        """Read all splits of a corpus. The accounts and warnings stay in the artefact's manifest."""
        folder = Path(directory)
        corpus = cls({split: Stored(Sentence, read_split(folder, split)) for split in split_names(folder)}, {})
        corpus.labels = load_labels(folder)
        if (folder / "rejects.jsonl").exists():
            corpus.rejects.extend(jsonl.read(folder / "rejects.jsonl", Reject))
        return corpus

    def tally(self) -> dict[str, dict[str, int]]:
        """Counts by split for a manifest: the reader's account, then sentences and annotations."""
        return {
            split: self.counts.get(split, {}) | count_annotations(sentences) for split, sentences in self.splits.items()
        }


def join(corpora: Sequence[Corpus]) -> Corpus:
    """One corpus of several; what stands under the same split or source is put together in their order."""
    whole = Corpus({}, {})
    parts: dict[str, Stored[Sentence]] = {split: Stored(Sentence) for split in SPLITS}
    for corpus in corpora:
        whole.labels |= corpus.labels
        whole.rejects.extend(corpus.rejects)
        whole.warnings += corpus.warnings
        for split, sentences in corpus.splits.items():
            parts[split].extend(sentences)
        for split, counts in corpus.counts.items():
            total = Counter(whole.counts.get(split, {}))
            total.update(counts)
            whole.counts[split] = dict(total)
    whole.splits = {split: part for split, part in parts.items() if any(split in corpus.splits for corpus in corpora)}
    return whole


def used_labels(sentences: Iterable[Sentence]) -> dict[str, LabelSet]:
    """The classes that the sentences of each source use."""
    used: dict[str, tuple[set[str], set[str], set[str]]] = {}
    for sentence in sentences:
        entities, relations, events = used.setdefault(sentence.source, (set(), set(), set()))
        entities.update(mention.type for mention in sentence.entities)
        relations.update(relation.type for relation in sentence.relations)
        events.update(event.type for event in sentence.events)
    return {
        source: LabelSet(entities=tuple(sorted(own[0])), relations=tuple(sorted(own[1])), events=tuple(sorted(own[2])))
        for source, own in used.items()
    }


def split_names(directory: str | Path) -> list[str]:
    """The splits that a saved corpus has, in the order train, dev, test."""
    return [split for split in SPLITS if (Path(directory) / f"{split}.jsonl").exists()]


def load_split(directory: str | Path, split: str) -> list[Sentence]:
    """One split of a saved corpus, in memory; see ``read_split``."""
    return list(read_split(directory, split))


def read_split(directory: str | Path, split: str) -> Iterator[Sentence]:
    """One split of a saved corpus, a sentence at a time.

    Raises:
        ArtefactError: the corpus has no such split.
        DataError: a line is malformed.
    """
    path = Path(directory) / f"{split}.jsonl"
    if not path.exists():
        have = ", ".join(split_names(directory)) or "none"
        raise ArtefactError(f"{directory}: no split {split!r} in this corpus; it has: {have}")
    return jsonl.read(path, Sentence)


def load_labels(directory: str | Path) -> dict[str, LabelSet]:
    """Read the label set of each source of a saved corpus."""
    labels: dict[str, LabelSet] = jsonl.read_json(Path(directory) / "labels.json", dict[str, LabelSet])
    return labels


def count_annotations(sentences: Iterable[Sentence]) -> dict[str, int]:
    """Sentences and annotations by kind."""
    total: Counter[str] = Counter(sentences=0, entities=0, relations=0, events=0, arguments=0)
    for sentence in sentences:
        total["sentences"] += 1
        total["entities"] += len(sentence.entities)
        total["relations"] += len(sentence.relations)
        total["events"] += len(sentence.events)
        total["arguments"] += sum(len(event.arguments) for event in sentence.events)
    return dict(total)
