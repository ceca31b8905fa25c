"""Logits, loss and gradients of models in two parts are those of the whole, for every family and every cut."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from transformers import LlamaModel

from knowcoder.config import PretrainConfig
from knowcoder.errors import ConfigError, ModelError
from knowcoder.train import loss as loss_module
from knowcoder.train.pretrain import pretrain
from knowcoder.train.stage import build_pipeline
from tests.small_models import small_config
from tests.train.pieces import FAMILIES, PackedBatch, TwoStages, assert_same, family_model, whole


@pytest.mark.parametrize("model_type", FAMILIES)
def test_two_parts_equal_the_whole_wherever_they_are_cut(model_type: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loss_module, "LOGITS_AT_ONCE", 5 * 96)  # five tokens at a time
    model, batch = family_model(model_type), PackedBatch.random()
    expected, stages = whole(model, batch), TwoStages(model)
    assert len(batch.targets) % 5, "the last chunk must be a rest"
    for cut in range(1, model.config.num_hidden_layers + 2):
        assert_same(stages.run(batch, cut), expected)


@pytest.mark.parametrize("model_type", ["llama", "gemma3_text"])
def test_layers_that_are_run_again_change_nothing_and_keep_less(model_type: str) -> None:
    model, batch = family_model(model_type), PackedBatch.random()
    stages = TwoStages(model)
    kept: list[int] = []

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[-1] += tensor.nbytes
        return tensor

    expected = stages.run(batch, 3)
    for interval in range(4):
        kept.append(0)
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            assert_same(stages.run(batch, 3, interval), expected, 1e-7)
    assert max(kept[1:]) < kept[0]


def test_what_cannot_be_piped_is_refused_before_anything_is_loaded(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small_config("llama").save_pretrained(tmp_path)  # there are no weights to load
    whole_forward = LlamaModel.forward

    def forward(self: LlamaModel, *arguments: Any, **settings: Any) -> Any:
        output = whole_forward(self, *arguments, **settings)
        output.last_hidden_state = output.last_hidden_state * 1.01
        return output

    monkeypatch.setattr(LlamaModel, "forward", forward)
    with pytest.raises(ModelError, match=r"another result in pieces .* use sft with tuning=full instead"):
        build_pipeline(tmp_path, PretrainConfig(model=str(tmp_path), data="none"))


def test_fp16_on_a_processor_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match="precision=fp16 needs a GPU; use bf16 or fp32"):
        pretrain(PretrainConfig(model=str(tmp_path), data="none", precision="fp16"), tmp_path)
    assert not list(tmp_path.iterdir())
