"""What is trained: every form of adapter on every family, plain ones for plain peft; phases go on from one another."""

from __future__ import annotations

import shutil
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import LoraConfig as PeftLoraConfig
from peft import PeftModel, PromptTuningConfig, get_peft_model
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer, PreTrainedTokenizerFast

from knowcoder import jsonl
from knowcoder.codec.released import SYSTEM
from knowcoder.codec.wrapper import Wrapper, WrapperKind
from knowcoder.config import LoraConfig, SftConfig
from knowcoder.errors import ConfigError, ModelError
from knowcoder.packing.pack import IGNORED, ROWS, pack
from knowcoder.samples.sample import Sample
from knowcoder.train.merge import merge
from knowcoder.train.rows import PackedRows
from tests.tuning import LENGTH, losses, run, save_model, settings, weights

FAMILIES = ("llama", "qwen3", "gemma3_text")
LORA = LoraConfig(rank=4, alpha=8.0, dropout=0.1)


def logits(model: torch.nn.Module) -> torch.Tensor:
    with torch.no_grad():
        return model.eval()(input_ids=torch.arange(4, 4 + LENGTH)[None]).logits


def adapted(base: Path, adapter: Path) -> PeftModel:
    return PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(base), adapter)


@pytest.mark.parametrize("tuning", ["lora", "dora"])
@pytest.mark.parametrize("model_type", FAMILIES)
def test_the_adapter_is_a_plain_one(model_type: str, tuning: str, data: Path, tmp_path: Path) -> None:
    base = save_model(tmp_path / "base", model_type)
    facts = run(settings(base, data, tmp_path / "run", tuning=tuning, steps=2))
    plain = adapted(base, tmp_path / "run")
    assert torch.equal(logits(plain), logits(adapted(base, tmp_path / "run/checkpoints/checkpoint-2")))
    with plain.disable_adapter():
        untouched = logits(plain)
    assert not torch.allclose(untouched, logits(plain))
    saved = weights(tmp_path / "run", "adapter_model")
    assert all(".layers." in name for name in saved), "embeddings and head are left alone"
    assert len(saved) == (3 if tuning == "dora" else 2) * 7 * 2
    assert sum(tensor.numel() for tensor in saved.values()) == facts["trained_parameters"]
    options = plain.peft_config["default"]
    assert (options.r, options.lora_alpha, options.lora_dropout) == (32, 64, 0.1)
    assert options.use_dora == (tuning == "dora")
    assert facts["engine"] == "PeftModelForCausalLM"


@pytest.mark.parametrize("model_type", FAMILIES)
def test_all_weights_are_trained_and_plain(model_type: str, data: Path, tmp_path: Path) -> None:
    base = save_model(tmp_path / "base", model_type)
    facts = run(settings(base, data, tmp_path / "run", steps=2))
    before, after = weights(base), weights(tmp_path / "run")
    assert before.keys() == after.keys()
    assert not any(torch.equal(before[name], after[name]) for name in before if before[name].ndim == 2)
    assert facts["trained_parameters"] == facts["parameters"] == sum(tensor.numel() for tensor in after.values())
    AutoModelForCausalLM.from_pretrained(tmp_path / "run")


def test_an_adapter_goes_on_where_it_was(model: Path, data: Path, tmp_path: Path) -> None:
    keys: dict[str, Any] = {"tuning": "lora", "lora": LORA}
    run(settings(model, data, tmp_path / "following", steps=3, **keys))
    on = keys | {"adapter": str(tmp_path / "following"), "lora": LoraConfig(rank=2)}
    run(settings(model, data, tmp_path / "still", steps=1, **on | {"learning_rate": 0.0, "weight_decay": 0.0}))
    one, other = (weights(tmp_path / name, "adapter_model") for name in ("following", "still"))
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one), "rank and weights are the adapter's"
    run(settings(model, data, tmp_path / "refinement", steps=3, **on))
    merge(model, [tmp_path / "following"], tmp_path / "merged", "fp32")
    run(settings(tmp_path / "merged", data, tmp_path / "anew", steps=3, **keys))
    begun = [losses(tmp_path / name)[0] for name in ("refinement", "anew", "following")]
    assert begun[0] == pytest.approx(begun[1], abs=0.1)
    assert not torch.allclose(
        logits(adapted(model, tmp_path / "refinement")), logits(adapted(model, tmp_path / "still"))
    )
    made = merge(model, [tmp_path / "refinement"], tmp_path / "refined")
    assert made.difference < 1e-5


def test_models_and_adapters_that_others_saved_start_a_phase(model: Path, data: Path, tmp_path: Path) -> None:
    """As published: weights in the older format, adapters that peft saved, neither with files of ours."""
    published = tmp_path / "published"
    shutil.copytree(model, published)
    torch.save(weights(published), published / "pytorch_model.bin")
    for name in ("model.safetensors", "knowcoder.json"):
        (published / name).unlink()
    foreign = get_peft_model(
        AutoModelForCausalLM.from_pretrained(published), PeftLoraConfig(r=2, target_modules=["q_proj", "down_proj"])
    )
    foreign.save_pretrained(tmp_path / "adapter")
    run(settings(published, data, tmp_path / "full", steps=1))
    keys = {"tuning": "lora", "steps": 2, "adapter": str(tmp_path / "adapter")}
    run(settings(published, data, tmp_path / "on", **keys))
    assert len(weights(tmp_path / "on", "adapter_model")) == 2 * 2 * 2
    assert merge(published, [tmp_path / "on"], tmp_path / "merged").difference < 1e-5
    run(settings(tmp_path / "merged", data, tmp_path / "again", steps=1))


def test_what_cannot_go_on_is_said(model: Path, data: Path, tmp_path: Path) -> None:
    def refused(error: type[Exception], message: str, base: Path = model, **keys: Any) -> None:
        with pytest.raises(error, match=message):
            run(settings(base, data, tmp_path / "out", **{"tuning": "lora", "steps": 1} | keys))

    run(settings(model, data, tmp_path / "lora", tuning="lora", lora=LORA, steps=1))
    refused(ConfigError, "tuning=full has none", tuning="full", adapter=str(tmp_path / "lora"))
    refused(ConfigError, "made with tuning=lora or qlora", tuning="dora", adapter=str(tmp_path / "lora"))
    refused(ModelError, "no adapter that peft can read", adapter=str(model))
    other = save_model(tmp_path / "other", seed=3)
    refused(ModelError, "is not the base of adapter", base=other, adapter=str(tmp_path / "lora"))
    soft = get_peft_model(
        AutoModelForCausalLM.from_pretrained(model),
        PromptTuningConfig(
            task_type="CAUSAL_LM", num_virtual_tokens=2, num_layers=2, token_dim=32, num_attention_heads=4
        ),
    )
    soft.save_pretrained(tmp_path / "soft")
    refused(ConfigError, "only LoRA adapters can be continued", adapter=str(tmp_path / "soft"))


@pytest.mark.skipif(torch.cuda.is_available(), reason="says what is missing without a GPU")
def test_what_needs_a_gpu_is_refused_without_one(model: Path, data: Path, tmp_path: Path) -> None:
    for keys in ({"tuning": "qlora"}, {"precision": "fp16"}):
        with pytest.raises(ConfigError, match="needs a GPU"):
            run(settings(model, data, tmp_path / "out", **keys))


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU: 4-bit weights are unpacked by its kernels")
@pytest.mark.parametrize("model_type", FAMILIES)
def test_a_base_of_four_bits(model_type: str, data: Path, tmp_path: Path) -> None:
    base = save_model(tmp_path / "base", model_type, hidden_size=64)
    keys = {"tuning": "qlora", "lora": LORA, "precision": "bf16"}
    run(settings(base, data, tmp_path / "run", **keys))
    assert losses(tmp_path / "run")[-1] < losses(tmp_path / "run")[0]
    assert len(weights(tmp_path / "run", "adapter_model")) == 2 * 7 * 2
    assert merge(base, [tmp_path / "run"], tmp_path / "merged").difference < 1e-4


CHAT = (
    "{{ bos_token }}{% for m in messages %}<|{{ m.role }}|>{{ m.content }}<|end|>{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)


def save_tokenizer(folder: Path) -> Path:
    """A tokenizer of bytes with a chat template, which itself puts BOS in front."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    words = ["<s>", "</s>", "<pad>", "<|user|>", "<|assistant|>", "<|end|>", *alphabet]
    tokenizer = Tokenizer(models.BPE({word: number for number, word in enumerate(words)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token="<s>",
        eos_token="</s>",
        pad_token="<pad>",
        additional_special_tokens=words[3:6],
        chat_template=CHAT,
    ).save_pretrained(folder)
    return folder


FRAMES: dict[WrapperKind, str] = {
    "plain": "{}",
    "published": f"{SYSTEM}\nInput:\n{{}}\nOutput:\n",
    "chat": "<|user|>{}<|end|><|assistant|>",
}


@pytest.mark.parametrize("kind", FRAMES)
def test_packed_rows_decode_to_one_bos_the_prompt_in_its_frame_and_a_trained_answer_with_eos(
    kind: WrapperKind, tmp_path: Path
) -> None:
    folder = save_tokenizer(tmp_path / "tokenizer")
    pairs = [(f"class City{n}: ...\nfind all in </s> Oslo {n}", f'results = [City{n}("Oslo")]') for n in range(7)]
    samples = [Sample(prompt, answer, "NER", str(n), "here") for n, (prompt, answer) in enumerate(pairs)]
    jsonl.write(tmp_path / "samples.jsonl", samples)
    pack([tmp_path / "samples.jsonl"], Wrapper.from_folder(folder, kind), 1024, tmp_path)
    (tmp_path / "manifest.json").write_text('{"kind": "packed", "facts": {"max_length": 1024, "pad_token_id": 2}}')
    rows = PackedRows(tmp_path)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    found = []
    for index in range(len(rows)):
        ids, positions, labels = rows.row(index)
        edges = [*(positions == 0).nonzero()[0].tolist(), len(ids)]
        for start, end in pairwise(edges):
            own, trained = ids[start:end].tolist(), labels[start:end] != IGNORED
            assert own.count(tokenizer.bos_token_id) == 1
            assert own[0] == tokenizer.bos_token_id
            assert own.count(tokenizer.eos_token_id) == 1, "that in the sentence is text"
            assert own[-1] == tokenizer.eos_token_id
            first = trained.tolist().index(True)
            assert trained[first:].all(), "the answer is trained to its end, EOS included"
            assert (labels[start:end][trained] == ids[start:end][trained]).all()
            found.append((tokenizer.decode(own[1:first]), tokenizer.decode(own[first:-1])))
    assert sorted(found) == sorted((FRAMES[kind].format(prompt), answer) for prompt, answer in pairs)
    assert (tmp_path / ROWS).is_dir()
    assert rows.sources == ["here"]


def test_the_defaults_are_the_paper_s() -> None:
    defaults = SftConfig()
    assert (defaults.tuning, defaults.lora.rank, defaults.lora.alpha, defaults.lora.dropout) == ("lora", 32, 64.0, 0.1)
    assert (defaults.learning_rate, defaults.warmup_ratio, defaults.global_batch) == (3e-4, 0.03, 256)
