"""What a scanner makes of a text: plain values, and the problems that it met."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, TypeAlias

ProblemKind = Literal[
    "no answer",
    "cut",
    "unknown class",
    "unknown role",
    "unknown name",
    "not a literal",
    "argument",
    "punctuation",
    "limit",
    "talk",
]


@dataclass(frozen=True, slots=True)
class Problem:
    """What a parser could not take as it stood.

    Attributes:
        kind: ``no answer`` (neither a list nor an object), ``cut`` (the text ends inside the answer), a class, role
            or variable that is not known, ``not a literal`` (an expression, which is never run), ``argument``
            (missing, surplus or of the wrong kind), ``punctuation`` (mended), ``limit`` (length, depth or number),
            ``talk`` (text after the answer).
        detail: the name or the piece of text in question.
    """

    kind: ProblemKind
    detail: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}"


@dataclass(slots=True)
class Call:
    """``Name(...)``; of two equal keywords the values are joined if they are lists or objects, else the first stays."""

    name: str
    arguments: list[Value] = field(default_factory=list)
    keywords: dict[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refused:
    """Something that is no string, call or list."""

    what: str


@dataclass(frozen=True, slots=True)
class Name:
    """A variable."""

    name: str


@dataclass(frozen=True, slots=True)
class Pair:
    """``key: value``; a key of a list or of a dict gives one pair for each of its elements."""

    key: str
    value: Value


@dataclass(frozen=True, slots=True)
class Table:
    """``{...}`` with pairs in it; a set is a list."""

    items: tuple[Value, ...]


Value: TypeAlias = "str | Call | Name | Refused | Pair | Table | list[Value]"
