"""Column files as arrays of characters: many sentences of the usual layouts at once.

A file of tokens has a dozen lines a sentence, and to look at each costs more than all the rest. Here numpy finds lines,
columns, the text and the tagged tokens of a whole piece of the file, and Python sees tagged tokens and entities alone.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from knowcoder.config.corpus import ColumnKeys
from knowcoder.corpus.labels import Classes
from knowcoder.corpus.reading import Unusable
from knowcoder.corpus.sentence import Mention
from knowcoder.corpus.tags import CLOSED_SCHEMES, FREE_START_SCHEMES, parse_tag

Places: TypeAlias = NDArray[np.int64]
Tagged: TypeAlias = tuple[str, tuple[Mention, ...]]

_SPACES = np.array([code for code in range(0x3001) if chr(code).isspace()])
_PREFIXES = "BILUO"
_B, _I, _L, _U, _O = range(5)


def is_usual(keys: ColumnKeys) -> bool:
    """Whether a layout is one that arrays take."""
    return len(keys.separator) == 1 and len(keys.join) <= 1 and len(keys.tags) == 1 and keys.scheme != "brackets"


class ColumnArrays:
    """Reads pieces of files of one usual layout."""

    def __init__(self, keys: ColumnKeys, classes: Classes) -> None:
        self.keys, self.classes = keys, classes
        self._codes: dict[str, int] = {}  # tag -> number of its label and of its prefix in one
        self._labels: dict[str, int] = {}
        self._types: list[str] = []

    def read(self, text: str) -> tuple[list[Tagged], int] | None:
        """Text and entities of every sentence, and the number of repairs.

        None where something is to be rejected, or where lines differ in their number of columns.

        Args:
            text: whole sentences, each line a token.
        """
        keys, between = self.keys, len(self.keys.join)
        codec = "ascii" if text.isascii() and keys.join.isascii() else "utf-32-le"
        piece = np.frombuffer(f"{text}\n".encode(codec), np.uint8 if codec == "ascii" else np.uint32)
        ends = np.flatnonzero(piece == ord("\n"))
        begins = np.concatenate(([0], ends[:-1] + 1))
        lines = np.flatnonzero(ends > begins)
        begins, ends = begins[lines], ends[lines]
        columns = _columns(piece, begins, ends, keys)
        if columns is None:
            return None
        (start, end), (tag_start, tag_end) = columns
        if keys.token_suffix:
            end = np.maximum(start, end - keys.token_suffix)

        kept = np.zeros(len(piece) + 1, np.int8)
        kept[start] += 1
        kept[end] -= 1
        inside = np.cumsum(kept[:-1], dtype=np.int8)
        if between:
            piece = piece.copy()
            piece[ends] = ord(keys.join)
            inside[ends] = 1
        whole = piece[inside.view(bool)].tobytes().decode(codec)
        after = np.cumsum(end - start + between) - between  # where each token ends in the whole
        before = after - (end - start)

        tagged = np.flatnonzero((tag_end - tag_start != 1) | (piece[tag_start] != ord("O")))
        found = self._entities(text, lines, tagged, tag_start, tag_end)
        if found is None:
            return None
        first, last, types, repaired = found
        if len(first) and (np.isin(piece[start[first]], _SPACES) | (start[first] == end[first])).any():
            return None  # perhaps an entity of nothing but white space
        heads = np.flatnonzero(np.diff(lines, prepend=-2) > 1)
        tails = np.append(heads[1:], len(lines)) - 1
        numbers = np.searchsorted(first, np.append(heads, len(lines)))
        offset = np.repeat(before[heads], np.diff(numbers))
        start, end = before[first], after[last]
        words = [whole[a:b] for a, b in zip(start.tolist(), end.tolist(), strict=True)]
        mentions = [*map(Mention, types, words, (start - offset).tolist(), (end - offset).tolist())]
        bounds = (before[heads].tolist(), after[tails].tolist(), numbers[:-1].tolist(), numbers[1:].tolist())
        return [(whole[a:b], tuple(mentions[k:n])) for a, b, k, n in zip(*bounds, strict=True)], repaired

    def _entities(
        self, text: str, lines: Places, tagged: Places, tag_start: Places, tag_end: Places
    ) -> tuple[Places, Places, list[str], int] | None:
        """First and last token and the class of each entity, and the number of repairs."""
        known, scheme = self._codes, self.keys.scheme
        tags = [text[a:b] for a, b in zip(tag_start[tagged].tolist(), tag_end[tagged].tolist(), strict=True)]
        try:
            for tag in {*tags}.difference(known):
                known[tag] = self._learn(tag)
        except (KeyError, Unusable):
            return None
        labels, prefixes = np.divmod(np.fromiter(map(known.__getitem__, tags), np.int64, len(tags)), len(_PREFIXES))
        meant = prefixes != _O
        tagged, labels, prefixes = tagged[meant], labels[meant], prefixes[meant]
        inner = (prefixes == _I) | (prefixes == _L)
        closing = (prefixes == _L) | (prefixes == _U)
        goes_on = inner.copy()
        goes_on[:1] = False
        goes_on[1:] &= (np.diff(lines[tagged]) == 1) & (np.diff(labels) == 0) & ~closing[:-1]
        first = np.flatnonzero(~goes_on)
        last = np.append(first[1:], len(tagged))[: len(first)] - 1
        repaired = 0 if scheme in FREE_START_SCHEMES else int(inner[first].sum())
        repaired += int((~closing[last]).sum()) if scheme in CLOSED_SCHEMES else 0
        return tagged[first], tagged[last], list(map(self._types.__getitem__, labels[first].tolist())), repaired

    def _learn(self, tag: str) -> int:
        prefix, label = parse_tag(tag, self.keys.scheme)
        if prefix != "O" and label not in self._labels:
            self._types.append(self.classes.entity(label))
            self._labels[label] = len(self._types) - 1
        return self._labels.get(label, 0) * len(_PREFIXES) + _PREFIXES.index(prefix)


def _columns(
    piece: NDArray[Any], begins: Places, ends: Places, keys: ColumnKeys
) -> tuple[tuple[Places, Places], tuple[Places, Places]] | None:
    """Begin and end of every token, and of every tag; None where the lines do not have the same columns."""
    separators = np.flatnonzero(piece == ord(keys.separator))
    count = len(separators) // len(begins) if len(begins) else 0
    if not count or len(separators) != count * len(begins):
        return None
    table = separators.reshape(-1, count)
    if (table[:, 0] < begins).any() or (table[:, -1] >= ends).any():
        return None
    bounds = (begins - 1, *table.T, ends)
    places = [column + (count + 1) * (column < 0) for column in (keys.token, *keys.tags)]
    if not all(0 <= place <= count for place in places):
        return None
    token, tag = places
    return (bounds[token] + 1, bounds[token + 1]), (bounds[tag] + 1, bounds[tag + 1])
