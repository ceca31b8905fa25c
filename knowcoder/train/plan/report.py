"""The plan of a run as text: layout, memory, data, time, disk, and every mistake that would stop it."""

from __future__ import annotations

import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from transformers import PreTrainedConfig
from transformers.utils import is_flash_attn_2_available

from knowcoder.checkpoint.folder import model_root
from knowcoder.checkpoint.init import read_model_config
from knowcoder.checkpoint.mapping import DTYPES, meta_model, read_config
from knowcoder.config import PlanConfig, PretrainConfig, SftConfig
from knowcoder.errors import ConfigError
from knowcoder.train.arithmetic import token_cost
from knowcoder.train.deepspeed_config import check_keys, pipeline_config
from knowcoder.train.devices import memory_gib, peak_tflops
from knowcoder.train.engine import check_engine, zero_config
from knowcoder.train.plan.activations import (
    DOCUMENTS,
    FLASH,
    MASKED,
    Footprint,
    Growth,
    StageShape,
    adapter_size,
    stage_growth,
    start_of,
)
from knowcoder.train.plan.memory import GIB, USABLE, Memory, stage_memory, tuning_memory
from knowcoder.train.plan.shape import Data, Shape, Stage, data_of, shape_of

_NAME_WIDTH = 15


@dataclass
class _Run:
    """What a plan is made from."""

    config: PretrainConfig | SftConfig
    model: PreTrainedConfig
    parameters: int
    shape: Shape
    data: Data
    device: float | None
    adapter: int
    known: dict[tuple[StageShape, int], Growth] = field(default_factory=dict)

    def memory(self, stage: Stage, micro_batch: int) -> Memory:
        """Return what a rank of a stage needs with micro-batches of so many rows."""
        config = self.config
        if isinstance(config, PretrainConfig):
            footprint = partial(self._footprint, config, micro_batch)
            return stage_memory(config, stage, self.shape.in_flight(stage), self.shape.data_parallel, footprint)
        flash = config.precision != "fp32" and is_flash_attn_2_available()
        way = DOCUMENTS if self.device is None else FLASH if flash else MASKED
        batch = self.data.padded(micro_batch) if way == MASKED else self.data.flat(micro_batch)
        return tuning_memory(config, self.model, self.parameters, self.adapter, self.shape.world, batch, way)

    def _footprint(self, config: PretrainConfig, micro_batch: int, shape: StageShape) -> Footprint:
        """Return what a micro-batch needs on a stage; stages in the middle are alike but for the number of layers."""
        interval = config.activation_checkpointing
        short = replace(shape, layers=start_of(shape.layers, interval))
        if (short, micro_batch) not in self.known:
            way = DOCUMENTS if self.device is None else MASKED
            batch, dtype = self.data.padded(micro_batch), DTYPES[config.precision]
            self.known[short, micro_batch] = stage_growth(self.model, short, batch, dtype, interval, way)
        return self.known[short, micro_batch].at(shape.layers)

    def memories(self) -> list[Memory]:
        """Return what a rank of every stage needs."""
        return [self.memory(stage, self.config.micro_batch) for stage in self.shape.stages]

    def largest_micro_batch(self) -> int:
        """Return the most rows that divide a rank's share of a step and fit; 0 where none do.

        What a row takes follows from two sizes of micro-batch.
        """
        assert self.device is not None
        usable, one = self.device * USABLE * GIB, self.config.micro_batch
        other = 1 if one > 1 else 2
        share = self.config.global_batch // self.shape.data_parallel
        fitting = [size for size in range(1, share + 1) if share % size == 0]
        for stage in self.shape.stages:
            here, there = self.memory(stage, one).peak, self.memory(stage, other).peak
            row = (there - here) / (other - one)
            fitting = [size for size in fitting if here + (size - one) * row <= usable]
        return max(fitting, default=0)


def plan(config: PretrainConfig | SftConfig, own: PlanConfig, mistakes: Sequence[str] = ()) -> tuple[str, int]:
    """Return the plan of a run as text, with every mistake that was found, and how many those are.

    Args:
        mistakes: what was found wrong before.

    Raises:
        ModelError, ConfigError: there is no configuration of a model, or it cannot be cut.
    """
    run, wrong = _read(config, own)
    memory = run.memories()
    found = [*mistakes, *wrong, *_engine_mistakes(config), *_row_mistakes(run), *_disk_mistakes(run)]
    found += _memory_mistakes(run, memory)
    lines = [*_layout(run), *_memory_lines(run, memory), *_steps(run), *_time(run), *_disk(run)]
    lines += [_line("note", note) for note in _notes(run)]
    lines += [_line("mistake", mistake) for mistake in found] or [_line("mistakes", "none found")]
    return "\n".join(lines), len(found)


def peaks(config: PretrainConfig | SftConfig, own: PlanConfig) -> list[float]:
    """Return the bytes that a rank of every stage needs at most; arguments and errors as of `plan`."""
    return [memory.peak for memory in _read(config, own)[0].memories()]


def _read(config: PretrainConfig | SftConfig, own: PlanConfig) -> tuple[_Run, list[str]]:
    model = planned_model(config.model)
    shape, wrong = shape_of(config, model)
    data, misfits = data_of(config, own, model)
    adapter = adapter_size(model, config) if isinstance(config, SftConfig) and config.tuning != "full" else 0
    parameters, device = meta_model(model).num_parameters(), memory_gib(config.cluster)
    return _Run(config, model, parameters, shape, data, device, adapter), [*wrong, *misfits]


def planned_model(name: str) -> PreTrainedConfig:
    """Return the configuration that `model=` names: of a model or checkpoint folder, a file, or in configs/model."""
    path = Path(name)
    if path.is_dir() and not (path / "config.json").is_file():
        return read_config(model_root(path))
    try:
        return read_model_config(name)
    except ConfigError as error:
        raise ConfigError(str(error).replace("config=", "model=", 1)) from error


def _layout(run: _Run) -> list[str]:
    shape, config = run.shape, run.config
    cut = f"{len(shape.stages)} stages x {shape.data_parallel} data-parallel"
    lines = [
        _line("processes", f"{shape.world}: {shape.nodes} machines x {shape.per_node}; {cut}"),
        _line("parameters", f"{run.parameters:,}" + (f", {run.adapter:,} trained" if run.adapter else "")),
    ]
    if isinstance(config, PretrainConfig):
        for stage in shape.stages:
            parts = ["embedding"] * stage.shape.first + [f"{stage.shape.layers} layers"] + ["head"] * stage.shape.last
            held = f"{stage.parameters:,} parameters, {shape.in_flight(stage)} micro-batches in flight"
            lines.append(_line(f"stage {stage.number}", f"{', '.join(parts)}: {held}"))
    return lines


def _memory_lines(run: _Run, memory: list[Memory]) -> list[str]:
    columns = ("weights", "gradients", "optimizer", "activations", "logits", "peak")
    lines = [_line("GiB per rank", " ".join(f"{name:>11}" for name in columns))]
    for stage, held in zip(run.shape.stages, memory, strict=True):
        numbers = [getattr(held, name) / GIB for name in columns]
        lines.append(_line(f"stage {stage.number}", " ".join(f"{number:>11.2f}" for number in numbers)))
    most = max(held.peak for held in memory) / GIB
    if run.device is None:
        return [*lines, _line("memory", f"at most {most:.2f} GiB; give cluster.memory= to compare it with a GPU's")]
    fits = "fits" if most <= run.device * USABLE else "does not fit"
    lines.append(_line("memory", f"{most:.1f} of {run.device:.1f} GiB, of which {USABLE:.0%} can be used: it {fits}"))
    largest = run.largest_micro_batch()
    advice = f"micro_batch={largest} is the largest that fits" if largest else "no micro-batch fits"
    return [*lines, _line("micro-batch", advice)]


def _steps(run: _Run) -> list[str]:
    config, data, shape = run.config, run.data, run.shape
    tokens = config.global_batch * data.tokens
    lines = [
        _line(
            "step",
            f"{config.global_batch} rows = {shape.data_parallel} ranks x {shape.micro_batches} micro-batches x "
            f"{config.micro_batch} rows; {tokens:,.0f} tokens, {config.global_batch * data.trained:,.0f} trained",
        )
    ]
    if data.rows:
        lines.append(_line("data", f"{data.rows:,} rows of {data.length}, {data.tokens / data.length:.1%} full"))
    else:
        lines.append(_line("data", f"none given: rows of {data.length} tokens, full, all trained"))
    epochs = f" = {config.steps * config.global_batch / data.rows:.2f} epochs" if data.rows else ""
    lines.append(_line("length", f"{config.steps:,} steps{epochs}, {config.steps * tokens:,.0f} tokens"))
    if len(shape.stages) > 1:
        lines.append(_line("pipeline idle", f"{shape.idle:.1%} of the time"))
    return lines


def _time(run: _Run) -> list[str]:
    config, data = run.config, run.data
    cost = token_cost(run.model)
    rows = config.global_batch
    needed = cost.training(rows * data.tokens, rows * data.trained, data.document, frozen=bool(run.adapter))
    peak = peak_tflops(config.cluster, config.precision)
    if not peak:
        return [_line("time", f"{needed / 1e12:,.2f} TFLOP a step; give cluster.peak= for seconds")]
    used = config.cluster.utilisation
    # What is recomputed takes time and is no use: a third of the passes.
    again = 4 / 3 if _recomputes(config) else 1.0
    seconds = needed * again / (run.shape.world * peak * 1e12 * used) / (1 - run.shape.idle)
    share = needed / seconds / (run.shape.world * peak * 1e12)
    speed = f"{seconds:,.2f} s a step, {rows * data.tokens / seconds:,.0f} tokens/s"
    hours = seconds * config.steps / 3600
    return [
        _line("time", f"{hours:,.1f} h, {hours * run.shape.world:,.0f} GPU hours: {speed}"),
        _line("", f"with {used:.0%} of {peak:,.0f} TFLOP/s while a stage works; model FLOPs utilisation {share:.0%}"),
    ]


def _recomputes(config: PretrainConfig | SftConfig) -> bool:
    if isinstance(config, PretrainConfig):
        return config.activation_checkpointing > 0
    return config.gradient_checkpointing


def _disk(run: _Run) -> list[str]:
    one, count = _checkpoint_bytes(run), _checkpoints(run)
    return [_line("disk", f"{one * count / GIB:,.1f} GiB for {count} checkpoints of {one / GIB:,.1f} GiB")]


def _checkpoint_bytes(run: _Run) -> float:
    size = run.parameters
    if run.adapter:
        return run.adapter * 12.0
    weight = 2 if run.config.precision != "fp32" or isinstance(run.config, SftConfig) else 4
    return size * (weight + 12.0) if isinstance(run.config, PretrainConfig) else size * 12.0


def _checkpoints(run: _Run) -> int:
    """Count the checkpoints that lie on the disk at a time: those kept, those for good, and the one being written."""
    config = run.config
    written = math.ceil(config.steps / config.save_every)
    for_good = config.steps // config.keep_every if isinstance(config, PretrainConfig) and config.keep_every else 0
    return min(written, config.keep_last) + for_good + 1


def _notes(run: _Run) -> list[str]:
    shape, notes, batch = run.shape, [], run.config.global_batch
    if run.data.rows and batch > run.data.rows:
        notes.append(f"global_batch={batch} goes through all {run.data.rows} rows more than once in a step")
    if len(shape.stages) > 1 and shape.micro_batches < 4 * len(shape.stages):
        notes.append(
            f"{shape.micro_batches} micro-batches keep {len(shape.stages)} stages idle for {shape.idle:.0%} of the "
            "time; raise global_batch or lower micro_batch"
        )
    if isinstance(run.config, PretrainConfig) and run.config.parallel.split == "time":
        notes.append("parallel.split=time is measured at the start; here the stages are cut by parameters")
    if isinstance(run.config, SftConfig) and run.config.tuning == "qlora":
        notes.append("tuning=qlora: the passes are reckoned as those of tuning=lora, the base at 0.55 bytes a weight")
    return notes


def _engine_mistakes(config: PretrainConfig | SftConfig) -> list[str]:
    """Return what is wrong with the keys of the engine and what DeepSpeed would be told."""
    found = []
    try:
        if isinstance(config, PretrainConfig):
            check_keys(pipeline_config(config, 1))
        else:
            check_engine(config)
            if config.deepspeed != "none":
                check_keys(zero_config(config, 1))
    except ConfigError as error:
        found.append(str(error))
    except ModuleNotFoundError:  # a machine that plans need not train
        pass
    if config.precision == "fp16" and memory_gib(config.cluster) is None:
        found.append("precision=fp16 needs a GPU; use bf16 or fp32")
    return found


def _row_mistakes(run: _Run) -> list[str]:
    rows, ranks = run.data.rows, run.shape.data_parallel
    if rows and ranks > rows:
        return [f"{ranks} data-parallel processes for {rows} rows: some would see nothing new; use fewer"]
    return []


def _memory_mistakes(run: _Run, memory: list[Memory]) -> list[str]:
    if run.device is None:
        return []
    over = [stage for stage, held in enumerate(memory) if held.peak > run.device * USABLE * GIB]
    if not over:
        return []
    most = max(held.peak for held in memory) / GIB
    return [
        f"{len(over)} of {len(memory)} stages need up to {most:.1f} GiB, a GPU has {run.device:.1f}: lower "
        "micro_batch, recompute activations, or use more stages or processes"
    ]


def _disk_mistakes(run: _Run) -> list[str]:
    if not run.config.output:
        return []
    place = Path(run.config.output).absolute()
    while not place.exists():
        place = place.parent
    free, needed = shutil.disk_usage(place).free, _checkpoint_bytes(run) * _checkpoints(run)
    if free >= needed:
        return []
    return [
        f"output={run.config.output}: {free / GIB:,.1f} GiB are free, checkpoints need {needed / GIB:,.1f}; lower "
        "keep_last or give another output"
    ]


def _line(name: str, text: str) -> str:
    return f"{name:<{_NAME_WIDTH}}{text}".rstrip()
