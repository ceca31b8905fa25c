"""What holds records: JSON, JSON lines, rows of cells, blocks of lines, XML. A record comes with its line or number."""

from __future__ import annotations

import csv
from codecs import BOM_UTF8
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias
from xml.etree import ElementTree

import msgspec

from knowcoder.config.corpus import RecordKeys
from knowcoder.corpus.paths import ITSELF, items_at
from knowcoder.corpus.reading import Unusable
from knowcoder.errors import DataError

Numbered: TypeAlias = tuple[int, Any]
"""The record's line in the file, or its number where lines say nothing, and the record."""


def read_records(path: str | Path, keys: RecordKeys) -> Iterator[Numbered]:
    """Yield the records of a file's share.

    Raises:
        DataError: the file is not what its container says.
    """
    records = _CONTAINERS[keys.container or _container(Path(path))](path, keys)
    yield from records if list(keys.share) == [0.0, 1.0] else _shared(list(records), keys)


def _container(path: Path) -> str:
    suffix = path.suffix.lower()
    return {".tsv": "rows", ".csv": "rows", ".xml": "xml"}.get(suffix, "json")


def _json(path: str | Path, keys: RecordKeys) -> Iterator[Numbered]:
    """A JSON list of records, one object that holds them, or an object a line."""
    try:
        with open(path, "rb") as file:
            lines = (line for line in file if not line.isspace())
            first, second = next(lines, b"").removeprefix(BOM_UTF8), next(lines, b"")
        if keys.at or not second or not _is_json(first):
            whole = msgspec.json.decode(Path(path).read_bytes().removeprefix(BOM_UTF8) or b"[]")
            yield from enumerate((found.value for found in items_at(whole, keys.at or ITSELF)), 1)
        else:
            yield from _json_lines(path)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: {error}; give a file of JSON or JSON lines in UTF-8") from error


def _is_json(line: bytes) -> bool:
    try:
        msgspec.json.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return True


def _json_lines(path: str | Path) -> Iterator[Numbered]:
    """The object of each line; an ``Unusable`` stands for a line that is none."""
    decoder = msgspec.json.Decoder()
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            if line.isspace():
                continue
            try:
                yield number, decoder.decode(line.removeprefix(BOM_UTF8) if number == 1 else line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                yield number, Unusable(f"not JSON: {error}", line[:80].decode(errors="replace"))


def _rows(path: str | Path, keys: RecordKeys) -> Iterator[Numbered]:
    """Rows of cells. Commas are read as CSV, with its quotation marks; else a quotation mark is a character."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            separator = "," if Path(path).suffix.lower() == ".csv" and keys.separator == "\t" else keys.separator
            if separator == ",":
                reader = csv.reader(file)
                rows = ((reader.line_num, cells) for cells in reader)
            else:
                rows = ((number, line.rstrip("\r\n").split(separator)) for number, line in enumerate(file, 1))
            names: list[str] | None = None
            for number, cells in rows:
                if cells in ([], [""]):
                    continue
                if keys.header and names is None:
                    names = cells
                elif names is None:
                    yield number, cells
                else:
                    yield number, dict(zip(names, cells, strict=False))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: {error}; a file of rows is text in UTF-8") from error


def _blocks(path: str | Path, keys: RecordKeys) -> Iterator[Numbered]:
    """Runs of lines between blank lines; each line is a list of cells."""
    block: list[list[str]] = []
    number = 0
    try:
        with open(path, encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    block.append(line.rstrip("\n").split(keys.separator))
                elif block:
                    yield number - len(block), block
                    block = []
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}:{number + 1}: {error}; a file of blocks is text in UTF-8") from error
    if block:
        yield number + 1 - len(block), block


def _xml(path: str | Path, keys: RecordKeys) -> Iterator[Numbered]:
    """Elements of the name ``keys.at`` as objects: attributes and children are fields, the text is ``text``."""
    try:
        # ElementTree loads nothing from elsewhere, and the parser under it stops entities that grow without end.
        for number, element in enumerate(ElementTree.parse(path).iter(keys.at or None), 1):  # noqa: S314
            yield number, _element(element)
    except (OSError, ElementTree.ParseError) as error:
        raise DataError(f"{path}: {error}; give a file of XML") from error


def _element(element: ElementTree.Element) -> Any:
    text = (element.text or "").strip()
    if not element.attrib and not len(element):
        return text
    fields: dict[str, Any] = {**element.attrib, **({"text": text} if text else {})}
    for child in element:
        fields.setdefault(child.tag, []).append(_element(child))
    return fields


_CONTAINERS = {"json": _json, "rows": _rows, "blocks": _blocks, "xml": _xml}


def _shared(records: list[Numbered], keys: RecordKeys) -> list[Numbered]:
    """The records from one share to another in the order of their ids."""

    def name(record: Any) -> str:
        return str(record.get(keys.id) if isinstance(record, dict) else None)

    records.sort(key=lambda numbered: name(numbered[1]))
    names = [name(record) for _, record in records]
    documents = [name.rsplit(keys.document, 1)[0] for name in names] if keys.document else names
    first, last = (_behind_document(documents, int(part * len(records))) for part in keys.share)
    return records[first:last]


def _behind_document(documents: Sequence[str], cut: int) -> int:
    """The first place from ``cut`` on at which a document begins, or the end."""
    while 0 < cut < len(documents) and documents[cut] == documents[cut - 1]:
        cut += 1
    return cut
