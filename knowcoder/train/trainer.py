"""A `transformers.Trainer` over packed rows: its order of data, its loss, its evaluations, its checkpoints."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from safetensors import safe_open
from torch import nn
from torch.optim.lr_scheduler import LambdaLR
from torch.utils.data import DataLoader
from transformers import PreTrainedModel, Trainer, TrainerControl, TrainerState, TrainingArguments

from knowcoder.config import SftConfig
from knowcoder.errors import ModelError
from knowcoder.train.adapter import check_adapter
from knowcoder.train.checkpoints import faults, remove, seal
from knowcoder.train.evaluation import Evaluation
from knowcoder.train.loss import LossByKind, token_losses
from knowcoder.train.optimizer import build_optimizer
from knowcoder.train.rows import StepBatches
from knowcoder.train.schedule import rate_factor


class TrainedPositions:
    """Lets the head of a causal model see only the hidden states that predict a trained token.

    A hook at the head's input, since the model's own `forward` must run whole: data-parallel and ZeRO wrappers hang on
    it, and some architectures scale or cap what the head returns. Most tokens of a prompt are never predicted, and the
    head is the dearest part of a small model.
    """

    def __init__(self, model: PreTrainedModel) -> None:
        self._places: torch.Tensor | None = None
        head = model.get_output_embeddings()
        head.register_forward_pre_hook(self._select)

    def logits(self, model: nn.Module, batch: dict[str, torch.Tensor], places: torch.Tensor) -> torch.Tensor:
        """Return logits [places, vocabulary] of `model`, at `places` of the flattened [rows * length] positions."""
        self._places = places
        try:
            outputs = model(input_ids=batch["input_ids"], position_ids=batch["position_ids"], use_cache=False)
        finally:
            self._places = None
        return outputs.logits.squeeze(0)

    def _select(self, module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...] | None:
        if self._places is None:
            return None
        hidden = inputs[0]
        return (hidden.flatten(0, 1)[self._places].unsqueeze(0), *inputs[1:])


class PackedTrainer(Trainer):
    """Trains on the micro-batches of `batches`; every trained token of a step weighs the same, whoever computes it."""

    optimizer: torch.optim.Optimizer | None
    lr_scheduler: LambdaLR | None

    def __init__(
        self,
        model: PreTrainedModel,
        arguments: TrainingArguments,
        batches: StepBatches,
        config: SftConfig,
        flat: bool,
        evaluation: Evaluation | None = None,
        **rest: Any,
    ) -> None:
        self.config = config
        self.collate: Callable[[Any], dict[str, torch.Tensor]] = batches.rows.flat_batch if flat else batches.rows.batch
        self.batches = batches
        self.evaluation = evaluation
        self._losses = {
            "kinds": LossByKind(batches.rows.kinds),
            "sources": LossByKind([f"source_{name}" for name in batches.rows.sources]),
        }
        self._saving_to: Path | None = None
        held_out: Any = evaluation.sentences if evaluation else None
        super().__init__(model=model, args=arguments, train_dataset=batches.rows, eval_dataset=held_out, **rest)
        self.loss_is_scaled_for_ga = True
        self._positions = TrainedPositions(model)

    def get_train_dataloader(self) -> DataLoader[Any]:
        """Return this rank's batches; they are divided here already, so `accelerate` must not divide them again."""
        rows = self.batches.rows
        return DataLoader(
            range(len(rows)),
            batch_sampler=self.batches,
            collate_fn=self.collate,
            pin_memory=self.args.device.type == "cuda",
        )

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """Make the configured optimizer, once."""
        if self.optimizer is None:
            self.optimizer = build_optimizer(model or self.model, self.config, fused=self.config.deepspeed == "none")
        return self.optimizer

    def create_scheduler(self, num_training_steps: int, optimizer: torch.optim.Optimizer | None = None) -> LambdaLR:
        """Make the schedule that both training phases share."""
        if self.lr_scheduler is None:
            self.lr_scheduler = LambdaLR(optimizer or self.optimizer, lambda step: rate_factor(step, self.config))
            self._created_lr_scheduler = True
        return self.lr_scheduler

    def _get_num_items_in_batch(self, batch_samples: list[Any], device: torch.device) -> int:
        """Count the trained tokens of the step over all ranks: known without asking them. A step may have none."""
        return max(1, self.batches.trained_tokens(self.state.global_step))

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, torch.Tensor],
        return_outputs: bool = False,
        num_items_in_batch: int | torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Return this micro-batch's share of the step's mean loss over trained tokens.

        Times the number of ranks, because data-parallel engines average gradients over ranks.
        """
        logits = self._positions.logits(model, inputs, inputs["trained"])
        losses = token_losses(logits, inputs["targets"])
        for name, counted in self._losses.items():
            counted.add(inputs[name], losses)
        return losses.sum() * (self.args.world_size / num_items_in_batch)

    def take_losses(self) -> dict[str, float]:
        """Return the mean losses by kind of sample and by corpus since the last call, over all ranks."""
        taken = {name: loss for counted in self._losses.values() for name, loss in counted.take().items()}
        taken.pop("loss_source_", None)  # of samples that are of no corpus
        return taken

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Return strict F1 of the model as it is, under names that begin as the Trainer wants them to."""
        assert self.evaluation is not None
        figures = self.evaluation.measure(self.model)
        self.control: TrainerControl = self.callback_handler.on_evaluate(self.args, self.state, self.control, figures)
        return {f"eval_{name}": value for name, value in figures.items()}

    def _determine_best_metric(self, metrics: dict[str, float], trial: Any) -> bool:
        """Save a new best model at once where it is to be kept; stop when the best one is `patience` evaluations old.

        The age follows from what a checkpoint holds, so that a resumed run stops where the unbroken one does.
        """
        best = super()._determine_best_metric(metrics, trial)
        stop = stops_early(self.state, self.config)
        self.control.should_training_stop |= stop
        self.control.should_save |= stop or (best and self.config.keep_best)
        return best

    def best_checkpoint(self) -> Path | None:
        """Return the checkpoint with the highest F1 that was measured, where it is kept."""
        if not self.config.keep_best or not self.state.best_global_step:
            return None
        return Path(self.args.output_dir) / f"checkpoint-{self.state.best_global_step}"

    def floating_point_ops(self, inputs: dict[str, Any]) -> int:
        """Skip an estimate that nobody reads and that walks all parameters at every micro-batch."""
        return 0

    def _get_output_dir(self, trial: Any) -> str:
        return str(self._saving_to or super()._get_output_dir(trial))

    def _save(self, output_dir: str | None = None, state_dict: dict[str, torch.Tensor] | None = None) -> None:
        """Write weights; DeepSpeed hands tied ones over as if they were two."""
        tied = getattr(self.accelerator.unwrap_model(self.model), "all_tied_weights_keys", None) or {}
        if state_dict is not None:
            state_dict = {name: tensor for name, tensor in state_dict.items() if name not in tied}
        super()._save(output_dir, state_dict)

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        """Write a checkpoint beside its place and move it there when it is found whole; keep the last `keep_last`."""
        folder = Path(self.args.output_dir)
        name = f"checkpoint-{self.state.global_step}"
        self._saving_to = folder / ".partial"
        if self.args.should_save:
            for left in (self._saving_to, *folder.glob(".checkpoint-*.removed")):  # by a run that was killed
                shutil.rmtree(left, ignore_errors=True)
        self.accelerator.wait_for_everyone()
        super()._save_checkpoint(model, trial)
        self.accelerator.wait_for_everyone()
        if self.args.should_save:
            check_saved(self._saving_to / name, self.model, trained=False)
            seal(self._saving_to / name)
            if (folder / name).exists():  # found torn when the run was resumed
                remove(folder / name)
            (self._saving_to / name).rename(folder / name)
            shutil.rmtree(self._saving_to)
            for old in _saved(folder)[: -self.config.keep_last]:
                if old != self.best_checkpoint():
                    remove(old)
        self._saving_to = None
        self.accelerator.wait_for_everyone()


def stops_early(state: TrainerState, config: SftConfig) -> bool:
    """Say whether the best model is `patience` evaluations old."""
    age = (state.global_step - state.best_global_step) // config.evaluate_every
    return 0 < config.patience <= age


def check_saved(folder: Path, model: PreTrainedModel | PeftModel, trained: bool) -> None:
    """Check that what was saved of `model` is whole, whatever was sharded: an adapter by name, a model by its size.

    Raises:
        ModelError: it is not, or is missing.
    """
    if isinstance(model, PeftModel):
        check_adapter(folder, model, trained)
        return
    found = 0
    for path in folder.glob("*.safetensors"):
        with safe_open(path, framework="pt") as file:
            found += sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118
    wanted = sum(size_of(parameter) for parameter in model.parameters())
    if found != wanted:
        raise ModelError(f"{folder}: {found:,} of {wanted:,} numbers of the model were saved")


def size_of(parameter: nn.Parameter) -> int:
    """Count the numbers of a parameter; ZeRO-3 keeps its size beside an empty shell."""
    return int(getattr(parameter, "ds_numel", parameter.numel()))


def last_whole(folder: Path) -> tuple[Path | None, list[str]]:
    """Return the last checkpoint of a run that is whole, and what is wrong with those after it."""
    torn: list[str] = []
    for path in reversed(_saved(folder)):
        if not (found := faults(path)):
            return path, torn
        torn.append(f"{path} is not whole and is left out: {'; '.join(found[:3])}")
    return None, torn


def _saved(folder: Path) -> list[Path]:
    """Return the checkpoints of a run, oldest first."""
    found = [path for path in folder.glob("checkpoint-*") if path.name.removeprefix("checkpoint-").isdecimal()]
    return sorted(found, key=lambda path: int(path.name.removeprefix("checkpoint-")))
