"""What DeepSpeed is told, made from our keys: it takes unknown keys in silence, so nobody writes its JSON by hand."""

from __future__ import annotations

from typing import Any

from knowcoder.config import PretrainConfig

_BUCKET = 50_000_000  # elements of gradient reduced at a time


def pipeline_config(config: PretrainConfig, accumulation: int, load_universal: bool = False) -> dict[str, Any]:
    """Return DeepSpeed's configuration of a pipeline run.

    Always ZeRO-1: without it clipping uses the norm of the first stage alone. Optimizer and schedule are ours.

    Args:
        accumulation: micro-batches per step and data-parallel rank.
        load_universal: read a checkpoint that was written for another number of stages or processes.
    """
    settings: dict[str, Any] = {
        "train_batch_size": config.global_batch,
        "train_micro_batch_size_per_gpu": config.micro_batch,
        "gradient_accumulation_steps": accumulation,
        "gradient_clipping": config.clip,
        "zero_optimization": {"stage": 1, "reduce_bucket_size": _BUCKET, "allgather_bucket_size": _BUCKET},
        "zero_allow_untested_optimizer": True,
        "checkpoint": {"load_universal": load_universal},
        "steps_per_print": 1 << 62,
    }
    if config.precision == "bf16":
        settings |= {"bf16": {"enabled": True}, "data_types": {"grad_accum_dtype": "fp32"}}
    elif config.precision == "fp16":
        settings["fp16"] = {"enabled": True, "initial_scale_power": 12, "loss_scale_window": 1000, "hysteresis": 2}
    return settings
