"""Column files (CoNLL and its kin): one token a line, columns with its tags, a blank line between sentences.

Such files are large, so a sentence of the usual layout is split at once, and any other line by line.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path

from knowcoder.config.corpus import ColumnKeys
from knowcoder.corpus.labels import Classes
from knowcoder.corpus.reading import Reading, Unusable
from knowcoder.corpus.sentence import Mention
from knowcoder.corpus.tags import OPEN_SCHEMES, BadTag, Span, decode_tagged, parse_tag
from knowcoder.errors import DataError

_CHUNK = 1 << 20  # characters read at once


def read_columns(
    path: str | Path, keys: ColumnKeys, classes: Classes, reading: Reading
) -> Iterator[tuple[str, tuple[Mention, ...]]]:
    """Yield the text and the entities of every sentence of a column file.

    A sentence with a malformed line is rejected whole, since its text would have a hole; a tag that its scheme does
    not allow where it stands is repaired.

    Raises:
        DataError: the file cannot be read as UTF-8.
    """
    quick = _QuickWay(keys, classes) if _is_usual(keys) else None
    for numbers, block in _blocks(path, keys):
        reading.texts += 1
        found = quick.read(block) if quick else None
        if found:
            text, mentions, repaired = found
            reading.kept += len(mentions)
            reading.repaired += repaired
            yield text, tuple(mentions)
            continue
        try:
            yield _read_slowly(path, numbers, block, keys, classes, reading)
        except BadTag as error:
            reading.texts_left_out += 1
            reading.reject(path, numbers[error.index], error.reason, error.value)


def _read_slowly(
    path: str | Path, numbers: Sequence[int], block: str, keys: ColumnKeys, classes: Classes, reading: Reading
) -> tuple[str, tuple[Mention, ...]]:
    text, ranges, columns = _tagged(block, keys)
    spans: list[Span] = []
    repairs = 0
    for tagged in columns:
        found, repaired = decode_tagged(tagged, keys.scheme)
        spans += found
        repairs += repaired
    reading.repaired += repairs
    mentions: dict[Mention, None] = {}
    for label, first, after in spans:
        try:
            start, end = ranges[first][0], ranges[after - 1][1]
            mention = Mention(classes.entity(label), text[start:end], start, end)
            if not mention.text.strip():
                raise Unusable("mention is blank", label)
            if mention in mentions:
                raise Unusable("entity said twice", mention.text)
            mentions[mention] = None
        except Unusable as error:
            reading.reject(path, numbers[first], error.reason, error.value)
    reading.kept += len(mentions)
    return text, tuple(mentions)


def _blocks(path: str | Path, keys: ColumnKeys) -> Iterator[tuple[Sequence[int], str]]:
    """Yield (number of each line, lines) for every run of lines that hold tokens."""
    line, rest = 1, ""
    try:
        with open(path, encoding="utf-8-sig") as file:
            while chunk := file.read(_CHUNK):
                whole = rest + chunk
                odd = _is_odd(whole, keys)
                *blocks, rest = whole.split("\n\n")
                for block in blocks:
                    breaks = block.count("\n")
                    if odd or not block or block[0].isspace():
                        yield from _token_lines(block, line, keys)
                    else:
                        yield range(line, line + breaks + 1), block
                    line += breaks + 2
            yield from _token_lines(rest, line, keys)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}, after line {line}: {error}; a column file is text in UTF-8") from error


def _is_odd(text: str, keys: ColumnKeys) -> bool:
    """Whether there may be a mark, a comment or a line of white space in it."""
    said = (keys.mark, keys.comment, "\n ", "\n\t")
    return any(part and part in text for part in said)


def _token_lines(block: str, line: int, keys: ColumnKeys) -> Iterator[tuple[Sequence[int], str]]:
    """The lines of a block that hold tokens: blocks of their own where a mark parts them; comments go."""
    numbers: list[int] = []
    rows: list[str] = []
    for number, row in enumerate(block.split("\n"), line):
        if keys.comment and row.startswith(keys.comment):
            continue
        if row.strip() and not (keys.mark and row.startswith(keys.mark)):
            numbers.append(number)
            rows.append(row)
        elif rows:
            yield numbers, "\n".join(rows)
            numbers, rows = [], []
    if rows:
        yield numbers, "\n".join(rows)


_HERE = "\0"  # stands between tokens until the text is made, which it does not change in length


def _is_usual(keys: ColumnKeys) -> bool:
    """Whether a line is a token and a tag that needs no end."""
    plain = len(keys.join) == 1 and keys.separator and not keys.token_suffix and not keys.token
    return bool(plain) and keys.tags in ([1], [-1]) and keys.scheme in OPEN_SCHEMES


class _QuickWay:
    """The usual layout: lines tagged O become text at once, and only the others are looked at one by one."""

    def __init__(self, keys: ColumnKeys, classes: Classes) -> None:
        self.separator, self.join, self.scheme, self.classes = keys.separator, keys.join, keys.scheme, classes
        self.outside = f"{keys.separator}O\n"
        self.known: dict[str, tuple[str, str]] = {}  # tag -> prefix and label
        self.types: dict[str, str] = {"": ""}

    def read(self, block: str) -> tuple[str, list[Mention], int] | None:
        """Text, entities and repairs; None where something is to be rejected, or a line has more than two columns."""
        *ending, rest = f"{block}\n".replace(self.outside, _HERE).split("\n")
        if self.separator in rest or _HERE in block:
            return None
        known, types, separator = self.known, self.types, self.separator
        spans: list[tuple[str, int, int]] = []
        words: list[str] = []
        open_label, start, end, position, repaired = "", 0, 0, 0, 0
        try:
            for line in ending:
                before, tag = line.split(separator)
                prefix, label = known.get(tag) or self._learn(tag)
                here = before.rfind(_HERE)
                continues = prefix == "I" and here < 0 and label == open_label
                if open_label and not continues:
                    spans.append((types[open_label], start, end))
                end = position + len(before)
                if not continues:
                    open_label, start = label, position + here + 1
                    repaired += prefix == "I"
                position = end + 1
                words.append(before)
        except (ValueError, KeyError, Unusable):
            return None
        if open_label:
            spans.append((types[open_label], start, end))
        words.append(rest)
        text = _HERE.join(words)[:-1].replace(_HERE, self.join)
        mentions = [Mention(type, text[start:end], start, end) for type, start, end in spans]
        for mention in mentions:
            if not mention.text.strip():
                return None
        return text, mentions, repaired if self.scheme == "BIO" else 0

    def _learn(self, tag: str) -> tuple[str, str]:
        prefix, label = parse_tag(tag, self.scheme)
        if label not in self.types:
            self.types[label] = self.classes.entity(label)
        self.known[tag] = prefix, label
        return prefix, label


Tagged = tuple[str, dict[int, tuple[int, int]], list[list[tuple[int, str]]]]
"""The text, the characters of each tagged token, and for each column of tags the tokens that it tags."""


def _tagged(block: str, keys: ColumnKeys) -> Tagged:
    """Any layout, line by line."""
    tokens: list[str] = []
    columns: list[list[tuple[int, str]]] = [[] for _ in keys.tags]
    for index, line in enumerate(block.split("\n")):
        cells = line.split(keys.separator or None)
        try:
            tokens.append(cells[keys.token])
            for column, tagged in zip(keys.tags, columns, strict=True):
                if cells[column] != "O":
                    tagged.append((index, cells[column]))
        except IndexError:
            raise BadTag(index, "column missing", line) from None
        if len(cells) < 2:
            raise BadTag(index, "column missing", line)
    if keys.token_suffix:
        tokens = [token[: -keys.token_suffix] for token in tokens]
    between = len(keys.join)
    ends = list(accumulate(map(len, tokens)))
    ranges = {
        index: (ends[index] - len(tokens[index]) + index * between, ends[index] + index * between)
        for tagged in columns
        for index, _ in tagged
    }
    return keys.join.join(tokens), ranges, columns
