"""What a build of samples consists of: units that are each made alone, in a fixed order.

A unit is a run of lines of one file, or the definitions of the library, in one round. What it gives depends on
nothing but itself, so workers may take units as they come, and a build that was cut off lacks whole units.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeVar

from knowcoder import jsonl
from knowcoder.config import SamplesConfig
from knowcoder.corpus.reading import split_names
from knowcoder.errors import ArtefactError, ConfigError
from knowcoder.samples.draw import Draw

T = TypeVar("T")
_BLOCK = 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Unit:
    """A part of a build.

    Attributes:
        kind: definitions of the library, annotated sentences, or rows that are samples already.
        round: how often its text was taken before; negatives and orders differ from round to round.
        input: index of the corpus, or of the file of rows.
        part: the lines.
        wanted: of all ``total`` lines of the file, those that are taken in this round.
    """

    kind: Literal["definitions", "sentences", "rows"]
    round: int = 0
    input: int = 0
    part: jsonl.Part = jsonl.WHOLE
    wanted: int = 0
    total: int = 0


def plan(settings: SamplesConfig) -> list[Unit]:
    """The units of a build, in the order of its samples.

    Raises:
        ConfigError: as many weights or caps as corpora are needed, or the phase lacks an input.
        ArtefactError: a corpus has no such split.
    """
    if settings.phase == "published":
        if not settings.rows:
            raise ConfigError("phase=published takes rows as they are; give rows=[FILE,...]")
        return [unit for number, path in enumerate(settings.rows) for unit in _units("rows", number, path, settings)]
    if not settings.schema:
        raise ConfigError(f"phase={settings.phase} defines classes; give schema=")
    understanding = settings.phase == "understanding"
    if not settings.corpus and not understanding:
        raise ConfigError(f"phase={settings.phase} learns from annotated sentences; give corpus=")
    units = [Unit(kind="definitions", round=number) for number in range(settings.passes)] if understanding else []
    weights = _each(settings.weights, 1.0, "weights", settings)
    caps = _each(settings.caps, 0, "caps", settings)
    found = [
        _units("sentences", number, split_file(path, settings.split), settings)
        for number, path in enumerate(settings.corpus)
    ]
    for number in range(1 if understanding else settings.passes):
        for of_corpus, weight, cap in zip(found, weights, caps, strict=True):
            units += _rounds(of_corpus, number, weight, cap)
    return units


def split_file(corpus: str, split: str) -> Path:
    """The file of a corpus's split.

    Raises:
        ArtefactError: the corpus has no such split.
    """
    path = Path(corpus) / f"{split}.jsonl"
    if not path.exists():
        have = ", ".join(split_names(corpus)) or "none"
        raise ArtefactError(f"{corpus}: no split {split!r} in this corpus; it has: {have}")
    return path


def drawn(items: Iterable[T], unit: Unit, key: str) -> Iterator[T]:
    """The items of a unit that are taken in its round: exactly ``wanted`` of ``total``, spread over the whole file."""
    if unit.wanted == unit.total:
        yield from items
        return
    block, taken = -1, frozenset[int]()
    for number, item in enumerate(items, unit.part.line - 1):
        if number // _BLOCK != block:
            block = number // _BLOCK
            taken = _taken(block, unit, key)
        if number in taken:
            yield item


def _taken(block: int, unit: Unit, key: str) -> frozenset[int]:
    """The numbers of a block's lines that are taken; each block gives its share, so that none needs to know another."""
    first, last = block * _BLOCK, min((block + 1) * _BLOCK, unit.total)
    share = last * unit.wanted // unit.total - first * unit.wanted // unit.total
    return frozenset(Draw(f"{key}/{unit.round}/{block}").sample(range(first, last), share))


def _rounds(units: Sequence[Unit], number: int, weight: float, cap: int) -> Iterator[Unit]:
    """A corpus in one pass: whole copies, and for the rest of its weight a part of it."""
    total = units[0].total if units else 0
    left = round(weight * total)
    if cap:
        left = min(left, cap)
    copies = -(-round(weight * total) // total) if total else 0
    for copy in range(copies):
        wanted = min(left, total)
        left -= wanted
        for unit in units if wanted else ():
            yield replace(unit, round=number * copies + copy, wanted=wanted)


def _units(kind: Literal["sentences", "rows"], number: int, path: str | Path, settings: SamplesConfig) -> list[Unit]:
    parts = jsonl.parts(path, settings.shard)
    total = sum(part.lines or 0 for part in parts)
    return [Unit(kind=kind, input=number, part=part, wanted=total, total=total) for part in parts]


def _each(values: Sequence[T], default: T, name: str, settings: SamplesConfig) -> Sequence[T]:
    if values and len(values) != len(settings.corpus):
        raise ConfigError(f"{name}={list(values)}: {len(settings.corpus)} corpora are given; give one for each")
    return values or [default] * len(settings.corpus)
