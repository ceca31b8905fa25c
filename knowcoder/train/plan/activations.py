"""What a micro-batch needs beside the weights: the model's own code runs over tensors without data, and is counted.

Nothing is computed and no memory taken, so a layer of a model of 70 billion parameters passes in milliseconds, whatever
its architecture. Layers are alike: two short runs give the slope for all others.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.nn.functional import scaled_dot_product_attention
from torch.utils._pytree import tree_leaves
from torch.utils.checkpoint import checkpoint
from transformers import AttentionInterface, AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel
from transformers.masking_utils import AttentionMaskInterface

from knowcoder.checkpoint.mapping import DTYPES
from knowcoder.config import SftConfig
from knowcoder.errors import ModelError
from knowcoder.train.adapter import add_adapter
from knowcoder.train.loss import chunked_loss, token_losses
from knowcoder.train.plan.live import LiveBytes

_ATTENTION = "knowcoder_planned"
#: How documents of a row are kept apart: one by one (processors), by a kernel that knows of them, or by a mask.
DOCUMENTS, FLASH, MASKED = "documents", "flash", "masked"


@dataclass(frozen=True)
class MicroBatch:
    """Rows, the places for tokens of each, and the trained tokens in all of them."""

    rows: int
    length: int
    trained: int


@dataclass(frozen=True)
class Footprint:
    """Bytes: `kept` of a micro-batch between its two passes, `peak` the most while one goes through."""

    kept: float
    peak: float


@dataclass(frozen=True)
class StageShape:
    """What one stage of a pipeline holds: so many layers, and whether it has the first and the last piece."""

    layers: int
    first: bool
    last: bool


@dataclass(frozen=True)
class Growth:
    """How a footprint grows with the layers: `first` is that of `start` layers, `more` what `step` others add."""

    start: int
    step: int
    first: Footprint
    more: Footprint

    def at(self, layers: int) -> Footprint:
        times = (layers - self.start) / self.step
        return Footprint(self.first.kept + times * self.more.kept, self.first.peak + times * self.more.peak)


def stage_growth(
    config: PreTrainedConfig, stage: StageShape, batch: MicroBatch, dtype: torch.dtype, interval: int, attention: str
) -> Growth:
    """Return what a micro-batch needs on a stage of the pipeline, by the number of its layers.

    Args:
        stage: its layers are as few as stand for others: `start_of` them.
        interval: layers that are recomputed together; 0 keeps everything.
        attention: how documents are kept apart: by DOCUMENTS, FLASH or MASKED.
    """

    def run(layers: int) -> Footprint:
        model = _model(config, layers, dtype, attention)
        with FakeTensorMode():
            _on_processor(model)
            return _run_stage(model, StageShape(layers, stage.first, stage.last), batch, interval)

    return _growth(run, stage.layers, max(1, interval))


def start_of(layers: int, interval: int) -> int:
    """Return the fewest layers from which a stage of so many is reached by adding whole intervals."""
    step = max(1, interval)
    return layers if layers < step else step + layers % step


def tuning_footprint(config: PreTrainedConfig, settings: SftConfig, batch: MicroBatch, attention: str) -> Footprint:
    """Return what a micro-batch needs in instruction tuning, adapters and checkpointing as `settings` say."""
    half = DTYPES[settings.precision]
    frozen = settings.tuning != "full"
    # DeepSpeed trains the number format itself; without it the weights stay fp32 and the arithmetic is cast.
    cast = half != torch.float32 and settings.deepspeed == "none"
    dtype = half if frozen or not cast else torch.float32

    def run(layers: int) -> Footprint:
        model = _model(config, layers, dtype, attention)
        if settings.gradient_checkpointing:
            model.gradient_checkpointing_enable({"use_reentrant": False})
        whole: Any = _adapted(model, settings) if frozen else model
        with FakeTensorMode():
            _on_processor(whole)
            return _run_whole(model, whole, batch, torch.autocast("cpu", half) if cast else nullcontext())

    return _growth(run, 1, 1).at(config.num_hidden_layers)


def adapter_size(config: PreTrainedConfig, settings: SftConfig) -> int:
    """Count the parameters of the adapter that `settings` put on a model."""

    def run(layers: int) -> Footprint:
        adapted = _adapted(_model(config, layers, torch.float32, FLASH), settings)
        return Footprint(sum(p.numel() for p in adapted.parameters() if p.requires_grad), 0)

    return round(_growth(run, 1, 1).at(config.num_hidden_layers).kept)


def _adapted(model: PreTrainedModel, settings: SftConfig) -> nn.Module:
    return add_adapter(model, settings.lora, dora=settings.tuning == "dora")


def _growth(run: Callable[[int], Footprint], start: int, step: int) -> Growth:
    try:
        one, two = run(start), run(start + step)
    except Exception as error:  # whatever an architecture may do that tensors without data cannot
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise ModelError(f"the memory of this model cannot be reckoned: {reason}") from error
    return Growth(start, step, one, Footprint(two.kept - one.kept, two.peak - one.peak))


def _model(config: PreTrainedConfig, layers: int, dtype: torch.dtype, attention: str) -> PreTrainedModel:
    """Make a model of so many layers that has shapes and nothing else."""
    small = copy.deepcopy(config)
    small.num_hidden_layers = layers
    if getattr(config, "layer_types", None):
        small.layer_types = (config.layer_types * layers)[:layers]
    AttentionInterface.register(_ATTENTION, partial(_attention, attention))
    AttentionMaskInterface.register(_ATTENTION, _no_mask)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(small, dtype=dtype, attn_implementation=_ATTENTION)
    return model.train()


def _on_processor(model: nn.Module) -> None:
    """Let the tensors of a model seem to lie on a processor, where automatic casts apply; gradients beside them."""
    made: dict[int, nn.Parameter] = {}  # tied weights stay one
    for module in model.modules():
        for name, parameter in module._parameters.items():
            if parameter is None:
                continue
            if id(parameter) not in made:
                data = torch.empty(parameter.shape, dtype=parameter.dtype)
                made[id(parameter)] = nn.Parameter(data, requires_grad=parameter.requires_grad)
                if parameter.requires_grad:
                    made[id(parameter)].grad = torch.empty_like(data)
            module._parameters[name] = made[id(parameter)]
        for name, buffer in module._buffers.items():
            if buffer is not None:
                module._buffers[name] = torch.empty(buffer.shape, dtype=buffer.dtype)


def _run_stage(model: PreTrainedModel, stage: StageShape, batch: MicroBatch, interval: int) -> Footprint:
    ids, positions, places, targets = _inputs(batch)
    call = _layer_arguments(model, ids, positions)
    backbone = model.base_model
    plan = list(model.config.base_model_pp_plan)
    embed, norm = getattr(backbone, plan[0]), getattr(backbone, plan[-1])
    head = model.get_output_embeddings()
    shape = (batch.rows, batch.length, model.config.hidden_size)

    def through(layers: Any, hidden: torch.Tensor) -> torch.Tensor:
        for layer in layers:
            output = layer(hidden, **call)
            hidden = output[0] if isinstance(output, tuple) else output
        return hidden

    def forward(received: torch.Tensor | None) -> torch.Tensor:
        hidden = embed(ids) if received is None else received.clone()
        layers = list(backbone.layers)
        for start in range(0, len(layers), interval or len(layers)):
            part = layers[start : start + (interval or len(layers))]
            hidden = (
                checkpoint(through, part, hidden, use_reentrant=False, preserve_rng_state=False)
                if interval
                else through(part, hidden)
            )
        if not stage.last:
            return hidden
        chosen = norm(hidden).flatten(0, 1)[places]
        return chunked_loss(head, chosen, targets, model.config.vocab_size, head.parameters())[0]

    with LiveBytes(_held(model, ids, positions, places, targets, *tree_leaves(call))) as live:
        received = None if stage.first else torch.empty(shape, dtype=model.dtype, requires_grad=True)
        output = forward(received)
        kept = live.live
        output.backward(torch.empty_like(output))
        peak = live.peak
    # Where a neighbour's message lands before it is copied: hidden states of one side, gradients of the other.
    buffers = (
        (2 - stage.first - stage.last) * batch.rows * batch.length * model.config.hidden_size * model.dtype.itemsize
    )
    return Footprint(kept, peak + buffers)


def _run_whole(model: PreTrainedModel, trained: Any, batch: MicroBatch, context: Any) -> Footprint:
    ids, positions, places, targets = _inputs(batch)
    select: Any = lambda _, inputs: (inputs[0].flatten(0, 1)[places].unsqueeze(0),)  # noqa: E731
    model.get_output_embeddings().register_forward_pre_hook(select)
    with LiveBytes(_held(trained, ids, positions, places, targets)) as live:
        with context:  # logits are not held on to
            loss = token_losses(
                trained(input_ids=ids, position_ids=positions, use_cache=False).logits.squeeze(0), targets
            ).sum()
        kept = live.live
        loss.backward()
        peak = live.peak
    return Footprint(kept, peak)


def _inputs(batch: MicroBatch) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    ids = torch.zeros(batch.rows, batch.length, dtype=torch.long)
    return ids, torch.zeros_like(ids), *torch.zeros(2, batch.trained, dtype=torch.long).unbind()


def _held(model: nn.Module, *others: Any) -> list[Any]:
    """Return what is there before the micro-batch: weights, gradients of those that are trained, and `others`."""
    parameters = list(model.parameters())
    return [*parameters, *(parameter.grad for parameter in parameters), *model.buffers(), *others]


def _layer_arguments(model: PreTrainedModel, ids: torch.Tensor, positions: torch.Tensor) -> dict[str, Any]:
    """Return what the backbone calls its first layer with, beside the hidden states."""
    found: dict[str, Any] = {}
    note: Any = lambda _, __, settings: found.update(settings)  # noqa: E731
    hook = model.base_model.layers[0].register_forward_pre_hook(note, with_kwargs=True)
    with torch.no_grad():
        model.base_model(input_ids=ids, position_ids=positions, use_cache=False)
    hook.remove()
    return found


class _Keeping(torch.autograd.Function):
    """Hands a tensor on, and keeps another for the backward pass."""

    @staticmethod
    def forward(ctx: Any, passed: torch.Tensor, kept: torch.Tensor) -> torch.Tensor:
        ctx.save_for_backward(kept)
        return passed.view_as(passed)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor, None]:
        return grads[0], None


def _attention(
    way: str,
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    mask: None,
    scaling: float | None = None,
    dropout: float = 0.0,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """Attend as training does, as far as memory goes: what is copied and what is kept."""
    groups = query.shape[1] // key.shape[1]
    if groups > 1:
        key, value = (part.repeat_interleave(groups, dim=1) for part in (key, value))
    if torch.is_autocast_enabled("cpu"):
        query, key, value = (part.to(torch.get_autocast_dtype("cpu")) for part in (query, key, value))
    if way != DOCUMENTS:
        attended = scaled_dot_product_attention(query, key, value, is_causal=True, scale=scaling, dropout_p=dropout)
        if way == MASKED:  # each layer turns it into numbers of its own
            attended = _Keeping.apply(attended, query.new_empty(len(query), 1, query.shape[2], query.shape[2]))
        return attended.transpose(1, 2).contiguous(), None
    rows = []
    for row in zip(query.unbind(), key.unbind(), value.unbind(), strict=True):
        q, k, v = (part[None] for part in row)
        rows.append(scaled_dot_product_attention(q, k, v, is_causal=True, scale=scaling, dropout_p=dropout)[0])
    return torch.stack([torch.cat([row], dim=1) for row in rows]).transpose(1, 2).contiguous(), None


def _no_mask(*_: Any, **__: Any) -> None:
    """Documents are told apart by their positions alone."""
