"""The plan of a run: what it says of layout, memory, data, time and disk, and every mistake at once."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from knowcoder import artefact, stages
from knowcoder.checkpoint.mapping import meta_model, piece_map
from knowcoder.config import ParallelConfig, PlanConfig, PretrainConfig, load
from knowcoder.errors import ConfigError
from knowcoder.train.arithmetic import token_cost
from knowcoder.train.deepspeed_config import check_keys, pipeline_config
from knowcoder.train.devices import table_tflops
from knowcoder.train.plan import plan
from knowcoder.train.plan.report import peaks, planned_model
from tests.distributed import ROOT
from tests.packed import save_packed
from tests.small_models import save_small_model, small_config

OWN = PlanConfig(of="pretrain")


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> PretrainConfig:
    folder = tmp_path_factory.mktemp("plan")
    return PretrainConfig(
        model=str(save_small_model(folder / "model")),
        data=str(save_packed(folder / "data")),
        output=str(folder / "run"),
        steps=2,
        global_batch=8,
        micro_batch=2,
        precision="fp32",
        parallel=ParallelConfig(pp=2, processes=2),
    )


def changed(config: PretrainConfig, **values: Any) -> PretrainConfig:
    return msgspec.convert(artefact.plain(config) | values, PretrainConfig)


def test_a_plan_says_cut_batch_and_memory(config: PretrainConfig) -> None:
    text, mistakes = plan(config, OWN)
    assert mistakes == 0
    assert "2: 1 machines x 2; 2 stages x 1 data-parallel" in text
    assert "stage 0        embedding, 2 layers" in text
    assert "2 layers, head" in text
    assert "8 rows = 1 ranks x 4 micro-batches x 2 rows" in text
    assert "2 steps = 0.67 epochs" in text
    assert "pipeline idle  20.0% of the time" in text
    assert "for 2 checkpoints" in text
    assert "none found" in text


def test_every_mistake_is_found_at_once(config: PretrainConfig) -> None:
    wrong = changed(
        config,
        global_batch=54,
        micro_batch=4,
        precision="fp16",
        parallel={"pp": 8, "processes": 12},
        model=str(save_small_model(Path(config.output).parent / "short", max_position_embeddings=16, vocab_size=40)),
    )
    text, count = plan(wrong, OWN, ["data=x: packed with another tokenizer"])
    mistakes = [line.removeprefix("mistake").strip() for line in text.splitlines() if line.startswith("mistake")]
    assert len(mistakes) == count == 7
    for part in (
        "another tokenizer",
        "pp=8 does not divide 12",
        "global_batch=54 is not a multiple",
        "only 4 layers",
        "rows of 32 tokens, the model takes 16",
        "the model knows 40",
        "precision=fp16 needs a GPU",
    ):
        assert any(part in mistake for mistake in mistakes), part
    assert "note           global_batch=54 goes through all 24 rows more than once in a step" in text


def test_a_gpu_that_is_too_small_is_a_mistake_and_what_fits_is_said(config: PretrainConfig) -> None:
    text, count = plan(changed(config, cluster={"memory": 0.00003}), OWN)
    assert count == 1
    assert "no micro-batch fits" in text
    text, count = plan(changed(config, cluster={"memory": 1}), OWN)
    assert count == 0
    assert "micro_batch=8 is the largest that fits" in text


def test_missing_disk_is_a_mistake(config: PretrainConfig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.disk_usage", lambda path: type("usage", (), {"free": 1000}))
    text, count = plan(config, OWN)
    assert count == 1
    assert re.search(r"mistake .*0\.0 GiB are free, checkpoints need", text)


def test_more_processes_than_rows_is_a_mistake(config: PretrainConfig) -> None:
    text, _ = plan(changed(config, cluster={"nodes": 25, "gpus": 2}, parallel={"pp": 2}, global_batch=50), OWN)
    assert "25 data-parallel processes for 24 rows" in text


@pytest.mark.parametrize(
    "name",
    ["gemma3_text", "cohere", *[pytest.param(name, marks=pytest.mark.slow) for name in ("phi3", "gpt_neox", "olmo2")]],
)
def test_memory_is_known_of_any_architecture_and_grows_with_the_micro_batch(name: str, tmp_path: Path) -> None:
    small_config(name, num_hidden_layers=2).save_pretrained(tmp_path)
    made = PretrainConfig(model=str(tmp_path), data="", output="", global_batch=8, micro_batch=1)
    small = peaks(made, PlanConfig(max_length=64))
    large = peaks(changed(made, micro_batch=4), PlanConfig(max_length=64))
    again = peaks(changed(made, micro_batch=4, activation_checkpointing=1), PlanConfig(max_length=64))
    assert all(one < other for one, other in zip(small, large, strict=True))
    assert all(one > other for one, other in zip(large, again, strict=True))


def test_seventy_billion_parameters_are_planned_from_the_configuration_alone(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["model=llama-70b", "cluster=h100", "cluster.nodes=16", "cluster.gpus=8", "parallel.pp=16"]
    words += ["global_batch=1024", "micro_batch=1", "activation_checkpointing=1", "output=", "data="]
    stages.plan(PlanConfig(of="pretrain", max_length=4096, rows=2_000_000), load("pretrain", words))
    text = capsys.readouterr().out
    assert "128: 16 machines x 8; 16 stages x 8 data-parallel" in text
    assert "70,553,706,496" in text
    assert re.search(r"memory +\d+\.\d of 80\.0 GiB, .*: it fits", text)
    assert "GPU hours" in text


def test_mistakes_end_the_command(config: PretrainConfig, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigError, match="1 mistake would stop this run"):
        stages.plan(OWN, changed(config, global_batch=7))
    assert "global_batch=7 is not a multiple" in capsys.readouterr().out


def test_data_of_another_tokenizer_is_a_mistake(
    config: PretrainConfig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data, model = save_packed(tmp_path / "data"), save_small_model(tmp_path / "model")
    (model / "tokenizer.json").write_text("{}")
    manifest = artefact.require(data, "packed", key="data")
    manifest.facts["tokenizer"] = "that of another"
    manifest.save(data)
    with pytest.raises(ConfigError, match="1 mistake"):
        stages.plan(OWN, changed(config, model=str(model), data=str(data)))
    assert "packed with another tokenizer" in capsys.readouterr().out


def test_a_model_is_named_as_folder_file_or_architecture(tmp_path: Path) -> None:
    small_config("llama").save_pretrained(tmp_path)
    for name in (str(tmp_path), str(tmp_path / "config.json"), "tiny-llama"):
        assert planned_model(name).model_type == "llama"
    with pytest.raises(ConfigError, match="model=no such model: neither an architecture"):
        planned_model("no such model")


def test_deepspeed_is_given_no_key_that_it_does_not_know() -> None:
    for precision in ("fp32", "bf16", "fp16"):
        check_keys(pipeline_config(PretrainConfig(precision=precision), 2))
    with pytest.raises(ConfigError, match=r"gradient_cliping \(it knows gradient_clipping\)"):
        check_keys({"gradient_cliping": 1.0})
    with pytest.raises(ConfigError, match=r"zero_optimization\.stagee"):
        check_keys({"zero_optimization": {"stagee": 1}})


@given(layers=st.integers(1, 6), tokens=st.integers(1, 10_000), document=st.integers(1, 4096))
@settings(max_examples=20, deadline=None)
def test_operations_are_six_per_weight_and_those_of_attention(layers: int, tokens: int, document: int) -> None:
    """Against the usual count by hand, for a model without biases; the embedding is looked up and costs nothing."""
    model = small_config("llama", num_hidden_layers=layers, tie_word_embeddings=True)
    mapping = piece_map(meta_model(model))
    weights = sum(mapping.sizes())  # the head is the embedding, and is multiplied with
    found = token_cost(model).training(tokens, tokens, document)
    attention = 6 * layers * model.num_attention_heads * model.head_dim * document
    assert found == pytest.approx(tokens * (6 * weights + attention))


def test_peaks_are_found_by_the_names_that_drivers_give() -> None:
    names = {"NVIDIA H100 80GB HBM3": 989, "NVIDIA H100 PCIe": 756, "NVIDIA A100-SXM4-80GB": 312, "NVIDIA A10": 125}
    assert {name: table_tflops(name) for name in names} == names
    assert table_tflops("Some CPU") is None


def bench() -> ModuleType:
    path = ROOT / "scripts" / "bench" / "plan.py"
    spec = importlib.util.spec_from_file_location("bench_plan", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("few", [True, pytest.param(False, marks=pytest.mark.slow)])
@pytest.mark.parametrize("verb", ["pretrain", "sft"])
def test_planned_memory_is_that_of_training(verb: str, few: bool, tmp_path: Path) -> None:
    """Two stages in two processes, or LoRA: the most that tensors take at a time, as torch's profiler sees it."""
    found = bench().compare(verb, few, tmp_path)
    ratios = {json.dumps([case, rank]): planned / measured for case, rank, planned, measured in found}
    assert len(ratios) == (2 if few else 12) * (2 if verb == "pretrain" else 1)
    assert all(0.85 < ratio < 1.15 for ratio in ratios.values()), ratios
