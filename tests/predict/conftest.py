"""A model of a few thousand random weights, made as users make theirs."""

from __future__ import annotations

from pathlib import Path

import pytest

CONFIG = """\
model_type: llama
hidden_size: 32
intermediate_size: 48
num_hidden_layers: 2
num_attention_heads: 4
num_key_value_heads: 2
max_position_embeddings: 512
initializer_range: 0.4
"""
TEXTS = [
    'class Human(Entity): ...\n\nsentence = "Ada Lovelace was born in London."\n',
    'results = [\n    Human("Ada Lovelace"),\n    City("London"),\n]',
    'results = [\n    BornIn(Human("Ada"), City("London")),\n    Attack("bombed", attacker=[Human("x")]),\n]',
]


@pytest.fixture(scope="session")
def model_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from knowcoder.checkpoint.init import init_model

    folder = tmp_path_factory.mktemp("model")
    (folder / "small.yaml").write_text(CONFIG)
    init_model(str(folder / "small.yaml"), TEXTS, vocab_size=400, seed=1, output_dir=folder / "model")
    return folder / "model"
