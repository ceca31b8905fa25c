"""Column files (CoNLL and its kin): one token a line, columns with its tags, a blank line between sentences."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from knowcoder.config.corpus import ColumnKeys
from knowcoder.corpus.labels import Classes
from knowcoder.corpus.passage import Passage
from knowcoder.corpus.reading import Reading, Unusable
from knowcoder.corpus.sentence import Mention
from knowcoder.corpus.tags import BadTag, Span, decode_tags
from knowcoder.errors import DataError


def read_columns(path: str | Path, keys: ColumnKeys, classes: Classes, reading: Reading) -> Iterator[Passage]:
    """Yield the sentences of a column file.

    A sentence with a malformed line is rejected whole, since its text would have a hole; a tag that its scheme does
    not allow where it stands is repaired.

    Raises:
        DataError: the file cannot be read as UTF-8.
    """
    for line, rows in _blocks(path, keys):
        reading.texts += 1
        try:
            tokens, tag_columns = _columns(rows, keys)
            spans: list[Span] = []
            for tags in tag_columns:
                found, repaired = decode_tags(tags, keys.scheme)
                spans += found
                reading.repaired += repaired
        except BadTag as error:
            reading.texts_left_out += 1
            reading.reject(path, line + error.index, error.reason, error.value)
            continue
        passage = Passage(keys.join.join(tokens), tasks={"NER"})
        starts = _starts(tokens, len(keys.join))
        for kind, first, after in dict.fromkeys(spans):
            try:
                start, end = starts[first], starts[after - 1] + len(tokens[after - 1])
                if not passage.text[start:end].strip():
                    raise Unusable("mention is blank", kind)
                mention = Mention(classes.entity(kind), passage.text[start:end], start, end)
                if mention in passage.entities:
                    raise Unusable("entity said twice", mention.text)
            except Unusable as error:
                reading.reject(path, line + first, error.reason, error.value)
                continue
            passage.entities[mention] = None
            reading.kept += 1
        yield passage


def _blocks(path: str | Path, keys: ColumnKeys) -> Iterator[tuple[int, list[str]]]:
    """Yield (number of the first line, lines) for every run of lines that hold tokens."""
    block: list[str] = []
    first = number = 0
    try:
        with open(path, encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                if keys.comment and line.startswith(keys.comment):
                    continue
                if line.isspace() or (keys.mark and line.startswith(keys.mark)):
                    if block:
                        yield first, block
                        block = []
                else:
                    first = first if block else number
                    block.append(line.rstrip("\n"))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}:{number + 1}: {error}; a column file is text in UTF-8") from error
    if block:
        yield first, block


def _columns(rows: Sequence[str], keys: ColumnKeys) -> tuple[list[str], list[list[str]]]:
    """The tokens, and the tags of each column."""
    separator = keys.separator or None
    tokens: list[str] = []
    tags: list[list[str]] = [[] for _ in keys.tags]
    for number, row in enumerate(rows):
        cells = row.split(separator)
        try:
            tokens.append(cells[keys.token])
            for own, column in zip(tags, keys.tags, strict=True):
                own.append(cells[column].strip())
        except IndexError:
            raise BadTag(number, "column missing", row) from None
        if len(cells) < 2:
            raise BadTag(number, "column missing", row)
    if keys.token_suffix:
        tokens = [token[: -keys.token_suffix] for token in tokens]
    return tokens, tags


def _starts(tokens: Sequence[str], between: int) -> list[int]:
    starts: list[int] = []
    position = 0
    for token in tokens:
        starts.append(position)
        position += len(token) + between
    return starts
