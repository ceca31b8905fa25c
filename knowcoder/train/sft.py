"""Instruction tuning over packed rows: all weights or an adapter; one process, data-parallel, or DeepSpeed's ZeRO.

Built on `transformers.Trainer` (see trainer.py). This file turns the keys into a model, an engine and a run, and leaves
a model or an adapter that plain `transformers` and `peft` load.
"""

from __future__ import annotations

import logging
import os
import shutil
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from peft import PeftModel
from transformers import (
    BitsAndBytesConfig,
    PreTrainedModel,
    PrinterCallback,
    TrainerCallback,
    TrainerControl,
    TrainerState,
    TrainingArguments,
    set_seed,
)
from transformers.trainer import TRAINER_STATE_NAME
from transformers.utils import is_liger_kernel_available
from transformers.utils import logging as transformers_logging

from knowcoder.checkpoint.init import copy_tokenizer
from knowcoder.checkpoint.mapping import DTYPES, load_model, read_config
from knowcoder.config import SftConfig
from knowcoder.errors import ConfigError, ModelError
from knowcoder.train import launch
from knowcoder.train.adapter import add_adapter, check_continued, continue_adapter, write_base
from knowcoder.train.attention import use_flat_attention
from knowcoder.train.engine import assert_engine, check_engine, start_deepspeed, zero_config
from knowcoder.train.evaluation import Evaluation
from knowcoder.train.record import Record, sample_of
from knowcoder.train.rows import PackedRows, StepBatches
from knowcoder.train.schedule import rate_factor
from knowcoder.train.stopping import StopSignal
from knowcoder.train.throughput import Throughput, Work
from knowcoder.train.trainer import PackedTrainer, check_saved, last_whole, size_of, stops_early

CHECKPOINTS = "checkpoints"
_log = logging.getLogger(__name__)


def sft(config: SftConfig, run_dir: Path) -> dict[str, Any]:
    """Train one rank of a run; rank and number of ranks come from the environment, as torchrun sets it.

    Writes into `run_dir`: the final model or adapter with its tokenizer, `checkpoints/`, and the record of the run.

    Returns:
        Facts for the manifest: tuning, steps, trained tokens, final loss, parameters, the engine that ran.

    Raises:
        ConfigError: keys that do not go together. ModelError: model and data do not fit, or another engine ran than
        the one asked for. StoppedError: a signal ended the run, which is saved.
    """
    _check(config)
    rows = PackedRows(Path(config.data))
    start, torn = last_whole(run_dir / CHECKPOINTS) if config.resume else (None, [])
    batches = StepBatches(
        rows,
        _steps(config, start),
        config.global_batch,
        config.micro_batch,
        config.seed,
        launch.rank(),
        launch.world_size(),
    )
    evaluation = Evaluation(config, rows.kinds) if config.evaluate_every else None
    # Before the arguments, which let every model that is made from now on be cut up under ZeRO-3.
    work = Work.of(config, read_config(Path(config.model)), rows, frozen=config.tuning != "full")
    arguments = _arguments(config, run_dir, batches)
    transformers_logging.set_verbosity_warning()
    set_seed(config.seed)
    model, flat = _model(config, rows)
    trainable = sum(size_of(p) for p in model.parameters() if p.requires_grad)
    with Record(run_dir, config) as record, StopSignal() as stop:
        throughput = Throughput(work)
        recorder = _Recorder(record, batches, config, stop, throughput)
        trainer = PackedTrainer(model, arguments, batches, config, flat, evaluation, callbacks=[recorder])
        trainer.collate = throughput.timed(trainer.collate)
        trainer.remove_callback(PrinterCallback)
        recorder.trainer = trainer
        for fault in torn:
            record.say(fault)
        record.say(sample_of(Path(config.model), rows))
        trainer.train(resume_from_checkpoint=str(start) if start else None)
        done = trainer.state.global_step
        if recorder.told_to_stop and done < batches.steps:
            raise stop.stopped(done)
        record.say(throughput.summary())
        _save(trainer, config, run_dir)
    best = {"best_step": trainer.state.best_global_step, "best_f1": trainer.state.best_metric} if evaluation else {}
    return {
        "tuning": config.tuning,
        "steps": done,
        "trained_tokens": sum(batches.trained_tokens(step) for step in range(done)),
        "parameters": sum(size_of(p) for p in model.parameters()),
        "trained_parameters": trainable,
        "engine": recorder.engine,
        **best,
    }


def _check(config: SftConfig) -> None:
    check_engine(config)
    if config.optimizer == "muon" and config.tuning != "full":
        raise ConfigError("optimizer=muon is for tuning=full: an adapter's matrices have another scale; use adamw")
    _check_device(config)
    if config.adapter:
        if config.tuning == "full":
            raise ConfigError("adapter= goes on with an adapter; tuning=full has none: merge it, and give the result")
        check_continued(Path(config.adapter), Path(config.model), config.tuning)
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


def _check_device(config: SftConfig) -> None:
    """Refuse what the device here cannot do."""
    on_gpu = torch.cuda.is_available()
    if config.precision == "fp16" and not on_gpu:
        raise ConfigError("precision=fp16 needs a GPU; use bf16 or fp32")
    if config.precision == "bf16" and on_gpu and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise ConfigError("precision=bf16: this GPU has no arithmetic for it; use fp16 or fp32")
    if config.tuning == "qlora":
        if not on_gpu:
            raise ConfigError("tuning=qlora needs a GPU: weights of 4 bits are unpacked by its kernels; use lora")
        if find_spec("bitsandbytes") is None:
            raise ConfigError("tuning=qlora needs the package bitsandbytes; pip install 'knowcoder[qlora]'")


def _steps(config: SftConfig, start: Path | None) -> int:
    """Return how many steps the run has in all: those of a run that had stopped early, if it goes on from there."""
    if start and config.patience:
        state = TrainerState.load_from_json(str(start / TRAINER_STATE_NAME))
        if state.best_global_step and stops_early(state, config):
            return int(state.global_step)
    return config.steps


def _model(config: SftConfig, rows: PackedRows) -> tuple[PreTrainedModel | PeftModel, bool]:
    """Load what is trained: fp32 weights (arithmetic in `precision`), a frozen base in `precision`.

    Returns:
        The model, and whether it takes the rows of a micro-batch one behind the other, without padding.
    """
    dtype = torch.float32 if config.tuning == "full" else DTYPES[config.precision]
    model = load_model(config.model, dtype, **(_four_bits(dtype) if config.tuning == "qlora" else {}))
    for misfit in rows.misfits(model.config):
        raise ModelError(f"model={config.model}: {misfit}")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    flat = use_flat_attention(model, device, half=config.precision != "fp32")
    if config.tuning == "full":
        return model, flat
    if config.adapter:
        return continue_adapter(model, Path(config.adapter)), flat
    return add_adapter(model, config.lora, dora=config.tuning == "dora"), flat


def _four_bits(dtype: torch.dtype) -> dict[str, Any]:
    """How QLoRA keeps its base: normal-float numbers of 4 bits, whose scales are quantised too (arXiv 2305.14314)."""
    form = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=dtype,
    )
    return {"quantization_config": form, "device_map": {"": int(os.environ.get("LOCAL_RANK", "0"))}}


def _arguments(config: SftConfig, run_dir: Path, batches: StepBatches) -> TrainingArguments:
    on_cpu = not torch.cuda.is_available()
    engine: dict[str, Any] = {}
    if config.gradient_checkpointing:
        engine = {"gradient_checkpointing": True, "gradient_checkpointing_kwargs": {"use_reentrant": False}}
    if config.deepspeed == "none" and launch.world_size() > 1:
        engine["ddp_backend"] = "gloo" if on_cpu else "nccl"
    elif config.deepspeed != "none":
        start_deepspeed()
        engine["deepspeed"] = zero_config(config, batches.accumulation)
        engine["accelerator_config"] = {"use_configured_state": True}
    if config.evaluate_every:
        engine |= {"eval_strategy": "steps", "eval_steps": config.evaluate_every}
        engine |= {"metric_for_best_model": "f1", "greater_is_better": True}
    if not on_cpu and is_liger_kernel_available():
        # Norms, rotary positions and gates alone: the loss is ours, over trained tokens.
        engine |= {"use_liger_kernel": True}
        engine |= {"liger_kernel_config": {"cross_entropy": False, "fused_linear_cross_entropy": False}}
    return TrainingArguments(
        output_dir=str(run_dir / CHECKPOINTS),
        max_steps=batches.steps,
        per_device_train_batch_size=config.micro_batch,
        gradient_accumulation_steps=batches.accumulation,
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


class _Recorder(TrainerCallback):
    """Hands the Trainer's figures to the record, and checks the engine before the first step."""

    def __init__(
        self, record: Record, batches: StepBatches, config: SftConfig, stop: StopSignal, throughput: Throughput
    ) -> None:
        self._record, self._batches, self._config, self._stop = record, batches, config, stop
        self._throughput = throughput
        self.told_to_stop = False
        self.engine = ""
        self.trainer: PackedTrainer | None = None

    def on_train_begin(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        assert self.trainer is not None
        plain = type(self.trainer.model).__name__
        self.engine = assert_engine(self.trainer.model_wrapped, plain, self._config)
        _log.info("%s runs", self.engine)
        self._throughput.watch(self.trainer.model, self._record.say)
        self._throughput.restart()

    def on_step_end(self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **_: Any) -> None:
        rows, indices = self._batches.rows, self._batches.of_step(state.global_step - 1)
        capacity = len(indices) * rows.max_length
        self._throughput.add(int(rows.lengths[indices].sum()), int(rows.trained[indices].sum()), capacity)
        if self._stop.agreed():
            self.told_to_stop = control.should_save = control.should_training_stop = True
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
                **self.trainer.take_losses(),
                "learning_rate": self._config.learning_rate * rate_factor(state.global_step - 1, self._config),
                "grad_norm": logs.get("grad_norm"),  # DeepSpeed measures none at stage 0
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
        check_saved(run_dir, trainer.model, trained=True)
        if config.tuning != "full":
            write_base(run_dir, Path(config.model))
        (run_dir / "training_args.bin").unlink(missing_ok=True)
        copy_tokenizer(Path(config.model), run_dir)
    trainer.accelerator.wait_for_everyone()
