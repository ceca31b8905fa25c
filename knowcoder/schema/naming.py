"""From labels in any language to names that Python takes: PascalCase classes and snake_case roles."""

from __future__ import annotations

import builtins
import keyword
import re
import unicodedata
from collections.abc import Container

# Names that a rendered prompt uses itself, besides what Python reserves.
_RESERVED = (
    frozenset(keyword.kwlist)
    | frozenset(dir(builtins))
    | {"Entity", "Relation", "Event", "List", "sentence", "results", "events"}
    | {"self", "trigger", "trigger_start", "trigger_end", "head", "tail", "name"}
)
_APOSTROPHES = re.compile("['\u2019]")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")


def class_name(label: str, taken: Container[str] = ()) -> str:
    """PascalCase name of a label, not among ``taken``.

    ``"human settlement"`` -> ``HumanSettlement``, ``"event"`` -> ``Event_``; a second "city" -> ``City2``.
    """
    return _free("".join(word[:1].upper() + word[1:].lower() for word in _words(label)) or "Unnamed", taken)


def role_name(label: str, taken: Container[str] = ()) -> str:
    """snake_case name of a role, not among ``taken``: ``"start date"`` -> ``start_date``, ``"from"`` -> ``from_``."""
    return _free("_".join(word.lower() for word in _words(label)) or "unnamed", taken)


def _free(stem: str, taken: Container[str]) -> str:
    """The stem as a usable name; where it is taken, with the first number that is free."""
    name = _usable(stem)
    number = 2
    while name in taken:
        name = _usable(f"{stem}{number}")
        number += 1
    return name


def _words(label: str) -> list[str]:
    """Words of a label, in the form in which Python compares identifiers (NFKC)."""
    plain = _APOSTROPHES.sub("", unicodedata.normalize("NFKC", label))
    spaced = "".join(char if char != "_" and ("a" + char).isidentifier() else " " for char in plain)
    return _CAMEL.sub(" ", spaced).split()


def _usable(name: str) -> str:
    # Changing the case can undo the normal form ("\u0130".lower()), so it is made again.
    name = unicodedata.normalize("NFKC", name)
    if not name.isidentifier():
        name = "_" + name
    return name + "_" if name in _RESERVED else name


def published_name(name: str) -> str:
    """The name without the underscore that keeps it from being a keyword: ``from_`` -> ``from``."""
    return name[:-1] if name.endswith("_") and keyword.iskeyword(name[:-1]) else name


def python_name(name: str) -> str:
    """The way back of ``published_name``: ``from`` -> ``from_``."""
    return name + "_" if keyword.iskeyword(name) else name
