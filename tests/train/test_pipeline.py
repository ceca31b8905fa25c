"""The pieces equal the whole, and an architecture whose pieces do not is refused."""

from __future__ import annotations

import pytest
from transformers import AutoConfig

from knowcoder.checkpoint.mapping import meta_model, piece_map
from knowcoder.errors import ModelError
from knowcoder.train.pipeline import check_pieces, small_copy
from tests.small_models import small_config

LAYERS = ["sliding_attention", "full_attention", "sliding_attention", "full_attention"]
EXACT: dict[str, dict[str, object]] = {
    "llama": {},
    "mistral": {"sliding_window": 6},
    "qwen2": {"use_sliding_window": True, "sliding_window": 6, "max_window_layers": 2},
    "qwen3": {"tie_word_embeddings": True},
    "phi": {},
    "phi3": {"sliding_window": 6},
    "gemma": {},
    "gemma2": {"sliding_window": 6, "layer_types": LAYERS},
    "gemma3_text": {"sliding_window": 6, "layer_types": LAYERS},
    "olmo2": {},
    "cohere": {"logit_scale": 0.3},
    "granite": {"embedding_multiplier": 3.0, "logits_scaling": 5.0, "residual_multiplier": 0.3},
    "starcoder2": {},
    "gpt_neox": {},
    "smollm3": {},
    "mixtral": {},
    "qwen3_moe": {"num_experts": 4, "num_experts_per_tok": 2, "moe_intermediate_size": 16},
    "gpt_oss": {"num_local_experts": 4},
}


@pytest.mark.parametrize("model_type", EXACT)
def test_pieces_equal_the_whole(model_type: str) -> None:
    assert check_pieces(small_config(model_type, **EXACT[model_type])) < 1e-12


@pytest.mark.parametrize("model_type", ["gpt2", "opt"])
def test_an_architecture_without_a_plan_is_refused(model_type: str) -> None:
    with pytest.raises(ModelError, match="no pipeline plan"):
        piece_map(meta_model(small_config(model_type)))


@pytest.mark.parametrize("model_type", ["doge", "hrm_text"])
def test_an_architecture_whose_pieces_do_not_run_is_refused_with_the_reason(model_type: str) -> None:
    with pytest.raises(ModelError, match="does not run in pieces"):
        check_pieces(small_config(model_type))


def test_a_sliding_window_is_tried_where_rows_are_longer() -> None:
    assert small_copy(small_config("mistral", sliding_window=4096)).sliding_window < 15  # the longest document tried


@pytest.mark.parametrize("model_type", ["llama", "mixtral", "qwen3_moe"])
def test_the_copy_of_a_large_model_is_small(model_type: str) -> None:
    large = {"num_hidden_layers": 60, "hidden_size": 8192, "num_attention_heads": 64, "num_key_value_heads": 8}
    copied = small_copy(AutoConfig.for_model(model_type, **large, vocab_size=128_000))
    assert sum(parameter.numel() for parameter in meta_model(copied).parameters()) < 1e7
    assert copied.num_attention_heads > copied.num_key_value_heads
