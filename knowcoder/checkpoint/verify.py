"""Whether a conversion kept a model: every tensor's bytes, and what it computes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import PreTrainedModel

from knowcoder.checkpoint.checksums import as_bytes
from knowcoder.checkpoint.convert import cast
from knowcoder.checkpoint.folder import is_pipeline, model_root
from knowcoder.checkpoint.mapping import DTYPES, load_model, meta_model, piece_map, read_config
from knowcoder.checkpoint.weights import weights_of
from knowcoder.errors import ModelError

_TOKENS = 32


@dataclass(frozen=True)
class Verified:
    """What was compared: the bytes of so many tensors, and logits, or why these were not."""

    tensors: int
    logits: str


def verify(source: Path, output: Path, dtype: str = "") -> Verified:
    """Compare a converted model with what it was made of: its tensors one by one, then logits if memory allows.

    Args:
        source, output: model folders of either form.
        dtype: the number format that was asked for; empty where it was kept.

    Raises:
        ModelError: they differ; names file and tensor.
    """
    config = read_config(model_root(output))
    mapping = piece_map(meta_model(config))
    made_of, made = weights_of(source, mapping), weights_of(output, mapping)
    wanted = DTYPES[dtype] if dtype else None
    for name, tensor in made.tensors.items():
        expected = made_of.tensors[name]
        expected = cast(expected, wanted) if wanted or not expected.is_contiguous() else expected
        if tensor.dtype != expected.dtype or not torch.equal(as_bytes(tensor), as_bytes(expected)):
            raise ModelError(f"{made.files[name]}: tensor {name} differs from {made_of.files[name]}")
    formats = {tensor.dtype for tensor in made.tensors.values()}
    size = sum(tensor.nbytes for tensor in made.tensors.values())
    if len(formats) > 1:
        return Verified(len(made.tensors), "not compared: several number formats")
    if size * 1.2 > (free := _free_memory()):
        return Verified(len(made.tensors), f"not compared: the model takes {size:,} bytes, {free:,} are free")
    one, other = (_logits(folder, next(iter(formats))) for folder in (source, output))
    if not torch.equal(one.nan_to_num(), other.nan_to_num()):
        raise ModelError(f"{output}: its logits differ from those of {source} by {(one - other).abs().max():.1e}")
    return Verified(len(made.tensors), "equal")


@torch.no_grad()
def _logits(folder: Path, dtype: torch.dtype) -> torch.Tensor:
    model = _assembled(folder, dtype) if is_pipeline(folder) else load_model(folder, dtype)
    ids = torch.arange(_TOKENS)[None] % model.config.vocab_size
    return model.eval()(ids, use_cache=False).logits


def _assembled(folder: Path, dtype: torch.dtype) -> PreTrainedModel:
    """Make the Hugging Face model of a pipeline checkpoint in memory."""
    config = read_config(model_root(folder))
    model = meta_model(config)
    tensors = weights_of(folder, piece_map(model)).tensors
    return type(model).from_pretrained(None, config=config, state_dict=dict(tensors), dtype=dtype)


def _free_memory() -> int:
    """Bytes that can be had without swapping."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable"))
