"""Where something stands in a record: dotted paths through objects and lists.

A part of a path is the name of a field, the number of an item (``pos.0``, or ``pos.-1`` for the last), or ``2:`` for
the items from there on.
``{name}`` goes through all fields of an object and remembers the field's name as ``name``. ``.`` is the thing itself.
Lists are gone through where a name is asked of them, and text that stands on the way is read as JSON.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

ITSELF = "."


@dataclass(frozen=True, slots=True)
class Found:
    """An annotation and where it was found.

    Attributes:
        named: what ``{name}`` remembered on the way.
        around: the fields of the objects on the way, but for the record itself.
    """

    value: Any
    named: Mapping[str, Any] = field(default_factory=dict)
    around: Mapping[str, Any] = field(default_factory=dict)

    def get(self, path: str) -> Any:
        """What stands at a path within it, or else, for a plain field, around it; None where there is nothing."""
        own = value_at(self.value, path)
        if own is None:
            own = self.named.get(path)
        return self.around.get(path) if own is None else own

    def within(self, value: Any) -> Found:
        """Something within it."""
        return Found(value, self.named, self.around)


def value_at(value: Any, path: str) -> Any:
    """What stands at a path, None where there is nothing or the path is empty; several values as a list."""
    if not path or path == ITSELF:
        return value if path else None
    if isinstance(value, dict) and path in value:
        return value[path]
    for part in path.split("."):
        value = _step(_opened(value), part)
        if value is None:
            return None
    return value


def _step(value: Any, part: str) -> Any:
    if isinstance(value, dict):
        return value.get(part)
    if not isinstance(value, list):
        return None
    if part.removeprefix("-").isdecimal():
        return value[int(part)] if -len(value) <= int(part) < len(value) else None
    if part.endswith(":") and part[:-1].isdecimal():
        return value[int(part[:-1]) :]
    found = [_step(_opened(item), part) for item in value]
    return [item for item in found if item is not None] or None


def _opened(value: Any) -> Any:
    """Text that is JSON as what it says; anything else as it is."""
    if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
        try:
            return msgspec.json.decode(value)
        except msgspec.DecodeError:
            return value
    return value


def items_at(record: Any, path: str, depth: int = 0) -> Iterator[Found]:
    """Yield what a path leads to, one by one; null and empty lists are nothing.

    Args:
        depth: how many levels of lists one item is made of: 0 for texts and objects, 1 for ``[head, type, tail]``.
    """
    if not path:
        return
    parts = [] if path == ITSELF else path.split(".")
    found: list[Found] = [Found(_opened(record))]
    for number, part in enumerate(parts):
        found = [inner for item in found for inner in _inner(item, part, remembered=number > 0)]
    for item in found:
        yield from _flat(item.within(_opened(item.value)), depth)


def _inner(item: Found, part: str, remembered: bool) -> Iterator[Found]:
    """What one part of a path leads to; ``remembered`` says whether the fields around it are kept in mind."""
    value = _opened(item.value)
    if isinstance(value, list) and not part.rstrip(":").isdecimal():
        for each in value:
            yield from _inner(item.within(each), part, remembered)
    elif part.startswith("{") and part.endswith("}"):
        if isinstance(value, dict):
            for name, inner in value.items():
                yield Found(inner, {**item.named, part[1:-1]: name}, item.around)
    else:
        inner = _step(value, part)
        if inner is not None:
            around = {**item.around, **value} if remembered and isinstance(value, dict) else item.around
            yield Found(inner, item.named, around)


def _flat(item: Found, depth: int) -> Iterator[Found]:
    if item.value is None:
        return
    if not isinstance(item.value, list) or 0 < _height(item.value) <= depth:
        yield item
        return
    for value in item.value:
        yield from _flat(item.within(value), depth)


def _height(value: Any) -> int:
    """Levels of lists, by the first element of each that is not empty; 0 for a list that holds nothing."""
    if not isinstance(value, list):
        return 0
    first = next((each for each in value if each != []), None)
    return 0 if first is None else 1 + _height(first)


def depth_of(*paths: str) -> int:
    """How many levels of lists an item is made of whose fields stand at these paths."""
    return max((_numbers(path) for spec in paths for path in spec.split(",")), default=0)


def _numbers(path: str) -> int:
    """The number of leading parts of a path that are numbers."""
    parts = path.split(".")
    return next((index for index, part in enumerate(parts) if not part.rstrip(":").isdecimal() or not part), len(parts))
