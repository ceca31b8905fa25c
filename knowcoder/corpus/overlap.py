"""What held-out text shares with the training text of its corpus: sentences, and the words of mentions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from knowcoder.corpus.sentence import Mention, Sentence


@dataclass(frozen=True, slots=True)
class Overlap:
    """Sentences and mentions of a held-out split, and how many of them stand in the training split too.

    Sentences are compared without regard to white space, mentions by their text alone. Triggers are no mentions:
    they are words of the language, and to meet them again is no leak.
    """

    sentences: int
    sentences_seen: int
    mentions: int
    mentions_seen: int

    def __str__(self) -> str:
        sentences = _share(self.sentences_seen, self.sentences, "sentences")
        return f"{sentences} and {_share(self.mentions_seen, self.mentions, 'mentions')} stand in the training text too"


def overlaps(splits: Mapping[str, Sequence[Sentence]]) -> dict[str, Overlap]:
    """The overlap of every other split with ``train``; none where there is no training text."""
    if "train" not in splits:
        return {}
    return {split: overlap(splits["train"], held_out) for split, held_out in splits.items() if split != "train"}


def overlap(train: Iterable[Sentence], held_out: Iterable[Sentence]) -> Overlap:
    """What ``held_out`` shares with ``train``."""
    texts: set[str] = set()
    names: set[str] = set()
    for sentence in train:
        texts.add(_plain(sentence.text))
        names.update(mention.text for mention in _mentions(sentence))
    held_out = list(held_out)
    mentions = [mention.text for sentence in held_out for mention in _mentions(sentence)]
    return Overlap(
        len(held_out),
        sum(_plain(sentence.text) in texts for sentence in held_out),
        len(mentions),
        sum(text in names for text in mentions),
    )


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
