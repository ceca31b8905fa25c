"""Instruction tuning on two processes: the engine that was asked for runs, and gives what one process gives."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from knowcoder.config import LoraConfig, SftConfig
from knowcoder.errors import ConfigError, ModelError
from knowcoder.train.adapter import check_adapter
from knowcoder.train.engine import assert_engine, check_engine, zero_config
from tests.tuning import facts_of_two, losses, run, run_on_two, settings, weights

LORA = LoraConfig(rank=4, alpha=8.0, dropout=0.0)
ADAPTERS: dict[str, Any] = {"tuning": "lora", "lora": LORA}


MAIN_MEMORY = "optimizer and weights in main memory"


@pytest.mark.parametrize(
    ("keys", "engine"),
    [
        ({"deepspeed": "none"}, "DistributedDataParallel"),
        pytest.param({"deepspeed": "zero0"}, "DeepSpeedEngine at stage 0", marks=pytest.mark.slow),
        pytest.param({"deepspeed": "zero1"}, "DeepSpeedEngine at stage 1", marks=pytest.mark.slow),
        pytest.param({"deepspeed": "zero2"}, "DeepSpeedEngine at stage 2", marks=pytest.mark.slow),
        pytest.param({"deepspeed": "zero3"}, "DeepSpeedEngine at stage 3", marks=pytest.mark.slow),
        pytest.param(
            {"deepspeed": "zero1", "offload": True},
            "DeepSpeedEngine at stage 1, optimizer in main memory",
            marks=pytest.mark.slow,
        ),
        ({"deepspeed": "zero2", "offload": True}, "DeepSpeedEngine at stage 2, optimizer in main memory"),
        pytest.param(
            {"deepspeed": "zero3", "offload": True},
            f"DeepSpeedEngine at stage 3, {MAIN_MEMORY}",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            {"deepspeed": "zero3", "gradient_checkpointing": True}, "DeepSpeedEngine at stage 3", marks=pytest.mark.slow
        ),
    ],
    ids=lambda given: "-".join(map(str, given.values())) if isinstance(given, dict) else "",
)
def test_two_processes_are_one(keys: dict[str, Any], engine: str, model: Path, data: Path, tmp_path: Path) -> None:
    run(settings(model, data, tmp_path / "one"))
    run_on_two(settings(model, data, tmp_path / "two", **keys))
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), abs=2e-5)
    one, two = weights(tmp_path / "one"), weights(tmp_path / "two")
    assert one.keys() == two.keys()
    assert all(torch.allclose(one[name], two[name], atol=1e-3) for name in one)
    assert facts_of_two(tmp_path / "two")["engine"] == engine
    assert f"{engine} runs" in (tmp_path / "two/logs/rank-001.log").read_text()


@pytest.mark.parametrize(
    ("keys", "tolerance"),
    [
        ({"tuning": "dora", "offload": True, "gradient_checkpointing": True}, 1e-4),
        pytest.param({}, 1e-4, marks=pytest.mark.slow),
        pytest.param({"precision": "bf16"}, 2e-2, marks=pytest.mark.slow),
    ],
    ids=["dora offloaded", "lora", "lora bf16"],
)
def test_adapter_under_zero3_is_whole(
    keys: dict[str, Any], tolerance: float, model: Path, data: Path, tmp_path: Path
) -> None:
    run_on_two(settings(model, data, tmp_path / "two", deepspeed="zero3", save_every=4, **ADAPTERS | keys))
    base = AutoModelForCausalLM.from_pretrained(model)
    for folder in (tmp_path / "two", tmp_path / "two/checkpoints/checkpoint-4"):
        check_adapter(folder, PeftModel.from_pretrained(base, folder))
        assert len(weights(folder, "adapter_model")) == (3 if keys.get("tuning") == "dora" else 2) * 7 * 2
        base = AutoModelForCausalLM.from_pretrained(model)
    alone = {key: value for key, value in keys.items() if key != "offload"}
    run(settings(model, data, tmp_path / "one", **ADAPTERS | alone))
    assert losses(tmp_path / "two") == pytest.approx(losses(tmp_path / "one"), abs=tolerance)


@pytest.mark.slow
def test_two_processes_go_on_with_an_adapter_and_after_a_cut(model: Path, data: Path, tmp_path: Path) -> None:
    """Two phases under ZeRO-3, the second on the first one's adapter, and cut off between."""
    run_on_two(settings(model, data, tmp_path / "first", deepspeed="zero3", steps=3, **ADAPTERS))
    keys = ADAPTERS | {"adapter": str(tmp_path / "first"), "save_every": 3, "steps": 6}
    run_on_two(settings(model, data, tmp_path / "whole", deepspeed="zero3", **keys))
    run(settings(model, data, tmp_path / "one", **keys))
    assert losses(tmp_path / "whole") == pytest.approx(losses(tmp_path / "one"), abs=1e-4)
    last = tmp_path / "whole/checkpoints/checkpoint-6"
    last.rename(tmp_path / "gone")
    expected = losses(tmp_path / "whole")
    run_on_two(settings(model, data, tmp_path / "whole", deepspeed="zero3", resume=True, **keys))
    assert losses(tmp_path / "whole") == pytest.approx(expected, abs=1e-6)


def test_what_zero_is_told_is_what_the_keys_say() -> None:
    told = zero_config(SftConfig(deepspeed="zero3", offload=True, micro_batch=3, clip=0.5, precision="bf16"), 7)
    assert told["zero_optimization"]["stage"] == 3
    assert told["zero_optimization"]["offload_optimizer"]["device"] == "cpu"
    assert told["zero_optimization"]["offload_param"]["device"] == "cpu"
    assert (told["train_micro_batch_size_per_gpu"], told["gradient_accumulation_steps"]) == (3, 7)
    assert (told["gradient_clipping"], told["bf16"]["enabled"], told["fp16"]["enabled"]) == (0.5, True, False)


def test_another_engine_than_asked_for_is_found(model: Path) -> None:
    plain = AutoModelForCausalLM.from_pretrained(model)
    assert assert_engine(plain, "LlamaForCausalLM", SftConfig()) == "LlamaForCausalLM"
    with pytest.raises(ModelError, match="should run DeepSpeedEngine at stage 2, but LlamaForCausalLM runs"):
        assert_engine(plain, "LlamaForCausalLM", SftConfig(deepspeed="zero2"))


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"optimizer": "muon", "deepspeed": "zero1"}, "needs whole matrices"),
        ({"offload": True}, "deepspeed=none shards nothing"),
        ({"offload": True, "deepspeed": "zero0"}, "deepspeed=zero0 shards nothing"),
        ({"tuning": "qlora", "deepspeed": "zero3"}, "zero3 cannot gather"),
    ],
)
def test_keys_that_do_not_go_together_are_refused(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        check_engine(SftConfig(**keys))
