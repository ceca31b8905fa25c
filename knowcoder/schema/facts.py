"""What entities are instances of and how they are called: ``facts.jsonl``, beside the types of a knowledge graph."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec

from knowcoder import jsonl
from knowcoder.errors import DataError

#: What a page that only tells things of one name apart is an instance of.
DISAMBIGUATION = "Q4167410"


class Fact(msgspec.Struct, omit_defaults=True):
    """An entity and the classes that it is an instance of: a line of ``facts.jsonl``.

    ``names`` holds its label and aliases, the label first.
    """

    id: str
    types: list[str]
    names: list[str] = []


def read_facts(path: str | Path) -> Iterator[Fact]:
    """Yield the facts in a file, or those of a schema library.

    Raises:
        DataError: the file is missing or a line is no fact; names file and line.
    """
    file = Path(path) / "facts.jsonl" if Path(path).is_dir() else Path(path)
    if not file.is_file():
        raise DataError(f"{file}: no facts here; give a file whose lines are like {jsonl.dumps(Fact('Q42', ['Q5']))}")
    yield from jsonl.read(file, Fact)
