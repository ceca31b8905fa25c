"""What a key is: declared with its type, unit, default and help, and read back from a configuration."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias, get_type_hints

MISSING = "???"


Names: TypeAlias = list[str]
Numbers: TypeAlias = list[float]


def key(
    default: Any,
    help: str,
    *,
    unit: str = "",
    choices: Sequence[str] = (),
    kinds: Sequence[str] = (),
    foreign: bool = False,
    least: float | None = 0,
) -> Any:
    """Declare a key.

    Args:
        default: its value where nothing else is said; ``MISSING`` where the user must say.
        help: one line for ``--help``.
        unit: what the value counts, such as "tokens".
        choices: the values accepted, where they are few.
        kinds: for an input, the artefact kinds accepted.
        foreign: for an input, whether files that no stage wrote are accepted too.
        least: the least number accepted, None for any.
    """
    meta: dict[str, Any] = {"help": help, "unit": unit, "choices": tuple(choices), "kinds": tuple(kinds)}
    meta |= {"foreign": foreign, "least": least}
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata=meta)
    return field(default=default, metadata=meta)


@dataclass(frozen=True)
class Key:
    """One key as the command line sees it: ``name`` is dotted, ``type`` a plain type."""

    name: str
    type: type
    default: Any
    help: str
    unit: str = ""
    choices: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    foreign: bool = False
    least: float | None = 0

    @property
    def is_input(self) -> bool:
        return bool(self.kinds) or self.foreign

    @property
    def kind(self) -> str:
        """What its value is, in a user's words."""
        words = {"str": "text", "int": "whole number", "float": "number", "bool": "true or false"}
        return words.get(getattr(self.type, "__name__", ""), "list")


def keys_of(config_type: type, prefix: str = "") -> list[Key]:
    """All keys of a configuration dataclass, nested ones dotted."""
    types = get_type_hints(config_type)
    found: list[Key] = []
    for item in dataclasses.fields(config_type):
        kind = types[item.name]
        if dataclasses.is_dataclass(kind):
            found += keys_of(kind, f"{prefix}{item.name}.")  # type: ignore[arg-type]
        else:
            default = item.default_factory() if callable(item.default_factory) else item.default
            found.append(Key(prefix + item.name, kind, default, **item.metadata))
    return found


def as_overrides(values: Mapping[str, Any]) -> list[str]:
    """Keys and values as ``key=value`` words."""
    return [f"{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in values.items()]


def changed(settings: Any, besides: Collection[str] = ()) -> list[str]:
    """The keys that differ from their defaults, and those named ``besides``, as ``key=value`` words."""
    values = {k.name: (value_of(settings, k.name), k.default) for k in keys_of(type(settings))}
    return as_overrides(
        {name: value for name, (value, default) in values.items() if value != default or name in besides}
    )


def value_of(config: Any, name: str) -> Any:
    """The value of a dotted key."""
    for part in name.split("."):
        config = getattr(config, part)
    return config


def inputs_of(config: Any) -> dict[str, str]:
    """The inputs that a configuration names: dotted key (with an index in a list) to path."""
    found: dict[str, str] = {}
    for item in keys_of(type(config)):
        if item.is_input:
            value = value_of(config, item.name)
            if isinstance(value, list):
                found |= {f"{item.name}[{i}]": path for i, path in enumerate(value)}
            elif value:
                found[item.name] = value
    return found
