"""The arguments of an event, in whatever way a record spells them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from knowcoder.config.corpus import EventKeys, RelationKeys, SpanKeys
from knowcoder.corpus.paths import Found, depth_of, items_at, value_at
from knowcoder.corpus.reading import Unusable
from knowcoder.corpus.spans import Piece, mentions_in, reference_at, whole

EVERY_FIELD = "*"


class Said(NamedTuple):
    """An argument as a record says it: a role, and what fills it: a reference, or why it cannot be one."""

    role: str
    filler: Any
    item: Found


def arguments_of(event: Found, keys: EventKeys, spans: SpanKeys) -> Iterator[Said]:
    """Yield every argument of an event."""
    if keys.arguments == EVERY_FIELD:
        holder = event.value if isinstance(event.value, dict) else {}
        fields = {name: value for name, value in holder.items() if name != keys.trigger}
        yield from _nested(fields, "", event, spans)
        return
    depth = depth_of(keys.role, keys.filler or spans.start)
    for item in items_at(event.value, keys.arguments, depth):
        argument = _taken_apart(item, keys.pattern)
        if argument is None:
            yield Said("", Unusable("argument does not fit the pattern", str(item.value)[:80]), item)
        else:
            yield from _fillers(argument, keys, spans)


def _fillers(argument: Found, keys: EventKeys, spans: SpanKeys) -> Iterator[Said]:
    """An argument for everything that fills its role."""
    role = argument.get(keys.role)
    if role is None and not keys.pattern:  # with a pattern, what names no role says that there is none
        yield Said("", Unusable("argument without a role", str(argument.value)[:80]), argument)
    if role is None:
        return
    filler = reference_at(argument, keys.filler, spans) if keys.filler else argument.value
    if keys.filler and isinstance(filler, list) and not (filler and isinstance(filler[0], int)):
        yield from (Said(str(role), each, argument) for each in filler)
    else:
        yield Said(str(role), filler, argument)


def _taken_apart(item: Found, pattern: str) -> Found | None:
    if not pattern or not isinstance(item.value, str):
        return item
    match = re.fullmatch(pattern, item.value)
    return Found(match.groupdict(), item.around) if match else None


def _nested(holder: dict[str, Any], path: str, event: Found, keys: SpanKeys) -> Iterator[Said]:
    """Every field that holds a span is a role, and so are the spans within it: ``Treatment``, ``Treatment.Drug``."""
    for name, value in holder.items():
        role = f"{path}{name}"
        if isinstance(value, dict) and value_at(value, keys.start) is not None:
            try:
                for pieces in mentions_in(value, keys):
                    yield Said(role, _whole(pieces), event)
            except Unusable as error:
                yield Said(role, error, event)
            yield from _nested(value, f"{role}.", event, keys)
        elif isinstance(value, list):
            for _ in (item for item in value if isinstance(item, dict)):
                yield Said(role, Unusable("event within an event", role), event)


def _whole(pieces: list[Piece]) -> Piece | Unusable:
    try:
        return whole(pieces)
    except Unusable as error:
        return error


def qualifiers_of(relation: Found, keys: RelationKeys) -> Iterator[Said]:
    """What is said beside a relation: an object, pairs, or roles and fillers in turn."""
    value = relation.get(keys.qualifiers) if keys.qualifiers else None
    if isinstance(value, dict):
        pairs = list(value.items())
    elif isinstance(value, list) and value and isinstance(value[0], list):
        pairs = [(each[0], each[1]) for each in value if isinstance(each, list) and len(each) > 1]
    else:
        flat = value if isinstance(value, list) else []
        pairs = list(zip(flat[::2], flat[1::2], strict=False))
    for role, filler in pairs:
        yield from (Said(str(role), each, relation) for each in (filler if isinstance(filler, list) else [filler]))
