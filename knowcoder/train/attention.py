"""Attention over packed rows: every document by itself, instead of a whole row under a mask.

A mask costs the square of the row; documents cost the sum of their own squares, and the causal kernel half of that.
Processors take one document after the other; on GPUs FlashAttention takes all at once where it is installed, else the
models' own attention is kept, whose mask is made on the spot.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any

import torch
from torch.nn.functional import scaled_dot_product_attention
from transformers import AttentionInterface, PreTrainedModel
from transformers.masking_utils import AttentionMaskInterface
from transformers.utils import is_flash_attn_2_available

_NAME = "knowcoder_packed"
_FLASH = "flash_attention_2"
_PLAIN_UP_TO = 1024  # tokens of a document whose scores may be held whole


def use_flat_attention(model: PreTrainedModel, device: str, half: bool) -> bool:
    """Let `model` attend with what is quickest on a device ("cpu" or "cuda") for rows that lie one behind the other.

    Args:
        half: whether the arithmetic is in half precision.

    Returns:
        Whether it does; else it keeps its own attention, and takes rows beside one another.
    """
    return use_packed_attention(model) if device == "cpu" else use_flash_attention(model, half)


def use_packed_attention(model: PreTrainedModel) -> bool:
    """Let `model` attend document by document, where that is what its own attention means; say whether it does.

    Attention that is not plainly causal (sliding windows, chunks, capped scores) keeps the model's own kernel.
    """
    config = model.config
    layer_types = set(getattr(config, "layer_types", None) or ["full_attention"])
    special = ("sliding_window", "attention_chunk_size", "attn_logit_softcapping")
    if layer_types != {"full_attention"} or any(getattr(config, name, None) for name in special):
        return False
    if model.config._attn_implementation != "sdpa":
        return False
    AttentionInterface.register(_NAME, packed_attention)
    AttentionMaskInterface.register(_NAME, _no_mask)
    model.set_attn_implementation(_NAME)
    return True


def use_flash_attention(model: PreTrainedModel, half: bool) -> bool:
    """Let `model` attend with FlashAttention on a GPU, where it is installed; say whether it does.

    It tells documents apart by their positions, in one row without padding; it computes in half precision alone.
    """
    if not (half and is_flash_attn_2_available() and model._supports_flash_attn):
        return False
    model.set_attn_implementation(_FLASH)
    return True


@contextmanager
def own_attention(model: PreTrainedModel) -> Iterator[None]:
    """Let `model` attend with its own kernel for a while: answering needs masks and caches, packed rows have none."""
    training = model.config._attn_implementation
    packed = training in (_NAME, _FLASH)
    if packed:
        model.set_attn_implementation("sdpa")
    try:
        yield
    finally:
        if packed:
            model.set_attn_implementation(training)


def packed_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    scaling: float | None = None,
    dropout: float = 0.0,
    position_ids: torch.Tensor | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Attend causally within every document; documents begin where `position_ids` [rows or 1, length] are 0.

    Args:
        query, key, value: [rows, heads, length, head size]; keys and values may have fewer heads.

    Returns:
        [rows, length, heads, head size], and no attention weights.
    """
    if position_ids is None or attention_mask is not None:
        raise ValueError("packed attention needs position_ids and takes no mask")
    groups = query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = (x.repeat_interleave(groups, dim=1) for x in (key, value))
    length = query.shape[2]
    scale = query.shape[-1] ** -0.5 if scaling is None else scaling
    if torch.is_autocast_enabled(query.device.type):  # rotary positions have made queries and keys fp32 again
        dtype = torch.get_autocast_dtype(query.device.type)
        query, key, value = query.to(dtype), key.to(dtype), value.to(dtype)
    rows = []
    for positions, *parts in zip(
        position_ids.expand(query.shape[0], -1), query.unbind(), key.unbind(), value.unbind(), strict=True
    ):
        edges = [*(positions == 0).nonzero().flatten().tolist(), length]
        sizes = [end - start for start, end in pairwise(edges)]
        documents = zip(*(part.split(sizes, dim=1) for part in parts), strict=True)
        rows.append(torch.cat([_causal(q, k, v, scale, dropout) for q, k, v in documents], dim=1))
    return torch.stack(rows).transpose(1, 2).contiguous(), None


def _causal(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float, dropout: float) -> torch.Tensor:
    """Attend causally within one document; all of shape [heads, length, head size]."""
    length = query.shape[1]
    if query.dtype.itemsize > 2 or length > _PLAIN_UP_TO or dropout:
        attended = scaled_dot_product_attention(
            query[None], key[None], value[None], is_causal=True, scale=scale, dropout_p=dropout
        )
        return attended[0]
    # The fused kernel's backward pass is slow in half precision: two plain products take half its time.
    bias = torch.full((length, length), float("-inf"), dtype=query.dtype, device=query.device).triu(1)
    scores = torch.baddbmm(bias.expand(len(query), -1, -1), query, key.transpose(1, 2), alpha=scale)
    return scores.softmax(-1, dtype=query.dtype) @ value


def _no_mask(*_: Any, **__: Any) -> None:
    """Documents are told apart by their positions alone."""
