"""The optimizers of instruction tuning: AdamW, or Muon for the matrices of the layers beside AdamW for the rest."""

from __future__ import annotations

from collections.abc import Callable, Iterable
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


def build_optimizer(model: nn.Module, config: TrainConfig, fused: bool = True) -> torch.optim.Optimizer:
    """Return the optimizer that `config` names, over the trainable parameters of `model`.

    Weight decay falls on matrices only. Muon takes the matrices of the layers at `matrix_learning_rate`; embeddings,
    head, norms and biases go to AdamW at `learning_rate`.

    Args:
        fused: one kernel for all parameters; not for parameters that DeepSpeed has cut up.
    """
    trainable = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
    matrices: list[nn.Parameter] = []
    if config.optimizer == "muon":
        outer = _embeddings_and_head(model)
        matrices = [p for _, p in trainable if p.ndim == 2 and id(p) not in outer]
    taken = {id(p) for p in matrices}
    rest = [p for _, p in trainable if id(p) not in taken]
    adamw = torch.optim.AdamW(
        [
            {"params": [p for p in rest if _dimensions(p) >= 2], "weight_decay": config.weight_decay},
            {"params": [p for p in rest if _dimensions(p) < 2], "weight_decay": 0.0},
        ],
        lr=config.learning_rate,
        betas=(config.beta1, config.beta2),
        fused=fused,
    )
    if not matrices:
        adamw.param_groups[:] = [group for group in adamw.param_groups if group["params"]]
        return adamw
    return MuonWithAdamW(
        torch.optim.Muon(matrices, lr=config.matrix_learning_rate, weight_decay=config.weight_decay), adamw
    )


def _embeddings_and_head(model: nn.Module) -> set[int]:
    modules: Iterable[nn.Module | None] = (model.get_input_embeddings(), model.get_output_embeddings())
    return {id(parameter) for module in modules if module is not None for parameter in module.parameters()}


def _dimensions(parameter: nn.Parameter) -> int:
    """Count dimensions; ZeRO-3 leaves an empty shell of a parameter and keeps its shape beside it."""
    return len(getattr(parameter, "ds_shape", parameter.shape))
