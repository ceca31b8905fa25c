"""From labels in any language to names that Python takes: PascalCase classes and snake_case roles.

A name depends on the label alone, unless another type has the name already: then the type's id is appended. So what
is added behind the types that are there changes no name; what is added before them changes at most the one plain
name that it takes itself.
"""

from __future__ import annotations

import hashlib
import keyword
import re
import unicodedata
from collections.abc import Container

# Names that rendered code uses itself, besides the keywords; a role is a field of an event.
_RESERVED = frozenset(keyword.kwlist) | {"Entity", "Relation", "Event", "List", "sentence", "results", "events"}
_RESERVED_ROLES = frozenset(keyword.kwlist) | {
    *("trigger", "trigger_start", "trigger_end", "roles", "self", "cls", "list", "str", "classmethod")
}
_APOSTROPHES = re.compile("['\u2019]")
_CAMEL = re.compile(r"(?<=[a-z])(?=[A-Z])")
_SHORT_ID = re.compile(r"(?!_)\w{1,24}(?<!_)", re.ASCII)


def class_name(label: str, id: str = "", taken: Container[str] = ()) -> str:
    """PascalCase name of a label, or of the id where the label has no letters; not among ``taken``.

    ``"human settlement"`` -> ``HumanSettlement``, ``"event"`` -> ``Event_``; a second "city" -> ``City_Q515``.
    """
    stem = _pascal(label) or _pascal(id) or "Unnamed"
    name = _usable(stem, _RESERVED)
    return _free(f"{stem}_{_suffix(id or label)}", taken, _RESERVED) if name in taken else name


def role_name(label: str, taken: Container[str] = ()) -> str:
    """snake_case name of a role, not among ``taken`` and never a class name.

    ``"start date"`` -> ``start_date``, ``"from"`` -> ``from_``. A script without capitals has no other way to tell a
    role from a class, so it gets an underscore too: a field that is called like its type hides the type.
    """
    stem = "_".join(word.lower() for word in _words(label)) or "unnamed"
    return _free(stem if stem[0].upper() != stem[0] else stem + "_", taken, _RESERVED_ROLES)


def _pascal(label: str) -> str:
    return "".join(word[:1].upper() + word[1:].lower() for word in _words(label))


def _suffix(id: str) -> str:
    """An id as a part of a name: itself, or a digest of one that is long or has other characters."""
    if _SHORT_ID.fullmatch(id):
        return id
    return hashlib.sha256(id.encode("utf-8", "surrogatepass")).hexdigest()[:12]


def _free(stem: str, taken: Container[str], reserved: Container[str]) -> str:
    """The stem as a usable name; where it is taken, with the first number that is free."""
    name = _usable(stem, reserved)
    number = 2
    while name in taken:
        name = _usable(f"{stem}{number}", reserved)
        number += 1
    return name


def _words(label: str) -> list[str]:
    """Words of a label, in the form in which Python compares identifiers (NFKC)."""
    plain = _APOSTROPHES.sub("", unicodedata.normalize("NFKC", label))
    spaced = "".join(char if char != "_" and ("a" + char).isidentifier() else " " for char in plain)
    return _CAMEL.sub(" ", spaced).split()


def _usable(name: str, reserved: Container[str]) -> str:
    # Changing the case can undo the normal form ("\u0130".lower()), so it is made again.
    name = unicodedata.normalize("NFKC", name)
    if not name.isidentifier():
        name = "_" + name
    return name + "_" if name in reserved else name


def published_name(name: str) -> str:
    """The name without the underscore that keeps it from being a keyword: ``from_`` -> ``from``."""
    return name[:-1] if name.endswith("_") and keyword.iskeyword(name[:-1]) else name


def python_name(name: str) -> str:
    """The way back of ``published_name``: ``from`` -> ``from_``."""
    return name + "_" if keyword.iskeyword(name) else name
