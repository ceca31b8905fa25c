"""Column files (CoNLL and its kin): one token a line, columns with its tags, a blank line between sentences.

Such files are large, so the usual layouts are read as arrays (``column_arrays.py``), and any other line by line.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from pathlib import Path

from knowcoder.config.corpus import ColumnKeys
from knowcoder.corpus.column_arrays import ColumnArrays, is_usual
from knowcoder.corpus.labels import Classes
from knowcoder.corpus.reading import Reading, Unusable
from knowcoder.corpus.sentence import Mention
from knowcoder.corpus.tags import BadTag, Span, decode_tagged
from knowcoder.errors import DataError

_CHUNK = 1 << 17  # characters read at once


def read_columns(
    path: str | Path, keys: ColumnKeys, classes: Classes, reading: Reading
) -> Iterator[tuple[str, tuple[Mention, ...]]]:
    """Yield the text and the entities of every sentence of a column file.

    A sentence with a malformed line is rejected whole, since its text would have a hole; a tag that its scheme does
    not allow where it stands is repaired.

    Raises:
        DataError: the file cannot be read as UTF-8.
    """
    arrays = ColumnArrays(keys, classes) if is_usual(keys) else None
    for line, piece in _pieces(path):
        blocks = list(_token_lines(piece, line, keys)) if _is_odd(piece, keys) else None
        found = arrays.read(piece if blocks is None else "\n\n".join(block for _, block in blocks)) if arrays else None
        if found:
            sentences, repaired = found
            reading.texts += len(sentences)
            reading.kept += sum(len(mentions) for _, mentions in sentences)
            reading.repaired += repaired
            yield from sentences
            continue
        for numbers, block in _token_lines(piece, line, keys) if blocks is None else blocks:
            reading.texts += 1
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


def _pieces(path: str | Path) -> Iterator[tuple[int, str]]:
    """Yield (number of the first line, whole sentences) for a file in pieces."""
    line, rest = 1, ""
    try:
        with open(path, encoding="utf-8-sig") as file:
            while chunk := file.read(_CHUNK):
                piece, end, rest = (rest + chunk).rpartition("\n\n")
                if end:
                    yield line, piece
                    line += piece.count("\n") + 2
        yield line, rest
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}, after line {line}: {error}; a column file is text in UTF-8") from error


def _is_odd(text: str, keys: ColumnKeys) -> bool:
    """Whether there may be a mark or a comment in it."""
    return any(part and part in text for part in (keys.mark, keys.comment))


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
