"""What held-out text shares with other text of its corpus: sentences, and the words of mentions; and what is twice."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from knowcoder.corpus.sentence import Mention, Sentence


@dataclass(frozen=True, slots=True)
class Overlap:
    """Sentences and mentions of a held-out split, and how many of them stand in the other split too.

    Sentences are compared without regard to white space, mentions by their text alone. Triggers are no mentions:
    they are words of the language, and to meet them again is no leak.

    Attributes:
        sources: sentences seen, by the source that they belong to; the other split's may be another.
    """

    sentences: int
    sentences_seen: int
    mentions: int
    mentions_seen: int
    sources: dict[str, int]

    def __str__(self) -> str:
        sentences = _share(self.sentences_seen, self.sentences, "sentences")
        return f"{sentences} and {_share(self.mentions_seen, self.mentions, 'mentions')}"


def overlaps(splits: Mapping[str, Sequence[Sentence]]) -> dict[tuple[str, str], Overlap]:
    """(split, an earlier split) -> their overlap: dev and test with train, test with dev."""
    order = [split for split in ("train", "dev", "test") if split in splits]
    pairs = [(later, earlier) for place, later in enumerate(order) for earlier in order[:place]]
    return {(later, earlier): overlap(splits[earlier], splits[later]) for later, earlier in pairs}


def overlap(train: Iterable[Sentence], held_out: Iterable[Sentence]) -> Overlap:
    """What ``held_out`` shares with ``train``."""
    texts: set[int] = set()  # hashes, which are smaller than what they are of
    names: set[int] = set()
    for sentence in train:
        texts.add(hash(_plain(sentence.text)))
        names.update(hash(mention.text) for mention in _mentions(sentence))
    sentences = mentions = mentions_seen = 0
    seen: Counter[str] = Counter()
    for sentence in held_out:
        sentences += 1
        seen[sentence.source] += hash(_plain(sentence.text)) in texts
        for mention in _mentions(sentence):
            mentions += 1
            mentions_seen += hash(mention.text) in names
    return Overlap(sentences, seen.total(), mentions, mentions_seen, dict(sorted((+seen).items())))


def duplicates(splits: Mapping[str, Sequence[Sentence]]) -> dict[str, int]:
    """Split -> sentences whose text stands before them in the same source; white space does not count."""
    return {
        split: len(found) - len({hash((sentence.source, _plain(sentence.text))) for sentence in found})
        for split, found in splits.items()
    }


def _mentions(sentence: Sentence) -> Iterator[Mention]:
    """Every place that is annotated as something, once, whatever it is said to be."""
    found = list(sentence.entities)
    found += [mention for relation in sentence.relations for mention in (relation.head, relation.tail)]
    found += [argument.mention for event in sentence.events for argument in event.arguments]
    yield from {(mention.text, mention.start, mention.end): mention for mention in found}.values()


def _plain(text: str) -> str:
    return " ".join(text.split())


def _share(part: int, whole: int, what: str) -> str:
    return f"{part:,} of {whole:,} {what}" + (f" ({part / whole:.1%})" if whole else "")
