"""Column files (CoNLL and its kin): one token a line, columns with its tags, a blank line between sentences.

Such files are large, so a sentence is split at once, not line by line.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

from knowcoder.config.corpus import ColumnKeys
from knowcoder.corpus.labels import Classes
from knowcoder.corpus.reading import Reading, Unusable
from knowcoder.corpus.sentence import Mention
from knowcoder.corpus.tags import BadTag, Span, decode_tagged
from knowcoder.errors import DataError

_BLANK_LINE = re.compile(r"^\s*$", re.MULTILINE)
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
    for line, block in _blocks(path, keys):
        reading.texts += 1
        try:
            text, ranges, columns = _short_way(block, keys) or _long_way(block, keys)
            spans: list[Span] = []
            for tagged in columns:
                found, repaired = decode_tagged(tagged, keys.scheme)
                spans += found
                reading.repaired += repaired
        except BadTag as error:
            reading.texts_left_out += 1
            reading.reject(path, line + error.index, error.reason, error.value)
            continue
        mentions: dict[Mention, None] = {}
        for label, first, after in spans:
            try:
                start, end = ranges[first][0], ranges[after - 1][1]
                mention = Mention(classes.entity(label), text[start:end], start, end)
                if not mention.text or mention.text.isspace():
                    raise Unusable("mention is blank", label)
                if mention in mentions:
                    raise Unusable("entity said twice", mention.text)
                mentions[mention] = None
            except Unusable as error:
                reading.reject(path, line + first, error.reason, error.value)
        reading.kept += len(mentions)
        yield text, tuple(mentions)


def _blocks(path: str | Path, keys: ColumnKeys) -> Iterator[tuple[int, str]]:
    """Yield (number of the first line, lines) for every run of lines that hold tokens."""
    line, rest = 1, ""
    try:
        with open(path, encoding="utf-8-sig") as file:
            while chunk := file.read(_CHUNK):
                *blocks, rest = (rest + chunk).split("\n\n")
                for block in blocks:
                    yield from _token_lines(block, line, keys)
                    line += block.count("\n") + 2
            yield from _token_lines(rest, line, keys)
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}, after line {line}: {error}; a column file is text in UTF-8") from error


def _token_lines(block: str, line: int, keys: ColumnKeys) -> Iterator[tuple[int, str]]:
    """The lines of a block that hold tokens: blocks of their own where a mark parts them; comments go."""
    odd = (keys.mark and keys.mark in block) or (keys.comment and keys.comment in block)
    maybe_blank = not block or block[0].isspace() or block[-1] == "\n" or "\n " in block or "\n\t" in block
    if not odd and not (maybe_blank and _BLANK_LINE.search(block)):
        yield line, block
        return
    held: list[str] = []
    first = line
    for number, row in enumerate(block.split("\n"), line):
        if keys.comment and row.startswith(keys.comment):
            continue
        if not row.strip() or (keys.mark and row.startswith(keys.mark)):
            if held:
                yield first, "\n".join(held)
            held = []
        else:
            first = first if held else number
            held.append(row)
    if held:
        yield first, "\n".join(held)


Tagged = tuple[str, dict[int, tuple[int, int]], list[list[tuple[int, str]]]]
"""The text, the characters of each tagged token, and for each column of tags the tokens that it tags."""

_HERE = "\0"  # stands between tokens until the text is made, which it does not change in length


def _short_way(block: str, keys: ColumnKeys) -> Tagged | None:
    """The usual layout, token and tag: lines tagged O become text at once. None for any other layout or an odd line."""
    if len(keys.join) != 1 or not keys.separator or keys.token_suffix or keys.token or _HERE in block:
        return None
    if keys.tags not in ([1], [-1]):
        return None
    *ending, rest = f"{block}\n".replace(f"{keys.separator}O\n", _HERE).split("\n")
    if keys.separator in rest:
        return None
    ranges: dict[int, tuple[int, int]] = {}
    tagged: list[tuple[int, str]] = []
    words: list[str] = []
    index = position = 0
    for line in ending:
        before, separator, tag = line.partition(keys.separator)
        if not separator or keys.separator in tag:
            return None
        index += before.count(_HERE)
        end = position + len(before)
        ranges[index] = (position + before.rfind(_HERE) + 1, end)
        tagged.append((index, tag))
        words.append(before)
        index += 1
        position = end + 1
    words.append(rest)
    text = _HERE.join(words)[:-1].replace(_HERE, keys.join)
    return text, ranges, [tagged]


def _long_way(block: str, keys: ColumnKeys) -> Tagged:
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
