"""The optimizers of instruction tuning: AdamW, or Muon for the matrices of the layers beside AdamW for the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from knowcoder.config import TrainConfig


class MuonWithAdamW(torch.optim.Optimizer):
    """Two optimizers that a trainer handles as one: `param_groups` of Muon, then those of AdamW."""

    def __init__(self, muon: torch.optim.Muon, adamw: torch.optim.AdamW) -> None:
        # The base class is not initialised with parameters of its own: groups and state live in the two parts.
        self.parts: tuple[torch.optim.Optimizer, ...] = (muon, adamw)
        super().__init__([group for part in self.parts for group in part.param_groups], {})
        self._share()

    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Update every parameter once."""
        loss = closure() if closure is not None else None
        for part in self.parts:
            part.step()
        return loss

    def state_dict(self) -> dict[str, Any]:
        """Return the states of both parts, in order."""
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore what `state_dict` returned."""
        for part, state in zip(self.parts, state_dict["parts"], strict=True):
            part.load_state_dict(state)
        self._share()

    def _share(self) -> None:
        # Loading replaces a part's groups by new ones: schedulers must see those that `step` reads.
        self.param_groups = [group for part in self.parts for group in part.param_groups]


@dataclass(frozen=True)
class SortedParameters:
    """The trainable parameters of a model: which optimizer they are for, and whether weight decay falls on them."""

    muon: list[nn.Parameter]
    decayed: list[nn.Parameter]
    rest: list[nn.Parameter]


def sort_parameters(model: nn.Module, outer: Iterable[nn.Module | None], muon: bool) -> SortedParameters:
    """Sort the trainable parameters of `model`: weight decay falls on matrices only.

    Args:
        outer: the modules that are no layers, such as embedding and head: their matrices are not for Muon.
        muon: whether Muon takes the matrices of the layers.
    """
    not_layers = {id(parameter) for module in outer if module is not None for parameter in module.parameters()}
    found = SortedParameters([], [], [])
    for parameter in model.parameters():
        if not parameter.requires_grad:
            continue
        if muon and parameter.ndim == 2 and id(parameter) not in not_layers:
            found.muon.append(parameter)
        else:
            (found.decayed if _dimensions(parameter) >= 2 else found.rest).append(parameter)
    return found


def build_optimizer(model: nn.Module, config: TrainConfig, fused: bool = True) -> torch.optim.Optimizer:
    """Return the optimizer that `config` names, over the trainable parameters of `model`.

    Muon takes the matrices of the layers at `matrix_learning_rate`; all else goes to AdamW at `learning_rate`.

    Args:
        fused: one kernel for all parameters; not for parameters that DeepSpeed has cut up.
    """
    outer = (model.get_input_embeddings(), model.get_output_embeddings())
    found = sort_parameters(model, outer, config.optimizer == "muon")
    adamw = torch.optim.AdamW(
        [
            {"params": found.decayed, "weight_decay": config.weight_decay},
            {"params": found.rest, "weight_decay": 0.0},
        ],
        lr=config.learning_rate,
        betas=(config.beta1, config.beta2),
        fused=fused,
    )
    if not found.muon:
        adamw.param_groups[:] = [group for group in adamw.param_groups if group["params"]]
        return adamw
    return MuonWithAdamW(
        torch.optim.Muon(found.muon, lr=config.matrix_learning_rate, weight_decay=config.weight_decay), adamw
    )


def _dimensions(parameter: nn.Parameter) -> int:
    """Count dimensions; ZeRO-3 leaves an empty shell of a parameter and keeps its shape beside it."""
    return len(getattr(parameter, "ds_shape", parameter.shape))
