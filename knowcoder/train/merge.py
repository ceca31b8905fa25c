"""Adapter + base -> one plain model, checked by logits against the two of them unmerged."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import torch
from peft import PeftModel
from transformers import PreTrainedModel

from knowcoder.checkpoint.init import copy_tokenizer
from knowcoder.checkpoint.mapping import DTYPES, load_model, read_config
from knowcoder.codec.model_card import MODEL_CARD
from knowcoder.errors import ModelError
from knowcoder.train.adapter import check_base

_TOLERANCE = 1e-4  # of the largest logit; rounding in fp32 stays a hundred times below


@dataclass(frozen=True)
class Merged:
    """What `merge` made: `difference` is the largest change of a logit in fp32, relative to the largest logit."""

    parameters: int
    dtype: str
    difference: float


def merge(model_dir: Path, adapter_dir: Path, output_dir: Path, dtype: str | None = None) -> Merged:
    """Add an adapter to its base in fp32 and write the result as safetensors in `dtype`.

    Args:
        model_dir: the base. adapter_dir: what `sft tuning=lora`, or plain peft, saved.
        output_dir: an existing folder, or one to make.
        dtype: `fp32`, `bf16` or `fp16`; None keeps the base's.

    Raises:
        ModelError: the base is not the adapter's, or the merged model answers differently.
    """
    check_base(adapter_dir, model_dir)
    target = DTYPES[dtype] if dtype else read_config(model_dir).dtype or torch.float32
    base = load_model(model_dir, torch.float32)
    try:
        model = PeftModel.from_pretrained(base, adapter_dir)
    except (RuntimeError, ValueError, OSError) as error:
        reason = str(error).splitlines()[0]
        raise ModelError(f"adapter={adapter_dir} does not fit model={model_dir}: {reason}") from error
    model.eval()
    probe = torch.randint(0, base.config.vocab_size, (1, 64), generator=torch.Generator().manual_seed(0))
    before = _logits(model, probe)
    merged: PreTrainedModel = model.merge_and_unload(safe_merge=True)
    after = _logits(merged, probe)
    difference = ((after - before).abs().max() / before.abs().max()).item()
    if not difference < _TOLERANCE:
        raise ModelError(f"the merged model's logits differ by {difference:.1e} from base and adapter: not written")
    merged.to(dtype=target)
    merged.save_pretrained(output_dir)
    copy_tokenizer(model_dir, output_dir)
    if (adapter_dir / MODEL_CARD).is_file():  # it was tuned on prompts of its own style, perhaps not the base's
        shutil.copyfile(adapter_dir / MODEL_CARD, output_dir / MODEL_CARD)
    return Merged(merged.num_parameters(), str(target).removeprefix("torch."), difference)


@torch.no_grad()
def _logits(model: torch.nn.Module, ids: torch.Tensor) -> torch.Tensor:
    return model(input_ids=ids).logits.float()
