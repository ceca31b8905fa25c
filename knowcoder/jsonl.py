"""JSON Lines, typed by msgspec: one object a line, errors that name file and line."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from knowcoder.errors import DataError

T = TypeVar("T")
_encoder = msgspec.json.Encoder()


@dataclass(frozen=True, slots=True)
class Part:
    """A run of lines of a file: the byte where it begins, the number of its first line (from 1), and its lines."""

    offset: int = 0
    line: int = 1
    lines: int | None = None


WHOLE = Part()


def read(path: str | Path, kind: type[T], part: Part = WHOLE) -> Iterator[T]:
    """Yield the objects of a JSON Lines file, or of a part of it, checked against a type.

    Raises:
        DataError: a line is not JSON or does not have the fields of ``kind``; names file and line.
    """
    decoder = msgspec.json.Decoder(kind)
    with open(path, "rb") as file:
        file.seek(part.offset)
        for number, line in enumerate(islice(file, part.lines), part.line):
            if line.isspace():
                continue
            try:
                yield decoder.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                begins = line[:80].decode(errors="replace").rstrip("\n")
                raise DataError(f"{path}:{number}: {error}; the line begins {begins!r}") from error


def parts(path: str | Path, lines: int) -> list[Part]:
    """A file in parts of so many lines, the last one shorter; none where it is empty."""
    found: list[Part] = []
    offset = start = count = 0
    with open(path, "rb") as file:
        for line in file:
            offset += len(line)
            count += 1
            if count == lines:
                found.append(Part(start, len(found) * lines + 1, count))
                start, count = offset, 0
    if count:
        found.append(Part(start, len(found) * lines + 1, count))
    return found


def write(path: str | Path, objects: Iterable[Any]) -> int:
    """Write objects as JSON Lines through a temporary file, so that a half-written file never looks whole.

    Returns:
        The number of lines.
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(target.name + ".partial")
    count = 0
    with open(partial, "wb") as file:
        for item in objects:
            file.write(_encoder.encode(item) + b"\n")
            count += 1
    os.replace(partial, target)
    return count


def dumps(value: Any) -> str:
    """One value as a line of JSON, without the line break."""
    return _encoder.encode(value).decode()


def write_json(path: str | Path, value: Any) -> None:
    """Write one indented JSON document atomically."""
    target = Path(path)
    partial = target.with_name(target.name + ".partial")
    partial.write_bytes(msgspec.json.format(_encoder.encode(value), indent=2) + b"\n")
    os.replace(partial, target)


def read_json(path: str | Path, kind: type[T] | Any = Any) -> Any:
    """Read one JSON document, checked against a type.

    Raises:
        DataError: the file is missing, not JSON, or does not have the fields of ``kind``.
    """
    try:
        return msgspec.json.decode(Path(path).read_bytes(), type=kind)
    except (OSError, msgspec.DecodeError) as error:
        raise DataError(f"{path}: {error}") from error
