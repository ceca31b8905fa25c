"""What a training run would need, said before it starts: cut, batch, steps, memory, idle time, mistakes."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

from knowcoder.checkpoint.convert import model_root
from knowcoder.checkpoint.mapping import PieceMap, meta_model, piece_map, read_config
from knowcoder.config import PretrainConfig, SftConfig
from knowcoder.errors import KnowcoderError
from knowcoder.train.launch import processes, stages_of
from knowcoder.train.order import accumulation
from knowcoder.train.rows import PackedRows
from knowcoder.train.split import PARAMETERS, TIME, held, stage_bounds

_WEIGHT_BYTES = {"fp32": 4, "bf16": 2, "fp16": 2}
_GRADIENT_BYTES = {"fp32": 4, "bf16": 2 + 4, "fp16": 2}  # bf16 adds micro-batches up in fp32
_OPTIMIZER_BYTES = 4 + 8  # fp32 weights and AdamW's two averages, divided over the data-parallel ranks


def plan(config: PretrainConfig | SftConfig) -> str:
    """Return the plan of a run as text; mistakes that would stop it are listed at the end, all at once."""
    model = read_config(model_root(Path(config.model)))
    mapping = piece_map(meta_model(model))
    rows = PackedRows(Path(config.data))
    mistakes: list[str] = []
    stages = stages_of(config)
    try:
        count = processes(config)
    except KnowcoderError as error:
        mistakes.append(str(error))
        count = stages
    data_parallel = max(1, count // stages)
    try:
        micro_batches = accumulation(config.global_batch, config.micro_batch, data_parallel)
    except KnowcoderError as error:
        mistakes.append(str(error))
        micro_batches = max(1, config.global_batch // (config.micro_batch * data_parallel))
    split = config.parallel.split if config.parallel.split != TIME else PARAMETERS  # time is measured by the run
    try:
        bounds = stage_bounds(mapping, stages, split)
    except KnowcoderError as error:
        mistakes.append(str(error))
        bounds = stage_bounds(mapping, min(stages, mapping.num_layers), PARAMETERS)
    mistakes += rows.misfits(model)
    if micro_batches < stages:
        mistakes.append(
            f"{micro_batches} micro-batches keep {stages} stages mostly idle; raise global_batch or lower micro_batch"
        )
    lines = [
        f"processes      {count} on this machine: {stages} stages x {data_parallel} data-parallel",
        f"parameters     {sum(mapping.sizes()):,}",
        *_stages(mapping, bounds, config, data_parallel),
        f"step           {config.global_batch} rows = {data_parallel} ranks x {micro_batches} micro-batches x "
        f"{config.micro_batch} rows; {config.global_batch * rows.max_length:,} places for tokens",
        f"data           {len(rows):,} rows of {rows.max_length}, {int(rows.lengths.sum()):,} tokens, "
        f"{int(rows.trained.sum()):,} trained; {rows.lengths.mean() / rows.max_length:.1%} full",
        f"length         {config.steps:,} steps = {config.steps * config.global_batch / len(rows):.2f} epochs",
        f"pipeline idle  {(stages - 1) / (micro_batches + stages - 1):.1%} of the time",
        *(f"mistake        {mistake}" for mistake in mistakes),
    ]
    return "\n".join(lines)


def _stages(mapping: PieceMap, bounds: list[int], config: PretrainConfig | SftConfig, data_parallel: int) -> list[str]:
    """Return a line per stage: its pieces, parameters and memory without activations."""
    sizes = held(mapping)
    if mapping.tied and len(bounds) == 2:
        sizes[-1] = 0  # one stage has both ends
    lines = []
    per_parameter = _WEIGHT_BYTES[config.precision] + _GRADIENT_BYTES[config.precision]
    for stage, (start, stop) in enumerate(pairwise(bounds)):
        parameters = sum(sizes[start:stop])
        memory = parameters * (per_parameter + _OPTIMIZER_BYTES / data_parallel)
        lines.append(
            f"stage {stage}        pieces {start} to {stop - 1}, {parameters:,} parameters, about {memory / 1e9:.2f} "
            "GB each without activations"
        )
    return lines
