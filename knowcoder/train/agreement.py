"""Whether all ranks of a run were given the same: looked at before the first step, where it costs seconds."""

from __future__ import annotations

import platform
from collections import Counter
from collections.abc import Mapping
from typing import Any

import torch
import xxhash
from torch import nn

from knowcoder.artefact import plain
from knowcoder.config import PretrainConfig
from knowcoder.errors import ConfigError
from knowcoder.train.process_group import of_all_ranks

#: Nodes may have folders of their own, whose content is compared; and only one rank writes the record.
_OWN = {"model", "data", "eval_data", "output", "overwrite", "log_to"}
_NAMED = 3  # differences that a message names


def agree(what: str, own: Mapping[str, Any]) -> None:
    """Return where all ranks that have a name give it the same value; every rank must ask.

    Raises:
        ConfigError: on every rank; names a rank that differs from most, its machine, and the values.
    """
    gathered = of_all_ranks((platform.node(), dict(own)))
    found = []
    for name in sorted({name for _, values in gathered for name in values}):
        held = {rank: values[name] for rank, (_, values) in enumerate(gathered) if name in values}
        usual = Counter(map(repr, held.values())).most_common(1)[0][0]
        odd = [rank for rank, value in held.items() if repr(value) != usual]
        if odd:
            found.append(f"{name} is {held[odd[0]]!r} on rank {odd[0]} ({gathered[odd[0]][0]}), {usual} on others")
    if found:
        more = f", and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
        raise ConfigError(f"the ranks differ in {what}: {'; '.join(found[:_NAMED])}{more}; give all ranks the same")


def keys(config: PretrainConfig) -> dict[str, Any]:
    """Return the dotted keys in which ranks must agree."""
    return {key: value for key, value in _dotted(plain(config)).items() if key not in _OWN}


def marks(module: nn.Module) -> dict[str, str]:
    """Return a hash of every parameter, by its name."""
    return {name: _hash(parameter) for name, parameter in module.named_parameters()}


def _hash(tensor: torch.Tensor) -> str:
    content = tensor.detach().cpu().contiguous().flatten().view(torch.uint8)
    return xxhash.xxh3_64(content.numpy()).hexdigest()


def _dotted(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= _dotted(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return found
