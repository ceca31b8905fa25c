"""A JSON file in pieces that know their lines, so that what is wrong can be found."""

from __future__ import annotations

import codecs
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from knowcoder.errors import DataError


class Piece(NamedTuple):
    """A value of a JSON file as it is written, and the line where it begins."""

    raw: bytes
    line: int = 1


class JsonFile:
    """Takes a JSON file apart; every error names file, line and value.

    Raises:
        DataError: the file cannot be read.
    """

    def __init__(self, file: Path) -> None:
        self.file = file
        try:
            raw = file.read_bytes().removeprefix(codecs.BOM_UTF8)
            raw.decode()
        except OSError as error:
            raise DataError(f"{file}: {error.strerror or error}; give a JSON file or a folder of them") from error
        except UnicodeDecodeError as error:
            line = 1 + raw.count(b"\n", 0, error.start)
            raise DataError(f"{file}:{line}: not UTF-8 ({error.reason}); save the file as UTF-8") from error
        self.whole = Piece(raw)

    def parse(self, piece: Piece, kind: Any) -> Any:
        """A piece as an object of a type.

        Raises:
            DataError: it is not JSON, or not of this type.
        """
        try:
            return msgspec.json.decode(piece.raw, type=kind)
        except msgspec.DecodeError as error:
            byte = re.search(r"\(byte (\d+)\)", str(error))
            line = piece.line + piece.raw.count(b"\n", 0, int(byte[1]) if byte else 0)
            raise DataError(f"{self.file}:{line}: {error}; it begins {beginning(piece)}") from error

    def members(self, piece: Piece) -> dict[str, Piece]:
        """The values of an object, by their keys.

        Raises:
            DataError: it is no object, or a key is there twice.
        """
        members: dict[str, msgspec.Raw] = self.parse(piece, dict[str, msgspec.Raw])
        if repeated := _repeated(_pairs(piece.raw)[-1]):
            line = piece.line + piece.raw.count(b"\n", 0, max(0, piece.raw.rfind(repeated.encode())))
            raise DataError(f"{self.file}:{line}: the key {repeated!r} is there twice; rename or remove one")
        return dict(zip(members, _located(members.values(), piece), strict=True))

    def items(self, piece: Piece) -> Iterator[Piece]:
        """The values of a list.

        Raises:
            DataError: it is no list, or a key is twice in one of its objects.
        """
        for item in _located(self.parse(piece, list[msgspec.Raw]), piece):
            for pairs in _pairs(item.raw):
                if repeated := _repeated(pairs):
                    raise DataError(f"{self.file}:{item.line}: the key {repeated!r} is there twice; remove one")
            yield item


def beginning(piece: Piece) -> str:
    """The first words of a piece, for messages."""
    return repr(piece.raw[:80].decode(errors="replace").split("\n")[0])


def _located(values: Iterable[msgspec.Raw], within: Piece) -> Iterator[Piece]:
    position, line = 0, within.line
    for value in map(bytes, values):
        start = within.raw.index(value, position)
        line += within.raw.count(b"\n", position, start)
        yield Piece(value, line)
        line += value.count(b"\n")
        position = start + len(value)


def _pairs(raw: bytes) -> list[list[tuple[str, Any]]]:
    """Keys and values of every object in a piece of JSON, the outermost last; a mapping would hide repeated keys."""
    found: list[list[tuple[str, Any]]] = []
    json.loads(raw, object_pairs_hook=found.append)
    return found


def _repeated(pairs: Iterable[tuple[str, Any]]) -> str:
    """The first key that is there twice, or empty."""
    return next((key for key, count in Counter(key for key, _ in pairs).items() if count > 1), "")
