"""Tiny models of several architectures, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedConfig

SMALLEST = """\
model_type: llama
hidden_size: 16
intermediate_size: 16
num_hidden_layers: 1
num_attention_heads: 2
num_key_value_heads: 2
max_position_embeddings: 4096
"""
"""A file for `init config=`: the least that is a model."""

SMALL: dict[str, Any] = {
    "vocab_size": 96,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 4,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
}


def small_config(model_type: str, **changes: Any) -> PreTrainedConfig:
    """Return a tiny configuration of an architecture."""
    fields = SMALL | changes
    if hasattr(AutoConfig.for_model(model_type), "head_dim"):
        fields = {"head_dim": 8} | fields
    return AutoConfig.for_model(model_type, **fields)


def save_small_model(folder: Path, model_type: str = "llama", seed: int = 0, **changes: Any) -> Path:
    """Write a tiny model with random weights and a stand-in for its tokenizer files; returns `folder`."""
    torch.manual_seed(seed)
    model = AutoModelForCausalLM.from_config(small_config(model_type, **changes))
    model.save_pretrained(folder)
    (folder / "knowcoder.json").write_text('{"dialect": "clean"}')
    return folder
