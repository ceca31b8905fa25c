"""Merging: the merged model is base plus adapter, and only the adapter's own base is taken."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from knowcoder.errors import ModelError
from knowcoder.train.adapter import base_fingerprint, check_adapter, write_base
from knowcoder.train.merge import merge
from tests.small_models import SMALL, save_small_model


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return save_small_model(tmp_path / "base", num_hidden_layers=2)


def save_adapter(base: Path, folder: Path, scale: float = 0.2) -> Path:
    model = get_peft_model(
        AutoModelForCausalLM.from_pretrained(base), LoraConfig(r=4, lora_alpha=8, target_modules="all-linear")
    )
    torch.manual_seed(5)
    for name, parameter in model.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(parameter, std=scale)
    model.save_pretrained(folder)
    return folder


def logits(model: torch.nn.Module) -> torch.Tensor:
    with torch.no_grad():
        return model.eval()(input_ids=torch.arange(SMALL["vocab_size"])[None]).logits


@pytest.mark.parametrize("recorded", [True, False], ids=["ours", "plain peft"])
def test_merged_equals_unmerged(recorded: bool, base: Path, tmp_path: Path) -> None:
    adapter = save_adapter(base, tmp_path / "adapter")
    if recorded:
        write_base(adapter, base)
    made = merge(base, adapter, tmp_path / "merged")
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    unmerged = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), adapter)
    assert torch.allclose(logits(merged), logits(unmerged), rtol=1e-4, atol=1e-4)
    assert not torch.allclose(logits(merged), logits(AutoModelForCausalLM.from_pretrained(base)), atol=1e-2)
    assert made.dtype == "float32"
    assert made.difference < 1e-5
    assert (tmp_path / "merged" / "knowcoder.json").read_bytes() == (base / "knowcoder.json").read_bytes()
    assert not list((tmp_path / "merged").glob("*.bin"))


def test_the_merged_model_is_asked_as_the_adapter_was_trained(base: Path, tmp_path: Path) -> None:
    adapter = save_adapter(base, tmp_path / "adapter")
    (adapter / "knowcoder.json").write_text('{"wrapper": "published"}')
    merge(base, adapter, tmp_path / "merged")
    assert (tmp_path / "merged/knowcoder.json").read_bytes() == (adapter / "knowcoder.json").read_bytes()


def test_the_number_format_is_chosen(base: Path, tmp_path: Path) -> None:
    adapter = save_adapter(base, tmp_path / "adapter")
    merge(base, adapter, tmp_path / "full")
    made = merge(base, adapter, tmp_path / "half", "bf16")
    full, half = (load_file(tmp_path / name / "model.safetensors") for name in ("full", "half"))
    assert made.dtype == "bfloat16"
    assert all(torch.equal(full[name].to(torch.bfloat16), half[name]) for name in full), "added in fp32, rounded once"


def test_another_base_is_refused(base: Path, tmp_path: Path) -> None:
    adapter = save_adapter(base, tmp_path / "adapter")
    write_base(adapter, base)
    with pytest.raises(ModelError, match="not the base"):
        merge(save_small_model(tmp_path / "other", seed=1, num_hidden_layers=2), adapter, tmp_path / "merged")
    wide, plain = (
        save_small_model(tmp_path / "wide", hidden_size=64, num_hidden_layers=2),
        save_adapter(base, tmp_path / "plain"),
    )
    with pytest.raises(ModelError, match="does not fit"):
        merge(wide, plain, tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


def test_the_fingerprint_is_of_weights_not_of_files(base: Path, tmp_path: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(base)
    model.save_pretrained(tmp_path / "sharded", max_shard_size="20KB")
    assert len(list((tmp_path / "sharded").glob("*.safetensors"))) > 1
    assert base_fingerprint(tmp_path / "sharded") == base_fingerprint(base)
    model.model.layers[1].mlp.up_proj.weight.data += 0.01
    model.save_pretrained(tmp_path / "changed")
    assert base_fingerprint(tmp_path / "changed") != base_fingerprint(base)


def test_a_broken_adapter_is_found(base: Path, tmp_path: Path) -> None:
    adapter = save_adapter(base, tmp_path / "adapter")
    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), adapter)
    check_adapter(adapter, model)
    whole = load_file(adapter / "adapter_model.safetensors")
    name = sorted(whole)[0]
    for broken, message in (
        ({key: value for key, value in whole.items() if key != name}, "1 of 28 tensors"),
        ({**whole, name: torch.empty(0)}, "should have shape"),
        ({key: value * ("lora_A" in key) for key, value in whole.items()}, "lora_B"),
    ):
        save_file(broken, adapter / "adapter_model.safetensors")
        with pytest.raises(ModelError, match=message):
            check_adapter(adapter, model)
