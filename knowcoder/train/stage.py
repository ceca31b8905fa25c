"""One rank's stage of the pipeline: its pieces with their weights, and the optimizer over them."""

from __future__ import annotations

import os
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch import nn
from torch.utils.checkpoint import checkpoint

from knowcoder import jsonl
from knowcoder.checkpoint.folder import model_root
from knowcoder.checkpoint.mapping import DTYPES, read_config
from knowcoder.checkpoint.weights import weights_of
from knowcoder.config import PretrainConfig
from knowcoder.train.measure import seconds_of_pieces
from knowcoder.train.optimizer import sort_parameters
from knowcoder.train.order import rows_for_step
from knowcoder.train.pipeline import HeadLoss, HeadPiece, LayerPiece, Piece, Skeleton, body_types, check_pieces
from knowcoder.train.process_group import of_first_rank, quiet
from knowcoder.train.rows import PackedRows
from knowcoder.train.split import PARAMETERS, TIME, layers_of, stage_bounds
from knowcoder.train.zero_muon import ZeroMuon

#: The cut that was measured, in the run's folder, so that a resumed run has the same one.
SPLIT = "split.json"
_TIED = "embedding"


def build_pipeline(source: Path, config: PretrainConfig) -> tuple[Any, HeadLoss]:
    """Return this rank's stage, a `PipelineModule` with its weights loaded, and where its loss gets the labels.

    Args:
        source: a Hugging Face model folder or a pipeline checkpoint.

    Raises:
        ModelError: the architecture cannot be cut, or the weights do not fit it. ConfigError: the layers cannot be
        divided over the stages as `config` says.
    """
    from deepspeed.pipe import LayerSpec, PipelineModule, TiedLayerSpec

    class Stages(PipelineModule):
        """Cut as we say; DeepSpeed would build every piece to count its parameters."""

        def _partition_layers(self, method: str = "") -> None:
            self.parts = bounds
            self._set_bounds(bounds[self.stage_id], bounds[self.stage_id + 1])

        def forward(self, message: Any) -> Any:
            """Run the pieces of this stage; its layers are recomputed in runs of as many as `config` says."""
            return run_pieces(self.forward_funcs, message, config.activation_checkpointing)

    model_config = read_config(model_root(source))
    check_pieces(model_config)
    device = f"cuda:{os.environ['LOCAL_RANK']}" if torch.cuda.is_available() else "cpu"
    skeleton = Skeleton(model_config, device, DTYPES[config.precision])
    bounds = _bounds(skeleton, config)
    loss = HeadLoss(skeleton)
    kinds = body_types(skeleton.map)
    specs: list[Any] = [LayerSpec(kind, skeleton, number) for number, kind in enumerate(kinds)]
    specs.append(LayerSpec(HeadPiece, skeleton, len(kinds), loss))
    if skeleton.map.tied:
        tie = partial(TiedLayerSpec, _TIED, kinds[0], skeleton, 0, tied_weight_attr="inner.weight")
        specs[0], specs[-1] = tie(), tie(forward_fn=loss.tied)
    with quiet(), torch.no_grad():  # it sends tied weights around, which is nothing to differentiate
        module: Any = Stages(specs, num_stages=config.parallel.pp)
    weights = weights_of(source, skeleton.map)
    for piece in module.modules():
        if isinstance(piece, Piece):
            piece.load_state_dict(weights.piece(piece.piece))
    return module, loss


def run_pieces(pieces: list[Any], message: Any, interval: int) -> Any:
    """Pass a message through pieces.

    Args:
        interval: so many layers at a time keep only what goes into them, and are run again in the backward pass; 0
            keeps everything.
    """
    for is_layer, group in groupby(pieces, lambda piece: isinstance(piece, LayerPiece)):
        run = list(group)
        if not (is_layer and interval):
            message = _through(run, *message)
            continue
        for start in range(0, len(run), interval):
            message = checkpoint(partial(_through, run[start : start + interval]), *message, use_reentrant=False)
    return message


def _through(pieces: list[Any], *parts: torch.Tensor) -> Any:
    message: Any = parts
    for piece in pieces:
        message = piece(message)
    return message


def _bounds(skeleton: Skeleton, config: PretrainConfig) -> list[int]:
    """Return the first piece of every stage; a cut by time is measured by one rank, and kept for when it resumes."""
    stages, split = config.parallel.pp, config.parallel.split
    if split != TIME or stages == 1:
        return stage_bounds(skeleton.map, stages, PARAMETERS if split == TIME else split)
    found: list[int] = []
    if dist.get_rank() == 0:
        kept = Path(config.output) / SPLIT
        layers: list[int] = jsonl.read_json(kept, list[int]) if kept.is_file() else []
        if len(layers) == stages:
            found = stage_bounds(skeleton.map, stages, str(layers))
        else:
            rows = PackedRows(Path(config.data))
            batch = rows.batch(rows_for_step(len(rows), config.global_batch, config.seed, 0)[: config.micro_batch])
            seconds = seconds_of_pieces(skeleton, batch)
            found = stage_bounds(skeleton.map, stages, TIME, seconds)
            jsonl.write_json(kept, layers_of(found))
    return of_first_rank(found)


def build_optimizer(module: nn.Module, config: PretrainConfig) -> torch.optim.Optimizer:
    """Return the optimizer that `config` names over this rank's parameters, as ZeRO-1 can cut it."""
    outer = [piece for piece in module.modules() if isinstance(piece, Piece) and not isinstance(piece, LayerPiece)]
    found = sort_parameters(module, outer, config.optimizer == "muon")
    groups: list[dict[str, Any]] = [
        {"params": found.muon, "lr": config.matrix_learning_rate, "weight_decay": config.weight_decay, "muon": True},
        {"params": found.decayed, "lr": config.learning_rate, "weight_decay": config.weight_decay},
        {"params": found.rest, "lr": config.learning_rate, "weight_decay": 0.0},
    ]
    filled = [group for group in groups if group["params"]]
    betas = (config.beta1, config.beta2)
    return ZeroMuon(filled, betas) if config.optimizer == "muon" else torch.optim.AdamW(filled, betas=betas)
