"""What DeepSpeed is told, made from our keys: it takes unknown keys in silence, so nobody writes its JSON by hand."""

from __future__ import annotations

import difflib
from typing import Any

from knowcoder.config import PretrainConfig
from knowcoder.errors import ConfigError

_BUCKET = 50_000_000


def bucket_size(held: int) -> int:
    """Return how many elements of gradient are reduced at a time by a rank that holds so many parameters."""
    return min(_BUCKET, held)


def pipeline_config(
    config: PretrainConfig, accumulation: int, load_universal: bool = False, held: int = _BUCKET
) -> dict[str, Any]:
    """Return DeepSpeed's configuration of a pipeline run.

    Always ZeRO-1: without it clipping uses the norm of the first stage alone. Optimizer and schedule are ours.

    Args:
        accumulation: micro-batches per step and data-parallel rank.
        load_universal: read a checkpoint that was written for another number of stages or processes.
        held: parameters of this rank's stage.
    """
    bucket = bucket_size(held)
    settings: dict[str, Any] = {
        "train_batch_size": config.global_batch,
        "train_micro_batch_size_per_gpu": config.micro_batch,
        "gradient_accumulation_steps": accumulation,
        "gradient_clipping": config.clip,
        "zero_optimization": {"stage": 1, "reduce_bucket_size": bucket, "allgather_bucket_size": bucket},
        "zero_allow_untested_optimizer": True,
        "checkpoint": {"load_universal": load_universal},
        "steps_per_print": 1 << 62,
    }
    if config.precision == "bf16":
        settings |= {"bf16": {"enabled": True}, "data_types": {"grad_accum_dtype": "fp32"}}
    elif config.precision == "fp16":
        settings["fp16"] = {"enabled": True, "initial_scale_power": 12, "loss_scale_window": 1000, "hysteresis": 2}
    return settings


def check_keys(settings: dict[str, Any]) -> None:
    """Refuse a configuration with keys that the installed DeepSpeed does not know and would pass over in silence.

    Raises:
        ConfigError: there are such keys; with the nearest that it knows.
    """
    from deepspeed.runtime import constants
    from deepspeed.runtime.precision_config import DeepSpeedBF16Config, DeepSpeedFP16Config
    from deepspeed.runtime.zero.config import DeepSpeedZeroConfig

    models = {"zero_optimization": DeepSpeedZeroConfig, "bf16": DeepSpeedBF16Config, "fp16": DeepSpeedFP16Config}
    general = {value for name, value in vars(constants).items() if name.isupper() and isinstance(value, str)}
    wrong = []
    for name, value in settings.items():
        if name not in general | models.keys():
            wrong.append(_unknown(name, general | models.keys()))
        elif isinstance(value, dict):
            fields = models[name].model_fields if name in models else {}
            known = {part for field, info in fields.items() for part in (field, info.alias) if part} or general
            wrong += [_unknown(f"{name}.{part}", {f"{name}.{key}" for key in known}) for part in value.keys() - known]
    if wrong:
        raise ConfigError(f"DeepSpeed would pass over {', '.join(sorted(wrong))}")


def _unknown(name: str, known: set[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"{name} (it knows {near[0]})" if near else name
