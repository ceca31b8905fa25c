"""Answers that are dicts, as instruction-tuned models write them, brought to the form of calls.

Three forms are read: a dict of labels (``{"person": ["Ada"]}``, ``{"born in": [{"subject": ..., "object": ...}]}``,
``{"attack": [{"trigger": ..., "arguments": {...}}]}``; this is IEPile's), a list of records that name their type
(``[{"entity": "Ada", "entity_type": "person"}]``), and a dict of entities with attributes (``{"person": {"Ada":
{"born in": "London"}}}``). Keys such as "entities" may stand around them. A label stands for the class
that is made of it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable

from knowcoder.codec.values import Call, Name, Pair, Table, Value
from knowcoder.schema.naming import class_name

_TYPE = ("entity_type", "event_type", "relation", "predicate", "type", "label")
_TEXT = ("entity", "name", "text", "mention", "span")
_HEAD, _TAIL = ("subject", "head"), ("object", "tail")
_TRIGGER = ("trigger", "event_trigger")
_AROUND = frozenset({"results", "result", "output", "answer", "entities", "relations", "triples", "events"})
_NOTHING = ("NAN", "")  # how IEPile says that a role has no filler


def is_around(key: str, classes: Collection[str]) -> bool:
    """Whether a key stands around labels or records (``{"entities": {"person": ["Ada"]}}``) and is no label itself."""
    return key.lower() in _AROUND and _class(key, classes) not in classes


def pair_call(pair: Pair, classes: Collection[str]) -> Call:
    """The object that one element under a label stands for."""
    value = pair.value
    if isinstance(value, Table):
        return table_call(value, classes, pair.key)
    if isinstance(value, Pair):  # an entity and one of its attributes
        attribute = value.value
        if isinstance(attribute, Pair):
            head = Call(_class(pair.key, classes), [value.key])
            return Call(_class(attribute.key, classes), [head, attribute.value])
        return Call(_class(pair.key, classes), [attribute])
    return Call(_class(pair.key, classes), [value])


def table_call(table: Table, classes: Collection[str], label: str = "") -> Call:
    """The object that a record stands for; the record may name its type itself."""
    fields: dict[str, list[Value]] = {}
    for item in table.items:
        if isinstance(item, Pair):
            fields.setdefault(item.key, []).append(item.value)
    named = _first(fields, _TYPE)
    call = Call(_class(named if isinstance(named, str) else label, classes))
    head, tail, trigger = (_first(fields, keys) for keys in (_HEAD, _TAIL, _TRIGGER))
    if head is not None or tail is not None:
        call.keywords = {key: value for key, value in (("head", head), ("tail", tail)) if value is not None}
    elif trigger is not None or "arguments" in fields:
        call.keywords = _roles(fields.get("arguments", []))
        if trigger is not None:
            call.keywords["trigger"] = trigger
    else:
        text = _first(fields, _TEXT)
        call.arguments = [] if text is None else [text]
    return call


def _roles(arguments: Iterable[Value]) -> dict[str, Value]:
    """Role -> fillers, of ``{"attacker": "Ada"}`` or ``[{"role": "attacker", "argument": "Ada"}]``."""
    filled: dict[str, list[Value]] = {}
    for argument in arguments:
        role, filler = (argument.key, argument.value) if isinstance(argument, Pair) else _role_record(argument)
        if filler not in _NOTHING and not (isinstance(filler, Name) and filler.name in ("null", "None")):
            filled.setdefault(role, []).append(filler)
    return {role: list(fillers) for role, fillers in filled.items()}


def _role_record(argument: Value) -> tuple[str, Value]:
    fields: dict[str, Value] = {}
    if isinstance(argument, Table):
        fields = {item.key: item.value for item in argument.items if isinstance(item, Pair)}
    role = fields.get("role")
    return (role if isinstance(role, str) else ""), fields.get("argument", argument)


def _first(fields: dict[str, list[Value]], keys: Iterable[str]) -> Value | None:
    for key in keys:
        if key in fields:
            values = fields[key]
            return values[0] if len(values) == 1 else values
    return None


def _class(label: str, classes: Collection[str]) -> str:
    return label if label in classes or not label else class_name(label)
