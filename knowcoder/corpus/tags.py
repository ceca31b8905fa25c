"""Tags of tokens, in the schemes that there are, as spans: what is not legal is repaired and counted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
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
_FREE_START = ("IO", "IOB1")  # schemes in which an entity may start with I
_CLOSED = ("BILOU", "BMES", "BIOES")  # schemes in which an entity of several tokens must end with its own prefix


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
    if scheme == "brackets":
        tags, scheme = list(_unbracketed(tags)), "BIO"
    spans: list[Span] = []
    repaired = 0
    kind, start = "", -1  # the open entity; start is -1 when there is none

    for index, tag in enumerate(tags):
        prefix, label = ("O", "") if tag == "O" else _parse(tag, scheme, index)
        continues = prefix in "IL" and start >= 0 and label == kind
        if start >= 0 and not continues:
            spans.append((kind, start, index))
            repaired += scheme in _CLOSED
            start = -1
        if prefix == "O":
            continue
        if not continues:
            repaired += prefix in "IL" and scheme not in _FREE_START
            kind, start = label, index
        if prefix in "LU":
            spans.append((kind, start, index + 1))
            start = -1
    if start >= 0:
        spans.append((kind, start, len(tags)))
        repaired += scheme in _CLOSED
    return spans, repaired


def _unbracketed(tags: Sequence[str]) -> Iterator[str]:
    """``(PERSON*``, ``*``, ``*)`` as tags of BIO."""
    label = ""
    for index, tag in enumerate(tags):
        match = _BRACKETS.fullmatch(tag)
        if match is None or (match["label"] and label):
            raise BadTag(index, "tag is not brackets", tag)
        label = match["label"] or label
        yield f"{'B' if match['label'] else 'I'}-{label}" if label else "O"
        label = "" if match["end"] else label


def _parse(tag: str, scheme: str, index: int) -> tuple[str, str]:
    prefix, dash, label = tag.partition("-")
    known = _PREFIXES[scheme]
    if dash and label and prefix in known:
        return known[prefix], label
    if scheme == "IO" and tag:
        return "I", tag
    raise BadTag(index, f"tag is not {scheme}", tag)
