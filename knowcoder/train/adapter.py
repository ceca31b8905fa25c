"""LoRA adapters: putting one on a model, checking that a saved one is whole, knowing the base it belongs to."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from peft import LoraConfig, PeftConfig, PeftModel, get_peft_model
from safetensors.torch import load_file
from transformers import PreTrainedModel

from knowcoder import config as keys
from knowcoder import jsonl
from knowcoder.checkpoint.weights import hf_tensors
from knowcoder.errors import ConfigError, ModelError

BASE = "base_model.json"
WEIGHTS = "adapter_model.safetensors"
_OLD_WEIGHTS = "adapter_model.bin"
_SAMPLED = 4096


def add_adapter(model: PreTrainedModel, settings: keys.LoraConfig, dora: bool = False) -> PeftModel:
    """Return `model` frozen, with a trainable adapter on every linear layer but the head (paper, section 4)."""
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
        use_dora=dora,
    )
    return get_peft_model(model, config)


def check_continued(adapter: Path, base: Path, tuning: str) -> None:
    """Check that `tuning` can go on with a saved adapter on this base.

    Raises:
        ConfigError: it is of another form. ModelError: it is no adapter, or the base is not its own.
    """
    config = adapter_config(adapter)
    if not isinstance(config, LoraConfig):
        # Soft prompts stand at the beginning of a row, where only its first document sees them.
        raise ConfigError(f"adapter={adapter}: is of type {config.peft_type}, only LoRA adapters can be continued")
    if config.use_dora != (tuning == "dora"):
        made = "dora" if config.use_dora else "lora or qlora"
        raise ConfigError(f"adapter={adapter} was made with tuning={made}; it cannot go on with tuning={tuning}")
    check_base(adapter, base)


def continue_adapter(model: PreTrainedModel, adapter: Path) -> PeftModel:
    """Return `model` frozen, with a saved adapter that is trained further.

    Raises:
        ModelError: it does not fit the model.
    """
    return load_adapter(model, adapter, is_trainable=True)


def adapter_config(adapter: Path) -> PeftConfig:
    """Read `adapter_config.json`.

    Raises:
        ModelError: there is none that peft can read.
    """
    try:
        return PeftConfig.from_pretrained(str(adapter))
    except (OSError, ValueError, TypeError) as error:
        raise ModelError(f"adapter={adapter}: no adapter that peft can read: {_first_line(error)}") from error


def load_adapter(model: PreTrainedModel, adapter: Path, **options: object) -> PeftModel:
    """Put a saved adapter on its base; `options` as of `PeftModel.from_pretrained`.

    Raises:
        ModelError: it does not fit the model.
    """
    try:
        return PeftModel.from_pretrained(model, str(adapter), **options)
    except (RuntimeError, ValueError, OSError) as error:
        raise ModelError(f"adapter={adapter} does not fit model={_path(model)}: {_first_line(error)}") from error


def check_adapter(folder: Path, model: PeftModel, trained: bool = True) -> None:
    """Check that the adapter saved in `folder` is all of `model`'s: names, shapes, something in every tensor.

    Args:
        trained: no half of it may be all zero; before the first update, every `lora_B` is.

    Raises:
        ModelError: a tensor is missing, unknown, empty, of another shape, not finite, or the adapter was not trained.
    """
    norms = dict.fromkeys(("lora_A", "lora_B"), 0.0)
    for name, tensor in check_names(folder, model).items():
        for half in norms:
            norms[half] += tensor.float().norm().item() if half in name else 0.0
    least = -1.0 if not trained else 0.0
    empty = [half for half, norm in norms.items() if not least < norm < float("inf")]
    if empty:
        raise ModelError(
            f"{folder / WEIGHTS}: {' and '.join(empty)} hold only zeros or no numbers: nothing was trained"
        )


def check_names(folder: Path, model: PeftModel, adapter: str = "default") -> dict[str, torch.Tensor]:
    """Return the tensors of the adapter saved in `folder`, which are those of `model`'s by name and shape.

    Raises:
        ModelError: one is missing, unknown, or of another shape.
    """
    wanted = {
        saved_name(name, adapter): tuple(getattr(parameter, "ds_shape", parameter.shape))
        for name, parameter in model.named_parameters()
        if f".{adapter}." in f"{name}." and ("lora_" in name or ".modules_to_save." in name)
    }
    tensors = _read(folder)
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    wrong = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
    if wrong:
        name = wrong[0]
        raise ModelError(
            f"{folder / WEIGHTS}: {len(wrong)} of {len(wanted)} tensors are wrong; {name} should have shape "
            f"{wanted.get(name)}, has {found.get(name)}"
        )
    return tensors


def _read(folder: Path) -> dict[str, torch.Tensor]:
    """Read the tensors of an adapter, which peft wrote in another format before."""
    if (folder / WEIGHTS).is_file():
        return load_file(folder / WEIGHTS)
    if (folder / _OLD_WEIGHTS).is_file():
        found: dict[str, torch.Tensor] = torch.load(folder / _OLD_WEIGHTS, map_location="cpu", weights_only=True)
        return found
    raise ModelError(f"{folder}: holds no {WEIGHTS}")


def saved_name(name: str, adapter: str) -> str:
    """Return what peft calls a parameter in its file."""
    saved = name.replace(f".modules_to_save.{adapter}", "").replace(f".{adapter}", "")
    return saved.removesuffix(".weight") if "lora_magnitude_vector" in saved else saved


def base_fingerprint(folder: Path) -> str:
    """Return a hash of a model's weights: names, shapes and a sample of every tensor, whatever the files' cut.

    Raises:
        ModelError: the folder has no weights.
    """
    digests = {}
    for name, tensor in hf_tensors(folder).items():
        # Stepping through the tensor reads some of every layer without reading all of a large model.
        sample = tensor.flatten()[:: max(1, tensor.numel() // _SAMPLED)].contiguous().view(torch.uint8)
        head = f"{name} {list(tensor.shape)} {tensor.dtype}".encode()
        digests[name] = hashlib.sha256(head + sample.numpy().tobytes()).hexdigest()
    return hashlib.sha256("".join(digests[name] for name in sorted(digests)).encode()).hexdigest()


def write_base(adapter: Path, base: Path) -> None:
    """Record in an adapter's folder which base it belongs to."""
    jsonl.write_json(adapter / BASE, {"path": str(base.resolve()), "fingerprint": base_fingerprint(base)})


def check_base(adapter: Path, base: Path) -> None:
    """Refuse a base that is not the adapter's; an adapter without our record is judged by its shapes when it is loaded.

    Raises:
        ModelError: the weights are not those that the adapter was trained on.
    """
    if not (adapter / BASE).is_file():
        return
    record = jsonl.read_json(adapter / BASE, dict[str, str])
    if base_fingerprint(base) != record["fingerprint"]:
        raise ModelError(f"model={base} is not the base of adapter={adapter}, which was trained on {record['path']}")


def _path(model: PreTrainedModel) -> str:
    return str(getattr(model.config, "_name_or_path", ""))


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
