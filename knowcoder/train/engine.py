"""The engine under the Trainer: DeepSpeed's ZeRO as the keys say, and a proof that it is what runs."""

from __future__ import annotations

import os
from typing import Any

import torch

from knowcoder.config import SftConfig
from knowcoder.errors import ConfigError, ModelError
from knowcoder.train import launch


def check_engine(config: SftConfig) -> None:
    """Refuse keys that do not go together.

    Raises:
        ConfigError: an optimizer or a form of weights that ZeRO cannot cut up, or nothing to keep in main memory.
    """
    if config.optimizer == "muon" and config.deepspeed != "none":
        raise ConfigError(
            "optimizer=muon needs whole matrices, which ZeRO cuts up: use deepspeed=none or optimizer=adamw"
        )
    if config.offload and config.deepspeed in ("none", "zero0"):
        raise ConfigError(f"offload=true moves what ZeRO shards; deepspeed={config.deepspeed} shards nothing")
    if config.tuning == "qlora" and config.deepspeed == "zero3":
        raise ConfigError("tuning=qlora: zero3 cannot gather weights of 4 bits again; use zero2 or tuning=lora")


def zero_config(config: SftConfig, accumulation: int) -> dict[str, Any]:
    """Return the whole DeepSpeed configuration of a run: nothing is left to its defaults that matters."""
    stage = _stage(config)
    zero: dict[str, Any] = {"stage": stage}
    if stage == 3:  # without it the last save would hold only one rank's part
        zero["stage3_gather_16bit_weights_on_model_save"] = True
    if config.offload:
        memory = {"device": "cpu", "pin_memory": torch.cuda.is_available()}
        zero |= {"offload_optimizer": memory} | ({"offload_param": memory} if stage == 3 else {})
    return {
        "train_micro_batch_size_per_gpu": config.micro_batch,
        "gradient_accumulation_steps": accumulation,
        "gradient_clipping": config.clip,
        "bf16": {"enabled": config.precision == "bf16"},
        "fp16": {"enabled": config.precision == "fp16"},
        "zero_optimization": zero,
        # DeepSpeed's own optimizer for processors has to be compiled first, and has other numbers.
        "zero_force_ds_cpu_optimizer": False,
        "steps_per_print": 1 << 62,
    }


def start_deepspeed() -> None:
    """Make accelerate use DeepSpeed on processors too, where it otherwise falls back to plain data parallelism unsaid.

    `use_cpu` alone drops DeepSpeed; ACCELERATE_USE_CPU must not be set, and the process group must exist before
    TrainingArguments look for it.
    """
    os.environ["ACCELERATE_USE_DEEPSPEED"] = "true"
    os.environ.pop("ACCELERATE_USE_CPU", None)
    launch.single()
    on_cpu = not torch.cuda.is_available()
    if on_cpu:
        os.environ["DS_ACCELERATOR"] = "cpu"
        import deepspeed.ops

        # A kernel for shared memory that would be compiled at the first run, and needs a compiler; gloo does without.
        deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    from accelerate import PartialState

    PartialState(backend="gloo" if on_cpu else "nccl")


def engine_name(engine: Any) -> str:
    """Return what runs, in words: the class that wraps the model, and how DeepSpeed was really set up."""
    name = type(engine).__name__
    if name != "DeepSpeedEngine":
        return name
    moved = [engine.zero_use_cpu_optimizer() and "optimizer", engine.zero_offload_param() is not None and "weights"]
    return _name(engine.zero_optimization_stage(), [str(part) for part in moved if part])


def assert_engine(engine: Any, plain: str, config: SftConfig) -> str:
    """Check that the engine that was asked for is the one that runs, and return its name.

    Args:
        engine: what wraps the model. plain: name of the model's own class.

    Raises:
        ModelError: another one does; the Trainer falls back in silence.
    """
    if config.deepspeed != "none":
        stage = _stage(config)
        wanted = _name(stage, (["optimizer"] + ["weights"] * (stage == 3)) if config.offload else [])
    else:
        wanted = "DistributedDataParallel" if torch.distributed.is_initialized() else plain
    if (name := engine_name(engine)) != wanted:
        raise ModelError(f"deepspeed={config.deepspeed} should run {wanted}, but {name} runs")
    return name


def _stage(config: SftConfig) -> int:
    return int(config.deepspeed.removeprefix("zero"))


def _name(stage: int, moved: list[str]) -> str:
    where = f", {' and '.join(moved)} in main memory" if moved else ""
    return f"DeepSpeedEngine at stage {stage}{where}"
