"""A layout from a YAML file: the keys of the command line, nested or dotted, checked like those."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from knowcoder.config.corpus import FORMATS, LayoutConfig
from knowcoder.config.keys import Key, keys_of
from knowcoder.errors import ConfigError


def layout_of(format: str, *parts: Mapping[str, Any]) -> LayoutConfig:
    """A layout of a family of format with the keys of ``parts``; the later part has the last word.

    Raises:
        ConfigError: a key is unknown, or a value is of the wrong type.
    """
    known = {key.name: key for key in keys_of(LayoutConfig)}
    if format not in FORMATS:
        raise ConfigError(f"format={format}: must be one of {', '.join(FORMATS)}")
    layout = LayoutConfig(format=format)
    for part in parts:
        for name, value in _dotted(part, ""):
            if name not in known:
                near = difflib.get_close_matches(name, known, n=1)
                raise ConfigError(f"reader key {name!r} is not known{f'; did you mean {near[0]}?' if near else ''}")
            group, _, field = name.rpartition(".")
            setattr(getattr(layout, group) if group else layout, field, _checked(known[name], value))
    return layout


def _dotted(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _dotted(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _checked(key: Key, value: Any) -> Any:
    try:
        found: Any = msgspec.convert(value, key.type)
    except msgspec.ValidationError as error:
        raise ConfigError(f"reader key {key.name}={value}: {error}") from error
    if key.choices and found not in key.choices:
        raise ConfigError(f"reader key {key.name}={value}: must be one of {', '.join(map(repr, key.choices))}")
    return found
