"""Hugging Face -> pipeline -> Hugging Face keeps every bit; whatever does not fit is named."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from knowcoder.checkpoint.convert import to_hf, to_pipeline
from knowcoder.checkpoint.verify import Verified, verify
from knowcoder.errors import ModelError
from tests.distributed import run_ranks
from tests.small_models import save_small_model

FAMILIES = {
    "llama": {},
    "qwen3": {},
    "gemma3_text": {"layer_types": ["sliding_attention", "full_attention"] * 2},  # tied
    "phi3": {},
    "gpt_neox": {},
    "olmo2": {},
    "mistral": {"sliding_window": 6},
    "cohere": {},  # tied
    "phi": {},  # biases everywhere, also on the head
}


def tensors(folder: Path) -> dict[str, torch.Tensor]:
    return {name: t for path in folder.glob("*.safetensors") for name, t in load_file(path).items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(
        one[name].dtype == other[name].dtype and torch.equal(one[name], other[name]) for name in one
    )


@pytest.mark.parametrize("model_type", FAMILIES)
def test_there_and_back_keeps_every_bit(tmp_path: Path, model_type: str) -> None:
    source = save_small_model(tmp_path / "model", model_type, **FAMILIES[model_type])
    there = to_pipeline(source, tmp_path / "pipeline")
    back = to_hf(tmp_path / "pipeline", tmp_path / "back", shard_bytes=10_000)
    assert same(tensors(source), tensors(tmp_path / "back"))  # also the names: those of a published model of the family
    assert there == back
    assert there.parameters == AutoModelForCausalLM.from_pretrained(source).num_parameters()
    assert (tmp_path / "back" / "config.json").read_bytes() == (source / "config.json").read_bytes()
    assert (tmp_path / "back" / "knowcoder.json").is_file()
    for output in ("pipeline", "back"):
        assert verify(source, tmp_path / output) == Verified(there.tensors, "equal")


def test_one_file_comes_back_byte_by_byte(tmp_path: Path) -> None:
    source = save_small_model(tmp_path / "model")
    to_pipeline(source, tmp_path / "pipeline")
    to_hf(tmp_path / "pipeline", tmp_path / "back")
    one, other = (folder / "model.safetensors" for folder in (source, tmp_path / "back"))
    assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("stages", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_plain_deepspeed_loads_what_is_written(tmp_path: Path, stages: int) -> None:
    source = save_small_model(tmp_path / "model")
    to_pipeline(source, tmp_path / "pipeline")
    script = Path(__file__).with_name("ranks_plain_engine.py")
    run_ranks(stages, script, str(source), str(tmp_path / "pipeline"))


def test_a_hundred_layers_and_more(tmp_path: Path) -> None:
    source = save_small_model(tmp_path / "model", hidden_size=8, intermediate_size=8, num_hidden_layers=101)
    to_pipeline(source, tmp_path / "pipeline")
    assert (tmp_path / "pipeline" / "step0" / "layer_101-model_states.pt").is_file()
    to_hf(tmp_path / "pipeline", tmp_path / "back")
    assert same(tensors(source), tensors(tmp_path / "back"))


def test_number_format_is_kept_and_said(tmp_path: Path) -> None:
    source = save_small_model(tmp_path / "model")
    state = {name: tensor.bfloat16() for name, tensor in tensors(source).items()}
    save_file(state, source / "model.safetensors", metadata={"format": "pt"})
    to_pipeline(source, tmp_path / "pipeline")
    to_hf(tmp_path / "pipeline", tmp_path / "back")
    assert same(state, tensors(tmp_path / "back"))
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "back", dtype="auto").dtype == torch.bfloat16


@pytest.mark.parametrize("tied", [False, True])
def test_published_layout_is_read(tmp_path: Path, tied: bool) -> None:
    """The published files carry `-model_00`, and a tied head twice."""
    source = save_small_model(tmp_path / "model", tie_word_embeddings=tied)
    to_pipeline(source, tmp_path / "pipeline")
    step = (tmp_path / "pipeline" / "step0").rename(tmp_path / "pipeline" / "global_step001")
    (tmp_path / "pipeline" / "latest").write_text("global_step001")
    if tied:
        shutil.copy(step / "layer_00-model_states.pt", step / "layer_06-model_states.pt")
    for path in step.glob("layer_*"):
        path.rename(step / path.name.replace("-model_", "-model_00-model_"))
    to_hf(tmp_path / "pipeline", tmp_path / "back")
    assert same(tensors(source), tensors(tmp_path / "back"))


def test_tied_weights_stand_once_on_both_sides(tmp_path: Path) -> None:
    source = save_small_model(tmp_path / "model", tie_word_embeddings=True)
    to_pipeline(source, tmp_path / "pipeline")
    files = sorted((tmp_path / "pipeline" / "step0").glob("layer_*"))
    assert [file.name[:8] for file in files] == [f"layer_0{i}" for i in range(6)]
    to_hf(tmp_path / "pipeline", tmp_path / "back")
    assert "lm_head.weight" not in tensors(tmp_path / "back")


def edit_layer(folder: Path, change: str) -> None:
    (folder / "step0" / "checksums.json").unlink()
    path = folder / "step0" / "layer_02-model_states.pt"
    state = torch.load(path, weights_only=True)
    name = "self_attn.q_proj.weight"
    if change == "missing":
        del state[name]
    elif change == "surplus":
        state["self_attn.q_proj.other"] = torch.zeros(1)
    else:
        state[name] = state[name][:-1]
    torch.save(state, path)


@pytest.mark.parametrize("change", ["missing", "surplus", "shape"])
def test_wrong_tensors_of_a_layer_file_are_named(tmp_path: Path, change: str) -> None:
    to_pipeline(save_small_model(tmp_path / "model"), tmp_path / "pipeline")
    edit_layer(tmp_path / "pipeline", change)
    with pytest.raises(ModelError, match=r"layer_02-model_states\.pt: tensor self_attn\.q_proj"):
        to_hf(tmp_path / "pipeline", tmp_path / "back")


def test_missing_and_surplus_layer_files_are_named(tmp_path: Path) -> None:
    to_pipeline(save_small_model(tmp_path / "model"), tmp_path / "pipeline")
    step = tmp_path / "pipeline" / "step0"
    shutil.copy(step / "layer_01-model_states.pt", step / "layer_07-model_states.pt")
    with pytest.raises(ModelError, match="layer_07"):
        to_hf(tmp_path / "pipeline", tmp_path / "back")
    (step / "layer_07-model_states.pt").unlink()
    (step / "layer_03-model_states.pt").unlink()
    with pytest.raises(ModelError, match=r"layer_03-model_states\.pt: is missing"):
        to_hf(tmp_path / "pipeline", tmp_path / "back")


def test_a_layer_file_cannot_run_code(tmp_path: Path) -> None:
    to_pipeline(save_small_model(tmp_path / "model"), tmp_path / "pipeline")
    torch.save({"weight": Path("x")}, tmp_path / "pipeline" / "step0" / "layer_00-model_states.pt")
    with pytest.raises(ModelError, match="layer_00"):
        to_hf(tmp_path / "pipeline", tmp_path / "back")


def test_a_folder_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="not a pipeline checkpoint"):
        to_hf(tmp_path, tmp_path / "back")


def test_files_that_cut_their_tensors_in_another_way_are_refused(tmp_path: Path) -> None:
    source = save_small_model(tmp_path / "model", "mixtral", num_local_experts=2)
    with pytest.raises(ModelError, match=r"experts\.\w+.* in another cut than in the model"):
        to_pipeline(source, tmp_path / "pipeline")
