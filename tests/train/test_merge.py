"""Merging: the merged model is base plus adapter, and only the adapter's own base is taken."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from knowcoder.errors import ConfigError, ModelError
from knowcoder.train.adapter import base_fingerprint, check_adapter, write_base
from knowcoder.train.merge import merge
from knowcoder.train.plan.live import LiveBytes
from tests.small_models import SMALL, save_small_model


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return save_small_model(tmp_path / "base", num_hidden_layers=2)


def save_adapter(base: Path, folder: Path, scale: float = 0.2, seed: int = 5, **keys: Any) -> Path:
    options = {"r": 4, "lora_alpha": 8, "target_modules": "all-linear"} | keys
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(base), LoraConfig(**options))
    torch.manual_seed(seed)
    for name, parameter in model.named_parameters():
        if "lora_" in name and "magnitude" not in name:
            torch.nn.init.normal_(parameter, std=scale)
        elif "modules_to_save" in name or "magnitude" in name:
            parameter.data *= 1.2
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
    made = merge(base, [adapter], tmp_path / "merged")
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    unmerged = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), adapter)
    assert torch.allclose(logits(merged), logits(unmerged), rtol=1e-4, atol=1e-4)
    assert not torch.allclose(logits(merged), logits(AutoModelForCausalLM.from_pretrained(base)), atol=1e-2)
    assert made.dtype == "float32"
    assert made.difference < 1e-5
    assert (tmp_path / "merged" / "knowcoder.json").read_bytes() == (base / "knowcoder.json").read_bytes()
    assert not list((tmp_path / "merged").glob("*.bin"))


@pytest.mark.parametrize(
    "keys",
    [
        {"use_dora": True},
        {"use_rslora": True, "rank_pattern": {"layers.0.mlp.up_proj": 2}},
        {"target_modules": ["q_proj"], "modules_to_save": ["lm_head"]},
    ],
    ids=["dora", "patterns", "a whole head"],
)
@pytest.mark.parametrize("model_type", ["llama", "qwen3", "gemma3_text"])
def test_whatever_form_of_lora_peft_saved(model_type: str, keys: dict[str, Any], tmp_path: Path) -> None:
    base = save_small_model(tmp_path / "base", model_type, num_hidden_layers=2, tie_word_embeddings=False)
    adapter = save_adapter(base, tmp_path / "adapter", **keys)
    made = merge(base, [adapter], tmp_path / "merged", shard_bytes=20_000)
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    unmerged = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), adapter)
    assert len(list((tmp_path / "merged").glob("*.safetensors"))) > 1
    assert torch.allclose(logits(merged), logits(unmerged), rtol=1e-4, atol=1e-4)
    assert not torch.allclose(logits(merged), logits(AutoModelForCausalLM.from_pretrained(base)), atol=1e-2)
    assert max(made.difference, made.rounded) < 1e-5


def test_several_adapters_are_added_up_by_their_weights(tmp_path: Path) -> None:
    base = save_small_model(tmp_path / "base", num_hidden_layers=2, tie_word_embeddings=True)
    one, other = save_adapter(base, tmp_path / "one"), save_adapter(base, tmp_path / "other", seed=6, r=2)
    merge(base, [one, other], tmp_path / "both", weights=[0.5, -1.0])
    merge(base, [one], tmp_path / "first")
    merge(base, [other], tmp_path / "second")
    merge(base, [one, other], tmp_path / "whole")
    names = ("base", "first", "second", "both", "whole")
    plain, first, second, both, whole = (load_file(tmp_path / name / "model.safetensors") for name in names)
    assert plain.keys() == both.keys()
    for name in plain:
        changes = first[name] - plain[name], second[name] - plain[name]
        assert torch.allclose(both[name], plain[name] + 0.5 * changes[0] - changes[1], atol=1e-5)
        assert torch.allclose(whole[name], plain[name] + changes[0] + changes[1], atol=1e-5)


def test_adapters_that_cannot_be_added_up_are_refused(base: Path, tmp_path: Path) -> None:
    lora, dora = save_adapter(base, tmp_path / "lora"), save_adapter(base, tmp_path / "dora", use_dora=True)
    with pytest.raises(ConfigError, match="give one for each of 2"):
        merge(base, [lora, lora], tmp_path / "merged", weights=[1.0])
    with pytest.raises(ConfigError, match="DoRA"):
        merge(base, [lora, dora], tmp_path / "merged")
    with pytest.raises(ConfigError, match="DoRA"):
        merge(base, [dora], tmp_path / "merged", weights=[0.5])
    with pytest.raises(ConfigError, match="biases"):
        merge(base, [save_adapter(base, tmp_path / "biases", bias="lora_only")], tmp_path / "merged")
    other = save_adapter(base, tmp_path / "other")
    for number, adapter in enumerate((lora, other)):
        (adapter / "knowcoder.json").write_text(f'{{"max_length": {number}}}')
    with pytest.raises(ConfigError, match="different styles"):
        merge(base, [lora, other], tmp_path / "merged")
    tied = save_small_model(tmp_path / "tied", num_hidden_layers=2, tie_word_embeddings=True)
    head = save_adapter(tied, tmp_path / "head", target_modules=["q_proj"], modules_to_save=["lm_head"])
    with pytest.raises(ModelError, match="changes lm_head, which has no weight of its own"):
        merge(tied, [head], tmp_path / "merged")
    assert not (tmp_path / "merged").exists()


class _InMemory(LiveBytes):
    """Counts tensors that have data."""

    def _add(self, storage: torch.UntypedStorage) -> None:
        if storage.device.type != "meta":
            super()._add(storage)


def test_memory_does_not_grow_with_the_model(tmp_path: Path) -> None:
    peaks, sizes = [], []
    for layers in (2, 8):
        base = save_small_model(tmp_path / f"base{layers}", num_hidden_layers=layers, hidden_size=64)
        adapter = save_adapter(base, tmp_path / f"adapter{layers}")
        with _InMemory() as live:
            merge(base, [adapter], tmp_path / f"merged{layers}", "bf16", shard_bytes=1)
        peaks.append(live.peak)
        files = (base / "model.safetensors", adapter / "adapter_model.safetensors")
        sizes.append([file.stat().st_size for file in files])
    (base_size, adapter_size) = (long - short for short, long in zip(*sizes, strict=True))
    mapped = 1.5 * base_size  # base and result are mapped from their files, the result at half the size
    assert peaks[1] - peaks[0] < mapped + 4 * adapter_size + 0.2 * base_size


def test_bin_weights_of_a_published_model_can_be_the_base(base: Path, tmp_path: Path) -> None:
    shutil.copytree(base, tmp_path / "old")
    torch.save(load_file(base / "model.safetensors"), tmp_path / "old/pytorch_model.bin")
    (tmp_path / "old/model.safetensors").unlink()
    assert base_fingerprint(tmp_path / "old") == base_fingerprint(base)
    adapter = save_adapter(base, tmp_path / "adapter")
    write_base(adapter, base)
    merge(tmp_path / "old", [adapter], tmp_path / "merged")
    merge(base, [adapter], tmp_path / "same")
    one, other = (load_file(tmp_path / name / "model.safetensors") for name in ("merged", "same"))
    assert all(torch.equal(one[name], other[name]) for name in one)


def test_a_mixture_of_experts(tmp_path: Path) -> None:
    """Its files name experts one by one, its modules hold them together."""
    base = save_small_model(tmp_path / "base", "mixtral", num_hidden_layers=2, num_local_experts=2)
    adapter = save_adapter(base, tmp_path / "adapter", target_modules=["q_proj", "v_proj"])
    made = merge(base, [adapter], tmp_path / "merged")
    merged = AutoModelForCausalLM.from_pretrained(tmp_path / "merged")
    unmerged = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), adapter)
    assert torch.allclose(logits(merged), logits(unmerged), rtol=1e-4, atol=1e-4)
    assert made.parameters == merged.num_parameters()


def test_the_merged_model_is_asked_as_the_adapter_was_trained(base: Path, tmp_path: Path) -> None:
    adapter = save_adapter(base, tmp_path / "adapter")
    (adapter / "knowcoder.json").write_text('{"wrapper": "published"}')
    merge(base, [adapter], tmp_path / "merged")
    assert (tmp_path / "merged/knowcoder.json").read_bytes() == (adapter / "knowcoder.json").read_bytes()


def test_the_number_format_is_chosen(base: Path, tmp_path: Path) -> None:
    adapter = save_adapter(base, tmp_path / "adapter")
    merge(base, [adapter], tmp_path / "full")
    made = merge(base, [adapter], tmp_path / "half", "bf16")
    full, half = (load_file(tmp_path / name / "model.safetensors") for name in ("full", "half"))
    assert made.dtype == "bfloat16"
    assert made.difference < 1e-5 < made.rounded < 0.1
    assert all(torch.equal(full[name].to(torch.bfloat16), half[name]) for name in full), "added in fp32, rounded once"


def test_another_base_is_refused(base: Path, tmp_path: Path) -> None:
    adapter = save_adapter(base, tmp_path / "adapter")
    write_base(adapter, base)
    with pytest.raises(ModelError, match="not the base"):
        merge(save_small_model(tmp_path / "other", seed=1, num_hidden_layers=2), [adapter], tmp_path / "merged")
    wide, plain = (
        save_small_model(tmp_path / "wide", hidden_size=64, num_hidden_layers=2),
        save_adapter(base, tmp_path / "plain"),
    )
    with pytest.raises(ModelError, match="does not fit"):
        merge(wide, [plain], tmp_path / "merged")
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
