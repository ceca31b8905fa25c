"""Column files (CoNLL and its kin): one token a line, one column with its tag, a blank line between sentences."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from knowcoder.corpus.reading import Reading, Unusable
from knowcoder.corpus.sentence import Mention, Sentence
from knowcoder.errors import DataError

Scheme = Literal["BIO", "IO", "IOB1", "BILOU", "BMES"]
Span = tuple[str, int, int]
"""Type, first token, token after the last."""

_PREFIXES: dict[Scheme, dict[str, str]] = {
    "BIO": {"B": "B", "I": "I"},
    "IO": {"I": "I"},
    "IOB1": {"B": "B", "I": "I"},
    "BILOU": {"B": "B", "I": "I", "L": "L", "U": "U"},
    "BMES": {"B": "B", "M": "I", "E": "L", "S": "U"},
}
_FREE_START = ("IO", "IOB1")  # schemes in which an entity may start with I
_CLOSED = ("BILOU", "BMES")  # schemes in which an entity of several tokens must end with its own prefix


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnKeys:
    """How a column file is laid out.

    Attributes:
        separator: what stands between columns; empty for any white space. Tab keeps blank tokens.
        token: column of the token, from 0; negative counts from the right.
        tag: column of the tag, likewise.
        scheme: how tags spell spans. ``IO`` also takes tags without a prefix.
        join: what stood between tokens in the text; empty for files of characters.
    """

    separator: str = "\t"
    token: int = 0
    tag: int = -1
    scheme: Scheme = "BIO"
    join: str = " "


def read_columns(
    path: str | Path,
    keys: ColumnKeys,
    classes: Mapping[str, str],
    *,
    source: str,
    split: str,
    language: str,
    reading: Reading,
) -> Iterator[Sentence]:
    """Yield the sentences of a column file.

    ``-DOCSTART-`` lines end a sentence and are no token. A sentence with a malformed line is rejected whole,
    since its text would have a hole; a tag that its scheme does not allow where it stands is repaired.

    Args:
        classes: label in the file -> class name; a sentence with any other label is rejected.

    Raises:
        DataError: the file cannot be read as UTF-8.
    """
    for number, (line, rows) in enumerate(_blocks(path), 1):
        try:
            tokens, tags = _columns(rows, keys)
            spans, repaired = decode_tags(tags, keys.scheme)
            text, mentions = _place(tokens, spans, classes, keys.join)
        except _Malformed as error:
            reading.reject(path, line + error.row, error.reason, error.value)
            continue
        reading.kept += 1
        reading.repaired += repaired
        yield Sentence(
            id=f"{source}-{split}-{number}",
            text=text,
            source=source,
            tasks=("NER",),
            entities=mentions,
            language=language,
        )


class _Malformed(Unusable):
    """Why a sentence is rejected; ``row`` counts from the sentence's first line."""

    def __init__(self, row: int, reason: str, value: str) -> None:
        super().__init__(reason, value)
        self.row = row


def read_labels(path: str | Path, keys: ColumnKeys) -> list[str]:
    """The labels that a column file uses, sorted: the classes of a data set that nothing else describes.

    Raises:
        DataError: the file cannot be read as UTF-8.
    """
    found: set[str] = set()
    for _, rows in _blocks(path):
        try:
            spans, _ = decode_tags(_columns(rows, keys)[1], keys.scheme)
        except _Malformed:
            continue  # rejected and counted when the sentences are read
        found |= {kind for kind, _, _ in spans}
    return sorted(found)


def _blocks(path: str | Path) -> Iterator[tuple[int, list[str]]]:
    """Yield (number of the first line, lines) for every run of lines that hold tokens."""
    block: list[str] = []
    number = 0
    try:
        with open(path, encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                if line.isspace() or line.startswith("-DOCSTART-"):
                    if block:
                        yield number - len(block), block
                        block = []
                else:
                    block.append(line.rstrip("\n"))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}:{number + 1}: {error}; a column file is text in UTF-8") from error
    if block:
        yield number + 1 - len(block), block


def _columns(rows: Sequence[str], keys: ColumnKeys) -> tuple[list[str], list[str]]:
    separator = keys.separator or None
    tokens, tags = [], []
    for number, row in enumerate(rows):
        cells = row.split(separator)
        try:
            tokens.append(cells[keys.token])
            tags.append(cells[keys.tag].strip())
        except IndexError:
            raise _Malformed(number, "column missing", row) from None
        if len(cells) < 2:
            raise _Malformed(number, "column missing", row)
    return tokens, tags


def decode_tags(tags: Sequence[str], scheme: Scheme) -> tuple[list[Span], int]:
    """Read the spans that a sequence of tags spells.

    A tag that may not stand where it stands is read as what it most likely meant: a continuation without
    a beginning begins an entity; a new beginning, an O or the end of the sentence ends one that lacked its end.

    Returns:
        The spans in order, and the number of tags repaired.
    """
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


def _parse(tag: str, scheme: Scheme, index: int) -> tuple[str, str]:
    prefix, dash, label = tag.partition("-")
    known = _PREFIXES[scheme]
    if dash and label and prefix in known:
        return known[prefix], label
    if scheme == "IO" and tag:
        return "I", tag
    raise _Malformed(index, f"tag is not {scheme}", tag)


def _place(
    tokens: Sequence[str], spans: Sequence[Span], classes: Mapping[str, str], join: str
) -> tuple[str, tuple[Mention, ...]]:
    """Join the tokens and turn token spans into mentions with character offsets."""
    text = join.join(tokens)
    starts: list[int] = []
    position = 0
    for token in tokens:
        starts.append(position)
        position += len(token) + len(join)
    mentions = []
    for kind, first, after in spans:
        start, end = starts[first], starts[after - 1] + len(tokens[after - 1])
        if not text[start:end].strip():
            raise _Malformed(first, "mention is blank", kind)
        if kind not in classes:
            raise _Malformed(first, "label without a class", kind)
        mentions.append(Mention(classes[kind], text[start:end], start, end))
    return text, tuple(mentions)
