"""A model is loaded whole or refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from knowcoder.checkpoint.mapping import load_model
from knowcoder.errors import ModelError
from tests.small_models import save_small_model


def test_weights_that_are_missing_are_named_and_never_made_up(tmp_path: Path) -> None:
    folder = save_small_model(tmp_path)
    weights = load_file(folder / "model.safetensors")
    del weights["model.layers.1.mlp.up_proj.weight"]
    save_file(weights, folder / "model.safetensors", {"format": "pt"})
    with pytest.raises(ModelError, match=r"its weights lack model\.layers\.1\.mlp\.up_proj\.weight"):
        load_model(folder, torch.float32)


@pytest.mark.parametrize("tied", [False, True])
def test_a_whole_model_loads_in_the_format_asked_for(tied: bool, tmp_path: Path) -> None:
    assert load_model(save_small_model(tmp_path, tie_word_embeddings=tied), torch.bfloat16).dtype == torch.bfloat16


def test_a_broken_file_is_one_line(tmp_path: Path) -> None:
    folder = save_small_model(tmp_path)
    (folder / "model.safetensors").write_bytes(b"broken")
    with pytest.raises(ModelError, match="no causal language model loads from here") as caught:
        load_model(folder, torch.float32)
    assert "\n" not in str(caught.value)
