"""LoRA adapters: putting one on a model, checking that a saved one is whole, knowing the base it belongs to."""

from __future__ import annotations

import hashlib
from pathlib import Path

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors import safe_open
from transformers import PreTrainedModel

from knowcoder import config as keys
from knowcoder import jsonl
from knowcoder.errors import ModelError

BASE = "base_model.json"
WEIGHTS = "adapter_model.safetensors"
_SAMPLED = 4096


def add_adapter(model: PreTrainedModel, settings: keys.LoraConfig) -> PeftModel:
    """Return `model` frozen, with a trainable adapter on every linear layer but the head (paper, section 4)."""
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules="all-linear",
        task_type="CAUSAL_LM",
    )
    return get_peft_model(model, config)


def check_adapter(folder: Path, model: PeftModel) -> None:
    """Check that the adapter saved in `folder` is all of `model`'s: names, shapes, something in every tensor.

    Raises:
        ModelError: a tensor is missing, unknown, of another shape, or a half of the adapter is all zero.
    """
    wanted = {
        name.replace(".default", ""): tuple(getattr(parameter, "ds_shape", parameter.shape))
        for name, parameter in model.named_parameters()
        if "lora_" in name
    }
    with safe_open(folder / WEIGHTS, framework="pt") as file:
        found = {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
        norms = dict.fromkeys(("lora_A", "lora_B"), 0.0)
        for name in found:
            for half in norms:
                norms[half] += file.get_tensor(name).float().norm().item() if half in name else 0.0
    wrong = sorted(name for name in wanted.keys() | found.keys() if wanted.get(name) != found.get(name))
    if wrong:
        name = wrong[0]
        raise ModelError(
            f"{folder / WEIGHTS}: {len(wrong)} of {len(wanted)} tensors are wrong; {name} should have shape "
            f"{wanted.get(name)}, has {found.get(name)}"
        )
    empty = [half for half, norm in norms.items() if not 0 < norm < float("inf")]
    if empty:
        raise ModelError(
            f"{folder / WEIGHTS}: {' and '.join(empty)} hold only zeros or no numbers: nothing was trained"
        )


def base_fingerprint(folder: Path) -> str:
    """Return a hash of a model's weights: names, shapes and a sample of every tensor, whatever the files' cut.

    Raises:
        ModelError: the folder has no safetensors weights.
    """
    files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise ModelError(f"{folder}: no *.safetensors weights in this folder")
    digests = {}
    for path in files:
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118
                tensor = file.get_tensor(name).flatten()
                # Stepping through the tensor reads some of every layer without reading all of a large model.
                sample = tensor[:: max(1, tensor.numel() // _SAMPLED)].contiguous().view(torch.uint8)
                head = f"{name} {file.get_slice(name).get_shape()} {tensor.dtype}".encode()
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
