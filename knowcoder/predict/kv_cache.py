"""Key-value caches that share the common beginning of many prompts, and the grouping of prompts that have one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from transformers import PreTrainedModel
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer

# Prompts belong together if neighbours in sorted order share this much of the shorter one.
_SHARED_FRACTION = 0.5

States = tuple[torch.Tensor, torch.Tensor]  # keys and values, each (batch, heads, length, head size)


@dataclass(frozen=True, slots=True)
class Prefix:
    """The cache of the common beginning of a group of prompts: ``length`` tokens, one pair of states a layer."""

    length: int = 0
    layers: tuple[States, ...] = ()


def groups(prompts: Sequence[list[int]]) -> Iterator[list[int]]:
    """Indices of prompts by common beginning; shortest first within a group, so that a batch pads little."""
    order = sorted(range(len(prompts)), key=lambda index: prompts[index])
    group: list[int] = []
    for index in order:
        if group:
            pair = [prompts[group[-1]], prompts[index]]
            if common_length(pair) < _SHARED_FRACTION * min(map(len, pair)):
                yield sorted(group, key=lambda member: len(prompts[member]))
                group = []
        group.append(index)
    if group:
        yield sorted(group, key=lambda member: len(prompts[member]))


def common_length(prompts: Sequence[list[int]]) -> int:
    """Length of the longest common beginning."""
    first, last = min(prompts), max(prompts)
    for place, (one, other) in enumerate(zip(first, last, strict=False)):
        if one != other:
            return place
    return min(len(first), len(last))


def can_share(model: PreTrainedModel) -> bool:
    """Whether every layer attends to all positions.

    A sliding window counts places in the cache, which the padding behind a shared beginning would shift, and a
    recurrent state has no places at all.
    """
    return all(type(layer) is DynamicLayer for layer in DynamicCache(config=model.config).layers)


def compute_prefix(model: PreTrainedModel, ids: Sequence[int]) -> Prefix:
    """Run the model over a common beginning once."""
    cache = DynamicCache(config=model.config)
    model(torch.tensor([list(ids)], device=model.device), past_key_values=cache, logits_to_keep=1)
    return Prefix(len(ids), tuple((layer.keys, layer.values) for layer in cache.layers))


def batch_cache(model: PreTrainedModel, prefix: Prefix, capacity: int) -> Cache:
    """An empty cache for one batch that begins with ``prefix`` and has room for ``capacity`` tokens."""
    if not can_share(model):
        return DynamicCache(config=model.config)
    count = len(DynamicCache(config=model.config).layers)
    layers = [GrowingLayer(capacity, prefix.layers[number] if prefix.layers else None) for number in range(count)]
    return Cache(layers=list(layers))


class GrowingLayer(DynamicLayer):
    """A dynamic cache layer with its room reserved: a new token is copied alone and not with the whole cache."""

    def __init__(self, capacity: int, prefix: States | None) -> None:
        super().__init__()
        self.capacity = capacity
        self.prefix = prefix
        self.length = prefix[0].shape[2] if prefix else 0

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Reserve the room when the number of sequences is known, and copy the prefix into each of them."""
        self.dtype, self.device = key_states.dtype, key_states.device
        rooms = []
        for number, states in enumerate((key_states, value_states)):
            room = states.new_empty(states.shape[0], states.shape[1], self.capacity, states.shape[3])
            if self.prefix:
                room[:, :, : self.length] = self.prefix[number]
            rooms.append(room)
        self.rooms = (rooms[0], rooms[1])
        self.is_initialized = True

    def update(self, key_states: torch.Tensor, value_states: torch.Tensor, *_: Any, **__: Any) -> States:
        """Append states; returns all keys and values so far."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        end = self.length + key_states.shape[2]
        for room, states in zip(self.rooms, (key_states, value_states), strict=True):
            room[:, :, self.length : end] = states
        self.length = end
        return self.rooms[0][:, :, :end], self.rooms[1][:, :, :end]

    def get_seq_length(self) -> int:
        """Places taken, padding and prefix included."""
        return self.length

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Keep only some of the sequences."""
        self.rooms = (self.rooms[0][indices], self.rooms[1][indices])
