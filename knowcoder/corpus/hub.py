"""Data sets by their name on the Hugging Face hub, or in a folder that ``datasets`` reads."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from knowcoder.corpus.reading import SPLITS
from knowcoder.corpus.records import Numbered
from knowcoder.errors import ConfigError

_SPLITS = {"validation": "dev", "valid": "dev", "val": "dev"}


def load_splits(name: str, subset: str = "") -> dict[str, Iterator[Numbered]]:
    """The rows of each split as records, classes by their names.

    Raises:
        ConfigError: ``datasets`` cannot load it.
    """
    from datasets import load_dataset

    try:
        loaded = load_dataset(name, subset or None)
    except Exception as error:  # datasets raises what its readers and the network raise
        raise ConfigError(f"dataset={name}: {' '.join(str(error).split())}") from error
    found = {_SPLITS.get(split, split): rows for split, rows in loaded.items()}
    return {split: _rows(found[split]) for split in SPLITS if split in found}


def _rows(rows: Any) -> Iterator[Numbered]:
    for number, row in enumerate(rows, 1):
        yield number, {field: _named(value, rows.features[field]) for field, value in row.items()}


def _named(value: Any, feature: Any) -> Any:
    """A value with the names of classes in the place of their numbers."""
    if value is None:
        return None
    if hasattr(feature, "int2str") and isinstance(value, int):
        return feature.int2str(value) if value >= 0 else None
    inner = getattr(feature, "feature", None)
    if isinstance(feature, list) and feature:
        inner = feature[0]
    if inner is not None and isinstance(value, list):
        return [_named(each, inner) for each in value]
    fields = inner if isinstance(inner, dict) else feature
    if isinstance(fields, dict) and isinstance(value, dict):
        return {name: _named(each, fields.get(name)) for name, each in value.items()}
    return value
