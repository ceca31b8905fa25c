"""How a run is laid out: processes, stages and what each holds, micro-batches, and the rows that they are made of."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from transformers import PreTrainedConfig

from knowcoder.checkpoint.mapping import PieceMap, meta_model, piece_map
from knowcoder.config import PlanConfig, PretrainConfig, SftConfig
from knowcoder.errors import ConfigError
from knowcoder.train.launch import per_machine, stages_of
from knowcoder.train.order import rows_for_step
from knowcoder.train.plan.activations import MicroBatch, StageShape
from knowcoder.train.rows import PackedRows
from knowcoder.train.split import PARAMETERS, TIME, layers_of, stage_bounds
from knowcoder.train.throughput import document_length

_STEPS_LOOKED_AT = 50


@dataclass(frozen=True)
class Stage:
    """A stage of the pipeline: its place, its pieces, the parameters that a rank of it holds, and those in layers."""

    number: int
    shape: StageShape
    parameters: int
    in_layers: int


@dataclass(frozen=True)
class Shape:
    """A whole run: machines, processes on each, stages, data-parallel ranks, micro-batches of a rank in a step.

    A step's rows may not divide evenly; `micro_batches` is then what would come nearest.
    """

    nodes: int
    per_node: int
    stages: tuple[Stage, ...]
    data_parallel: int
    micro_batches: int

    @property
    def world(self) -> int:
        return self.nodes * self.per_node

    @property
    def idle(self) -> float:
        """The share of the time in which a stage waits for its first or after its last micro-batch."""
        return (len(self.stages) - 1) / (self.micro_batches + len(self.stages) - 1)

    def in_flight(self, stage: Stage) -> int:
        """Count the micro-batches that a stage has taken in and not given back, at most."""
        return min(len(self.stages) - stage.number, self.micro_batches)


@dataclass(frozen=True)
class Data:
    """What there is to train on, and how full its rows are.

    Attributes:
        rows: 0 where it is not known. tokens, trained: of a row, on average. document: mean length of the document that
            a token is in. most_tokens, most_trained: of a row, in the micro-batch that has the most of them.
    """

    rows: int
    length: int
    tokens: float
    trained: float
    document: float
    most_tokens: float
    most_trained: float

    def padded(self, rows: int) -> MicroBatch:
        """Return a micro-batch of rows that are filled up, with as many trained tokens as one can have."""
        return MicroBatch(rows, self.length, max(1, round(rows * self.most_trained)))

    def flat(self, rows: int) -> MicroBatch:
        """Return the same with its rows one behind the other, without padding."""
        return MicroBatch(1, round(rows * self.most_tokens), max(1, round(rows * self.most_trained)))


def shape_of(config: PretrainConfig | SftConfig, model: PreTrainedConfig) -> tuple[Shape, list[str]]:
    """Return the layout of a run, and what is wrong with it; what does not divide is rounded.

    Raises:
        ModelError: transformers has no such model, or it cannot be cut into stages.
    """
    mistakes: list[str] = []
    stages = stages_of(config)
    nodes, per_node = config.cluster.nodes, per_machine(config)
    world = nodes * per_node
    if world % stages:
        mistakes.append(f"parallel.pp={stages} does not divide {world} processes; change one of them")
    data_parallel = max(1, world // stages)
    micro_batches, rest = divmod(config.global_batch, config.micro_batch * data_parallel)
    if rest or not micro_batches:
        mistakes.append(
            f"global_batch={config.global_batch} is not a multiple of micro_batch={config.micro_batch} times "
            f"{data_parallel} data-parallel processes; change one of them"
        )
    found, wrong = _stages(config, model)
    return Shape(nodes, per_node, found, data_parallel, max(1, micro_batches)), mistakes + wrong


def _stages(config: PretrainConfig | SftConfig, model: PreTrainedConfig) -> tuple[tuple[Stage, ...], list[str]]:
    meta = meta_model(model)
    if isinstance(config, SftConfig):
        whole = StageShape(model.num_hidden_layers, True, True)
        return (Stage(0, whole, meta.num_parameters(), 0),), []
    mapping, split = piece_map(meta), config.parallel.split
    try:
        return _cut(mapping, stage_bounds(mapping, config.parallel.pp, PARAMETERS if split == TIME else split)), []
    except ConfigError as error:
        stages = min(config.parallel.pp, mapping.num_layers)
        return _cut(mapping, stage_bounds(mapping, stages, PARAMETERS)), [str(error)]


def _cut(mapping: PieceMap, bounds: list[int]) -> tuple[Stage, ...]:
    sizes, layers = mapping.sizes(), layers_of(bounds)
    count, found = len(layers), []
    for number in range(count):
        held = sum(sizes[bounds[number] : bounds[number + 1]])
        in_layers = sum(sizes[max(1, bounds[number]) : min(len(sizes) - 2, bounds[number + 1])])
        if mapping.tied and number == count - 1 and count > 1:
            held += sizes[0]  # a copy of the embedding
        found.append(Stage(number, StageShape(layers[number], number == 0, number == count - 1), held, in_layers))
    return tuple(found)


def data_of(config: PretrainConfig | SftConfig, own: PlanConfig, model: PreTrainedConfig) -> tuple[Data, list[str]]:
    """Return what a run trains on, and in which ways the model does not fit it.

    Without data, rows of `own.max_length` are taken to be full of one document, every token of it trained.
    """
    if not config.data:
        length = own.max_length
        longest = getattr(model, "max_position_embeddings", None) or length
        wrong = f"max_length={length}: the model takes {longest} tokens; take shorter rows"
        return Data(own.rows, length, *[float(length)] * 5), [wrong] if length > longest else []
    rows = PackedRows(Path(config.data))
    return (
        Data(
            len(rows),
            rows.max_length,
            float(rows.lengths.mean()),
            float(rows.trained.mean()),
            document_length(rows),
            _most(rows.lengths, config),
            _most(rows.trained, config),
        ),
        rows.misfits(model),
    )


def _most(tokens: NDArray[np.int64], config: PretrainConfig | SftConfig) -> float:
    """Return the tokens of a row in the micro-batch that has the most, of the first steps."""
    most, size = 0.0, config.micro_batch
    for step in range(min(config.steps, _STEPS_LOOKED_AT)):
        of_rows = tokens[rows_for_step(len(tokens), config.global_batch, config.seed, step)]
        whole = of_rows[: len(of_rows) // size * size].reshape(-1, size).sum(axis=1)
        most = max([most, *whole / size])
    return most or float(tokens.mean())
