"""Tags of tokens, in the schemes that there are, as spans: what is not legal is repaired and counted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import TypeAlias

from knowcoder.corpus.reading import Unusable

Span: TypeAlias = tuple[str, int, int]
"""Type, first token, token after the last."""

_PREFIXES: dict[str, dict[str, str]] = {
    "BIO": {"B": "B", "I": "I"},
    "IO": {"I": "I"},
    "IOB1": {"B": "B", "I": "I"},
    "BILOU": {"B": "B", "I": "I", "L": "L", "U": "U"},
    "BMES": {"B": "B", "M": "I", "E": "L", "S": "U"},
    "BIOES": {"B": "B", "I": "I", "E": "L", "S": "U"},
}
_OUTSIDE = frozenset({"O", "_", "-"})
FREE_START_SCHEMES = ("IO", "IOB1")  # schemes in which an entity may start with I
CLOSED_SCHEMES = ("BILOU", "BMES", "BIOES")  # schemes in which an entity of several tokens must end with its own prefix


_BRACKETS = re.compile(r"(\((?P<label>[^()*]+))?\*?(?P<end>\))?")


class BadTag(Unusable):
    """A tag that its scheme does not have; ``index`` is its token's."""

    def __init__(self, index: int, reason: str, value: str) -> None:
        super().__init__(reason, value)
        self.index = index


def decode_tags(tags: Sequence[str], scheme: str) -> tuple[list[Span], int]:
    """Read the spans that a sequence of tags spells.

    A tag that may not stand where it stands is read as what it most likely meant: a continuation without
    a beginning begins an entity; a new beginning, an O or the end of the sentence ends one that lacked its end.

    Returns:
        The spans in order, and the number of tags repaired.
    """
    return decode_tagged([(index, tag) for index, tag in enumerate(tags) if tag != "O"], scheme)


def decode_tagged(tagged: Sequence[tuple[int, str]], scheme: str) -> tuple[list[Span], int]:
    """The same of the tokens whose tag is not O, each with its index."""
    if scheme == "brackets":
        tagged, scheme = list(_unbracketed(tagged)), "BIO"
    spans: list[Span] = []
    repaired = 0
    closed, free_start = scheme in CLOSED_SCHEMES, scheme in FREE_START_SCHEMES
    kind, start, last = "", -1, -1  # the open entity, and its last token so far; start is -1 when there is none

    for index, tag in tagged:
        try:
            prefix, label = parse_tag(tag, scheme)
        except KeyError:
            raise BadTag(index, f"tag is not {scheme}", tag) from None
        continues = start >= 0 and last == index - 1 and label == kind and prefix in "IL"
        if start >= 0 and not continues:
            spans.append((kind, start, last + 1))
            repaired += closed
            start = -1
        if prefix == "O":
            continue
        if not continues:
            repaired += prefix in "IL" and not free_start
            kind, start = label, index
        last = index
        if prefix in "LU":
            spans.append((kind, start, index + 1))
            start = -1
    if start >= 0:
        spans.append((kind, start, last + 1))
        repaired += closed
    return spans, repaired


def _unbracketed(tagged: Sequence[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """``(PERSON*``, ``*``, ``*)`` as tags of BIO."""
    label = ""
    for index, tag in tagged:
        match = _BRACKETS.fullmatch(tag)
        if match is None or (match["label"] and label):
            raise BadTag(index, "tag is not brackets", tag)
        label = match["label"] or label
        yield index, f"{'B' if match['label'] else 'I'}-{label}" if label else "O"
        label = "" if match["end"] else label


@lru_cache(maxsize=4096)
def parse_tag(tag: str, scheme: str) -> tuple[str, str]:
    """Prefix, one of B, I, L, U and O, and label.

    Raises:
        KeyError: the scheme has no such tag.
    """
    tag = tag.strip()
    if tag in _OUTSIDE:
        return "O", ""
    prefix, dash, label = tag.partition("-")
    known = _PREFIXES[scheme]
    if dash and label and prefix in known:
        return known[prefix], label
    if scheme == "IO" and tag:
        return "I", tag
    raise KeyError(tag)
