"""The memory of one rank in bytes: what it holds all the time, and what a step adds to that.

DeepSpeed's part is that of its code in version 0.19: ZeRO-1 keeps fp32 weights and AdamW's two averages of its own
part; in bf16 it sums gradients in fp32, whole; else it gathers them in buckets before a step and keeps its part.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from transformers import PreTrainedConfig

from knowcoder.checkpoint.mapping import DTYPES
from knowcoder.config import PretrainConfig, SftConfig
from knowcoder.train.deepspeed_config import bucket_size
from knowcoder.train.plan.activations import Footprint, MicroBatch, StageShape, tuning_footprint
from knowcoder.train.plan.shape import Stage

GIB = float(2**30)
#: Of a GPU's memory, what a plan fills at most: its driver, the collectives and holes between blocks need the rest.
USABLE = 0.92
_GATHERED = 1_000_000_000  # parameters that ZeRO-3 holds whole at a time


@dataclass(frozen=True)
class Memory:
    """Bytes of one rank: `stepping` is what the optimizer step adds while no micro-batch is under way."""

    weights: float
    gradients: float
    optimizer: float
    activations: float
    logits: float
    stepping: float

    @property
    def held(self) -> float:
        return self.weights + self.gradients + self.optimizer

    @property
    def peak(self) -> float:
        """The most there is at a time: in the passes of a micro-batch, or in the step."""
        return self.held + max(self.activations + self.logits, self.stepping)


def stage_memory(
    config: PretrainConfig,
    stage: Stage,
    in_flight: int,
    data_parallel: int,
    footprint: Callable[[StageShape], Footprint],
) -> Memory:
    """Return what a rank of a pipeline's stage needs.

    Args:
        footprint: what a micro-batch needs on a stage of a shape.
    """
    dtype = DTYPES[config.precision]

    def at_most(one: Footprint) -> float:
        return (in_flight - 1) * one.kept + one.peak

    whole = at_most(footprint(stage.shape))
    body = whole
    if stage.shape.last:
        body = min(whole, at_most(footprint(StageShape(stage.shape.layers, stage.shape.first, False))))
    held, part = stage.parameters, stage.parameters / data_parallel
    weight = dtype.itemsize
    second = held if config.optimizer == "adamw" else held - stage.in_layers  # Muon has one average of a matrix
    states = 4 * (held + second) / data_parallel
    bucket = min(held, bucket_size(held)) * weight
    if config.precision == "bf16":
        gradients, stepping = held * (weight + 4), 2 * 4 * part
    else:
        # What was averaged for the last step lies there until the next one.
        gradients, stepping = (held + part) * weight, bucket + 2 * 4 * part - part * weight
    return Memory(held * weight, gradients, 4 * part + states, body, whole - body, stepping)


def tuning_memory(
    config: SftConfig,
    model: PreTrainedConfig,
    parameters: int,
    adapter: int,
    world: int,
    batch: MicroBatch,
    attention: str,
) -> Memory:
    """Return what a rank needs in instruction tuning.

    Args:
        parameters: of the model. adapter: trained parameters beside it; 0 where all weights are trained.
    """
    passes = tuning_footprint(model, config, batch, attention)
    trained = adapter or parameters
    half = 2 if config.precision != "fp32" else 4
    zero = int(config.deepspeed.removeprefix("zero") or 0) if config.deepspeed != "none" else None
    if zero is None:
        frozen = 0.55 if config.tuning == "qlora" else half  # 4 bits, and the scales of their blocks
        weights = parameters * frozen + adapter * 4 if adapter else parameters * 4.0
        buckets = 4 * trained if world > 1 else 0
        return Memory(weights, 4 * trained + buckets, 8 * trained, passes.peak, 0, 0)
    weights = half * (parameters + adapter) / (world if zero == 3 else 1)
    if zero == 3:  # whole layers are gathered before they are used
        weights += half * min(parameters, _GATHERED)
    gradients = half * trained / (world if zero >= 2 else 1)
    optimizer = 12 * trained / (world if zero >= 1 else 1)
    if config.offload:
        optimizer = 0.0
    return Memory(weights, gradients, optimizer, passes.peak, 0, 4 * trained / world)
