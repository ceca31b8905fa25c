"""Small random models and packed rows that the tests of training share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch
from datasets import Dataset
from transformers import AutoConfig, AutoModelForCausalLM

from knowcoder.artefact import Manifest

VOCAB = 96
LENGTH = 48


def save_model(
    folder: Path, model_type: str = "llama", seed: int = 0, max_positions: int = 64, hidden_size: int = 32
) -> Path:
    """Write a model of two layers with random weights."""
    config = AutoConfig.for_model(
        model_type,
        vocab_size=VOCAB,
        hidden_size=hidden_size,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=8,
        max_position_embeddings=max_positions,
        tie_word_embeddings=True,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=3,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        AutoModelForCausalLM.from_config(config, dtype=torch.float32).save_pretrained(folder)
    return folder


def save_rows(folder: Path, count: int = 24, seed: int = 0) -> Path:
    """Write packed rows of random documents: unequal shares of trained tokens, some rows with none at all."""
    rng = np.random.default_rng(seed)
    columns: dict[str, list[Any]] = {"input_ids": [], "position_ids": [], "labels": [], "kind": []}
    for row in range(count):
        ids, positions, labels, kinds = [], [], [], []
        while (room := LENGTH - len(ids)) > 6:
            length = int(rng.integers(4, min(room, 24) + 1))
            prompt = length if row % 5 == 4 else int(rng.integers(1, length))
            document = rng.integers(4, VOCAB, length).tolist()
            ids += document
            positions += range(length)
            labels += [-100] * prompt + document[prompt:]
            kinds.append("NER")
        for name, values in zip(columns, (ids, positions, labels, kinds), strict=True):
            columns[name].append(values)
    numbers = pa.large_list(pa.int32())
    table = {name: pa.array(values, numbers if name != "kind" else None) for name, values in columns.items()}
    Dataset(pa.table(table)).save_to_disk(folder / "rows")
    Manifest(kind="packed", state="complete", facts={"max_length": LENGTH, "pad_token_id": 3}).save(folder)
    return folder
