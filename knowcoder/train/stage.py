"""One rank's stage of the pipeline: its pieces with their weights, and the optimizer over them."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import nn

from knowcoder.checkpoint.convert import model_root, weights_of
from knowcoder.checkpoint.mapping import read_config
from knowcoder.config import PretrainConfig
from knowcoder.errors import ConfigError
from knowcoder.train.pipeline import HeadLoss, HeadPiece, LayerPiece, Piece, Skeleton, body_types, check_pieces
from knowcoder.train.process_group import quiet
from knowcoder.train.zero_muon import ZeroMuon

_TIED = "embedding"


def build_pipeline(source: Path, config: PretrainConfig) -> tuple[Any, HeadLoss]:
    """Return this rank's stage, a `PipelineModule` with its weights loaded, and where its loss gets the labels.

    Args:
        source: a Hugging Face model folder or a pipeline checkpoint.

    Raises:
        ModelError: the architecture cannot be cut, or the weights do not fit it. ConfigError: more stages than layers.
    """
    from deepspeed.pipe import LayerSpec, PipelineModule, TiedLayerSpec

    class Stages(PipelineModule):
        """Cut by what its pieces cost per token; DeepSpeed would build every piece to count its parameters."""

        def _count_layer_params(self) -> list[int]:
            return skeleton.map.costs()

    model_config = read_config(model_root(source))
    check_pieces(model_config)
    device = f"cuda:{os.environ['LOCAL_RANK']}" if torch.cuda.is_available() else "cpu"
    skeleton = Skeleton(model_config, device)
    if config.parallel.pp > skeleton.map.num_layers:
        raise ConfigError(
            f"parallel.pp={config.parallel.pp}: the model has only {skeleton.map.num_layers} layers to cut"
        )
    loss = HeadLoss(skeleton)
    kinds = body_types(skeleton.map)
    specs: list[Any] = [LayerSpec(kind, skeleton, number) for number, kind in enumerate(kinds)]
    specs.append(LayerSpec(HeadPiece, skeleton, len(kinds), loss))
    if skeleton.map.tied:
        tie = partial(TiedLayerSpec, _TIED, kinds[0], skeleton, 0, tied_weight_attr="inner.weight")
        specs[0], specs[-1] = tie(), tie(forward_fn=loss.tied)
    with quiet(), torch.no_grad():  # it sends tied weights around, which is nothing to differentiate
        module: Any = Stages(
            specs,
            num_stages=config.parallel.pp,
            partition_method="parameters",
            checkpointable_layers=[LayerPiece.__name__],
        )
    weights = weights_of(source, skeleton.map)
    for piece in module.modules():
        if isinstance(piece, Piece):
            piece.load_state_dict(weights.piece(piece.piece))
    return module, loss


def build_optimizer(module: nn.Module, config: PretrainConfig) -> torch.optim.Optimizer:
    """Return the optimizer that `config` names over this rank's parameters; weight decay falls on matrices only."""
    groups: dict[str, list[nn.Parameter]] = {"muon": [], "matrices": [], "rest": []}
    muon = (
        {id(p) for m in module.modules() if isinstance(m, LayerPiece) for p in m.parameters() if p.ndim == 2}
        if config.optimizer == "muon"
        else set()
    )
    for parameter in module.parameters():
        kind = "muon" if id(parameter) in muon else "matrices" if parameter.ndim >= 2 else "rest"
        groups[kind].append(parameter)
    settings = {
        "muon": {"lr": config.matrix_learning_rate, "weight_decay": config.weight_decay, "muon": True},
        "matrices": {"lr": config.learning_rate, "weight_decay": config.weight_decay},
        "rest": {"lr": config.learning_rate, "weight_decay": 0.0},
    }
    filled = [{"params": parameters, **settings[kind]} for kind, parameters in groups.items() if parameters]
    betas = (config.beta1, config.beta2)
    return ZeroMuon(filled, betas) if config.optimizer == "muon" else torch.optim.AdamW(filled, betas=betas)
