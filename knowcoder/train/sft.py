"""Instruction tuning over packed rows: full or LoRA; on one process, data-parallel, or under DeepSpeed's ZeRO.

Built on `transformers.Trainer` (see trainer.py). This file turns the keys into a model, an engine and a run, and leaves
a model or an adapter that plain `transformers` and `peft` load.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import torch
from transformers import (
    PreTrainedModel,
    PrinterCallback,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
    set_seed,
)
from transformers.utils import logging as transformers_logging

from knowcoder.checkpoint.init import copy_tokenizer
from knowcoder.checkpoint.mapping import DTYPES, load_model
from knowcoder.config import SftConfig
from knowcoder.errors import ConfigError, ModelError
from knowcoder.train import launch
from knowcoder.train.adapter import add_adapter, check_adapter, write_base
from knowcoder.train.attention import use_packed_attention
from knowcoder.train.evaluation import Evaluation
from knowcoder.train.record import Record, sample_of
from knowcoder.train.rows import PackedRows, StepBatches
from knowcoder.train.schedule import rate_factor
from knowcoder.train.throughput import Throughput
from knowcoder.train.trainer import PackedTrainer, checkpoints

CHECKPOINTS = "checkpoints"


def sft(config: SftConfig, run_dir: Path) -> dict[str, Any]:
    """Train one rank of a run; rank and number of ranks come from the environment, as torchrun sets it.

    Writes into `run_dir`: the final model or adapter with its tokenizer, `checkpoints/`, and the record of the run.

    Returns:
        Facts for the manifest: tuning, steps, trained tokens, final loss, parameters, the engine that ran.

    Raises:
        ConfigError: keys that do not go together. ModelError: model and data do not fit, or another engine ran than
        the one asked for.
    """
    _check(config)
    rows = PackedRows(Path(config.data))
    batches = StepBatches(
        rows, config.steps, config.global_batch, config.micro_batch, config.seed, launch.rank(), launch.world_size()
    )
    evaluation = Evaluation(config, rows.kinds) if config.evaluate_every else None
    arguments = _arguments(config, run_dir, batches.accumulation)
    transformers_logging.set_verbosity_warning()
    set_seed(config.seed)
    model = _model(config, rows)
    trainable = sum(_size(p) for p in model.parameters() if p.requires_grad)
    with Record(run_dir, config) as record:
        recorder = _Recorder(record, batches, config)
        trainer = PackedTrainer(model, arguments, batches, config, evaluation, callbacks=[recorder])
        trainer.remove_callback(PrinterCallback)
        recorder.trainer = trainer
        record.say(sample_of(Path(config.model), rows))
        found = checkpoints(run_dir / CHECKPOINTS)
        trainer.train(resume_from_checkpoint=str(found[-1]) if config.resume and found else None)
        _save(trainer, config, run_dir)
    done = trainer.state.global_step
    best = {"best_step": trainer.state.best_global_step, "best_f1": trainer.state.best_metric} if evaluation else {}
    return {
        "tuning": config.tuning,
        "steps": done,
        "trained_tokens": sum(batches.trained_tokens(step) for step in range(done)),
        "parameters": sum(_size(p) for p in model.parameters()),
        "trained_parameters": trainable,
        "engine": type(trainer.model_wrapped).__name__,
        **best,
    }


def _check(config: SftConfig) -> None:
    if config.optimizer == "muon" and config.deepspeed != "none":
        raise ConfigError(
            "optimizer=muon needs whole matrices, which ZeRO cuts up: use deepspeed=none or optimizer=adamw"
        )
    if config.optimizer == "muon" and config.tuning == "lora":
        raise ConfigError("optimizer=muon is for tuning=full: an adapter's matrices have another scale; use adamw")
    if config.precision == "fp16" and not torch.cuda.is_available():
        raise ConfigError("precision=fp16 needs a GPU; use bf16 or fp32")
    if not config.evaluate_every:
        if config.keep_best or config.patience:
            raise ConfigError("keep_best and patience go by evaluations: give evaluate_every= too")
        return
    if not (config.evaluate_on and config.evaluate_schema):
        raise ConfigError("evaluate_every needs evaluate_on= (a corpus) and evaluate_schema= (its library)")
    if config.deepspeed == "zero3":
        raise ConfigError(
            "evaluate_every: under deepspeed=zero3 no rank holds the model that would answer; use zero2 and more "
            "memory per rank, or evaluate_every=0 and `knowcoder predict` on what was saved"
        )


def _model(config: SftConfig, rows: PackedRows) -> PreTrainedModel:
    """Load what is trained: fp32 weights (arithmetic in `precision`), a frozen base in `precision`."""
    dtype = DTYPES[config.precision] if config.tuning == "lora" else torch.float32
    model = load_model(config.model, dtype)
    for misfit in rows.misfits(model.config):
        raise ModelError(f"model={config.model}: {misfit}")
    if not torch.cuda.is_available():
        use_packed_attention(model)
    return add_adapter(model, config.lora) if config.tuning == "lora" else model


def _arguments(config: SftConfig, run_dir: Path, accumulation: int) -> TrainingArguments:
    on_cpu = not torch.cuda.is_available()
    engine: dict[str, Any] = {}
    if config.gradient_checkpointing:
        engine = {"gradient_checkpointing": True, "gradient_checkpointing_kwargs": {"use_reentrant": False}}
    if config.deepspeed == "none" and launch.world_size() > 1:
        engine["ddp_backend"] = "gloo" if on_cpu else "nccl"
    elif config.deepspeed != "none":
        _start_deepspeed(on_cpu)
        engine["deepspeed"] = deepspeed_config(config, accumulation)
        engine["accelerator_config"] = {"use_configured_state": True}
    if config.evaluate_every:
        engine |= {"eval_strategy": "steps", "eval_steps": config.evaluate_every}
        engine |= {"metric_for_best_model": "f1", "greater_is_better": True}
    return TrainingArguments(
        output_dir=str(run_dir / CHECKPOINTS),
        max_steps=config.steps,
        per_device_train_batch_size=config.micro_batch,
        gradient_accumulation_steps=accumulation,
        learning_rate=config.learning_rate,
        weight_decay=config.weight_decay,
        max_grad_norm=config.clip,
        bf16=config.precision == "bf16",
        fp16=config.precision == "fp16",
        save_strategy="steps",
        save_steps=config.save_every,
        logging_strategy="steps",
        logging_steps=config.log_every,
        logging_nan_inf_filter=False,
        disable_tqdm=True,
        report_to="none",
        seed=config.seed,
        use_cpu=on_cpu,
        ddp_find_unused_parameters=False,
        ddp_broadcast_buffers=False,
        remove_unused_columns=False,
        **engine,
    )


def deepspeed_config(config: SftConfig, accumulation: int) -> dict[str, Any]:
    """Return the whole DeepSpeed configuration of a run: nothing is left to its defaults that matters."""
    return {
        "train_micro_batch_size_per_gpu": config.micro_batch,
        "gradient_accumulation_steps": accumulation,
        "gradient_clipping": config.clip,
        "bf16": {"enabled": config.precision == "bf16"},
        "fp16": {"enabled": config.precision == "fp16"},
        "zero_optimization": {
            "stage": int(config.deepspeed.removeprefix("zero")),
            # Without it the last save of ZeRO-3 would hold only one rank's part.
            "stage3_gather_16bit_weights_on_model_save": True,
        },
    }


def _start_deepspeed(on_cpu: bool) -> None:
    """Make accelerate use DeepSpeed on processors too, where it otherwise falls back to plain data parallelism unsaid.

    `use_cpu` alone drops DeepSpeed; ACCELERATE_USE_CPU must not be set, and the process group must exist before
    TrainingArguments look for it.
    """
    os.environ["ACCELERATE_USE_DEEPSPEED"] = "true"
    os.environ.pop("ACCELERATE_USE_CPU", None)
    launch.single()
    if on_cpu:
        os.environ["DS_ACCELERATOR"] = "cpu"
        import deepspeed.ops

        # A kernel for shared memory that would be compiled at the first run, and needs a compiler; gloo does without.
        deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    from accelerate import PartialState

    PartialState(backend="gloo" if on_cpu else "nccl")


def _size(parameter: torch.nn.Parameter) -> int:
    """Count the numbers of a parameter; ZeRO-3 keeps its size beside an empty shell."""
    return int(getattr(parameter, "ds_numel", parameter.numel()))


def assert_engine(trainer: PackedTrainer, config: SftConfig) -> None:
    """Check that the engine that was asked for is the one that runs.

    Raises:
        ModelError: another one does; the Trainer falls back in silence.
    """
    name = type(trainer.model_wrapped).__name__
    if config.deepspeed != "none":
        wanted = f"DeepSpeedEngine at stage {config.deepspeed.removeprefix('zero')}"
        stage = trainer.model_wrapped.zero_optimization_stage() if name == "DeepSpeedEngine" else "-"
        name = f"{name} at stage {stage}"
    else:
        wanted = "DistributedDataParallel" if torch.distributed.is_initialized() else type(trainer.model).__name__
    if name != wanted:
        raise ModelError(f"deepspeed={config.deepspeed} should run {wanted}, but {name} runs")


class _Recorder(TrainerCallback):
    """Hands the Trainer's figures to the record, and checks the engine before the first step."""

    def __init__(self, record: Record, batches: StepBatches, config: SftConfig) -> None:
        self._record, self._batches, self._config = record, batches, config
        self.trainer: PackedTrainer | None = None
        self._throughput = Throughput()

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        assert self.trainer is not None
        assert_engine(self.trainer, self._config)
        self._throughput = Throughput()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        rows, indices = self._batches.rows, self._batches.of_step(state.global_step - 1)
        capacity = len(indices) * rows.max_length
        self._throughput.add(int(rows.lengths[indices].sum()), int(rows.trained[indices].sum()), capacity)
        if state.global_step == self._config.steps:  # whatever log_every is
            control.should_log = True
            control.should_evaluate = bool(self._config.evaluate_every)

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, metrics: dict[str, float], **_: Any
    ) -> None:
        self._throughput.skip(metrics["evaluate_seconds"])
        self._record.step({"step": state.global_step, **metrics})

    def on_log(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, logs: dict[str, float], **_: Any
    ) -> None:
        if "loss" not in logs:  # the summary at the end
            return
        assert self.trainer is not None
        self._record.step(
            {
                "step": state.global_step,
                "loss": logs["loss"],
                **self.trainer.loss_by_kind.take(),
                "learning_rate": self._config.learning_rate * rate_factor(state.global_step - 1, self._config),
                "grad_norm": logs["grad_norm"],
                **self._throughput.take(),
            }
        )


def _save(trainer: PackedTrainer, config: SftConfig, run_dir: Path) -> None:
    """Save the final model or adapter, whole, with what goes with it."""
    trainer.save_model(str(run_dir))
    if trainer.args.should_save:
        if (best := trainer.best_checkpoint()) is not None:
            for path in best.glob("*.safetensors*"):
                shutil.copyfile(path, run_dir / path.name)
        if config.tuning == "lora":
            check_adapter(run_dir, trainer.model)
            write_base(run_dir, Path(config.model))
        (run_dir / "training_args.bin").unlink(missing_ok=True)
        copy_tokenizer(Path(config.model), run_dir)
    trainer.accelerator.wait_for_everyone()
