"""JSON Lines, typed by msgspec: one object a line, errors that name file and line."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from knowcoder.errors import DataError

T = TypeVar("T")
_encoder = msgspec.json.Encoder()


def read(path: str | Path, kind: type[T]) -> Iterator[T]:
    """Yield the objects of a JSON Lines file, checked against a type.

    Raises:
        DataError: a line is not JSON or does not have the fields of ``kind``; names file and line.
    """
    decoder = msgspec.json.Decoder(kind)
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            if line.isspace():
                continue
            try:
                yield decoder.decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError) as error:
                begins = line[:80].decode(errors="replace").rstrip("\n")
                raise DataError(f"{path}:{number}: {error}; the line begins {begins!r}") from error


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
