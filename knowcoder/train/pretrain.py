"""Phase 1, schema understanding: all weights trained under DeepSpeed's pipeline engine."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from knowcoder import artefact
from knowcoder.checkpoint.folder import copy_model_files, model_root
from knowcoder.checkpoint.mapping import read_config
from knowcoder.config import PretrainConfig
from knowcoder.errors import ConfigError, ModelError, TrainingError
from knowcoder.train import agreement, launch
from knowcoder.train.checkpoints import State
from knowcoder.train.deepspeed_config import check_keys, pipeline_config
from knowcoder.train.guards import LossWatch, StepGuard
from knowcoder.train.order import random_seed, shard
from knowcoder.train.process_group import of_all_ranks, quiet, start_process_group
from knowcoder.train.record import Record, sample_of
from knowcoder.train.rows import PackedRows, StepBatches
from knowcoder.train.saver import Saver
from knowcoder.train.schedule import rate_factor
from knowcoder.train.stage import build_optimizer, build_pipeline
from knowcoder.train.stopping import StopSignal
from knowcoder.train.throughput import Throughput, Work
from knowcoder.train.validation import Validation
from knowcoder.train.zero_muon import ZeroMuon

_NAMED = 8  # rows of a bad step that a message names


def pretrain(config: PretrainConfig, run_dir: Path) -> dict[str, Any]:
    """Train one rank of a pipeline run; rank and number of ranks come from the environment, as torchrun sets it.

    Writes into `run_dir`: checkpoints (`stepN/`, `latest`, configuration and tokenizer) and the record of the run.
    Continues from its last whole checkpoint where `config.resume` is set, also with another number of stages or ranks.

    Returns:
        Facts for the manifest: steps, trained tokens, parameters, stages, data-parallel ranks, final loss.

    Raises:
        ConfigError: keys that do not go together, or ranks that were given different things. ModelError: the model
        cannot be cut, or does not fit the data. TrainingError: a checkpoint cannot be written, or a step is bad and the
        keys say to stop. StoppedError: a signal asked for it, and the run is saved.
    """
    launch.single()
    world = int(os.environ["WORLD_SIZE"])
    if world % config.parallel.pp:
        raise ConfigError(f"parallel.pp={config.parallel.pp} does not divide {world} processes; change one of them")
    if config.precision == "fp16" and not torch.cuda.is_available():
        raise ConfigError("precision=fp16 needs a GPU; use bf16 or fp32")
    with Record(run_dir, config) as record, StopSignal() as stop:
        run = _Run(config, run_dir, record, stop)
        facts = run.train()
        dist.barrier()
        return facts


class _Run:
    """The engine, the data and the place in the data of one rank."""

    def __init__(self, config: PretrainConfig, run_dir: Path, record: Record, stop: StopSignal) -> None:
        self.config, self.run_dir, self.record, self.stop = config, run_dir, record, stop
        self.source = Path(config.model)
        start_process_group()
        agreement.agree("their keys", agreement.keys(config))
        agreement.agree("the versions of packages", artefact.versions())
        self.root = model_root(self.source)
        torch.manual_seed(config.seed)
        self.rows = PackedRows(Path(config.data))
        agreement.agree("their data", self.rows.marks())
        self._check_model(self.rows)
        module, self.loss = build_pipeline(self.source, config)
        agreement.agree("their weights", agreement.marks(module))
        self.parameters = _count(module)
        grid = module.mpu()
        self.pp, self.dp = config.parallel.pp, grid.data_parallel_size
        self.dp_rank = grid.data_parallel_id
        self.batches = StepBatches(
            self.rows, config.steps, config.global_batch, config.micro_batch, config.seed, self.dp_rank, self.dp
        )
        self.validation = self._held_out()
        self.optimizer = build_optimizer(module, config)
        self.peaks = [group["lr"] for group in self.optimizer.param_groups]
        self.state = State(0, self.pp, self.dp, list(module.parts))
        self._start(module)
        self.device = self.engine.device

    def _start(self, module: Any) -> None:
        """Make the engine, and continue from the last checkpoint where that is asked for."""
        self.saver = Saver(self.run_dir, self.config)
        last = self.saver.last() if self.config.resume else None
        moved = last is not None and (last[1].pp, last[1].dp, last[1].cut) != (self.pp, self.dp, self.state.cut)
        self.engine = self._engine(module, moved)
        self.saver.attach(self.engine)
        if last is not None:
            folder, state = last
            self.saver.load(folder, universal=moved)
            self.record.say(_continued(folder, state, self.state))
            self.state = replace(state, pp=self.pp, dp=self.dp, cut=self.state.cut)
        watch = LossWatch(self.config, self.state.recent)
        self.guard = StepGuard(self.engine, watch, self.saver, self.stop, fp16=self.config.precision == "fp16")

    def train(self) -> dict[str, Any]:
        """Run all steps that are left."""
        config, state = self.config, self.state
        self.record.say(sample_of(self.root, self.rows))
        throughput = Throughput(Work.of(config, read_config(self.root), self.rows))
        throughput.watch(self.engine.module, self.record.say, self.engine.stage_id)
        if state.step == 0 and dist.get_rank() == 0:
            copy_model_files(self.root, self.run_dir)
        while state.step < config.steps:
            self._train_step(throughput)
            last = state.step == config.steps
            if state.step % config.log_every == 0 or last:
                self._log(throughput)
            if self.validation and (last or self._due(config.eval_every)):
                started = time.perf_counter()
                self.record.step({"step": state.step} | self.validation.measure(self.engine, self.loss))
                throughput.skip(time.perf_counter() - started)
            if not self.guard.writing:
                self.saver.finish()
            if last or self.guard.stop_asked or self._due(config.save_every) or self._due(config.keep_every):
                self.saver.save(replace(state, unlogged=list(state.unlogged), recent=self.guard.recent))
            if self.guard.stop_asked and not last:
                self.saver.finish()
                raise self.stop.stopped(state.step)
        self.saver.finish()
        self.record.say(throughput.summary())
        trained_tokens = sum(self.batches.trained_tokens(step) for step in range(config.steps))
        return {
            "steps": state.step,
            "trained_tokens": trained_tokens,
            "parameters": self.parameters,
            "pp": self.pp,
            "dp": self.dp,
            "loss": state.loss,
        } | ({"skipped_steps": state.skipped} if state.skipped else {})

    def _due(self, every: int) -> bool:
        return every > 0 and self.state.step % every == 0

    def _train_step(self, throughput: Throughput) -> None:
        """Train on the next step's rows; a step that the guard refuses leaves the weights as they are."""
        state = self.state
        for group, peak in zip(self.optimizer.param_groups, self.peaks, strict=True):
            group["lr"] = peak * rate_factor(state.step, self.config)
        torch.manual_seed(random_seed(self.config.seed, state.step, dist.get_rank()))
        loss = self.engine.train_batch(throughput.waiting(self._micro_batches(state.step))).item()
        rows = self.batches.of_step(state.step)
        verdict = self.guard.verdict
        if verdict.action == "stop":
            self.saver.finish()
            raise TrainingError(
                f"step {state.step + 1} is not taken: {verdict.why}; its rows are {', '.join(map(str, rows[:_NAMED]))}"
                f"{', ...' if len(rows) > _NAMED else ''}; look at them, or lower learning_rate, or leave such steps "
                "out with non_finite=skip and on_spike=skip"
            )
        state.step += 1
        if verdict.why:
            done = "is left out" if verdict.action == "skip" else "is odd"
            self.record.say(f"step {state.step} {done}: {verdict.why}")
        if verdict.action == "take":
            state.unlogged.append(loss)
        else:
            state.skipped += 1
        tokens, trained = int(self.rows.lengths[rows].sum()), int(self.rows.trained[rows].sum())
        throughput.add(tokens, trained, len(rows) * self.rows.max_length)

    def _log(self, throughput: Throughput) -> None:
        state, norm = self.state, self.engine.get_global_grad_norm()
        figures: dict[str, Any] = {"step": state.step}
        if state.unlogged:  # else every step since the last line was left out
            state.loss = torch.tensor(state.unlogged).mean().item()
            figures["loss"] = state.loss
            state.unlogged = []
        figures["learning_rate"] = self.config.learning_rate * rate_factor(state.step - 1, self.config)
        figures["grad_norm"] = float(norm) if norm is not None and math.isfinite(norm) else None
        if state.skipped:
            figures["skipped_steps"] = state.skipped
        self.record.step(figures | throughput.take())

    def _micro_batches(self, step: int) -> Iterator[tuple[Any, Any]]:
        """Yield the inputs of this rank's micro-batches, and hand their labels to the loss of the last stage.

        The engine takes the mean over micro-batches and data-parallel ranks; the factor makes it the mean over the
        step's trained tokens, which every rank knows from the data.
        """
        own = shard(self.batches.of_step(step), self.dp_rank, self.dp)
        factor = self.batches.accumulation * self.dp / max(1, self.batches.trained_tokens(step))
        for start in range(0, len(own), self.config.micro_batch):
            batch = self.rows.batch(own[start : start + self.config.micro_batch])
            if self.engine.is_last_stage():
                self.loss.put((batch["trained"].to(self.device), batch["targets"].to(self.device), factor))
            yield (batch["input_ids"], batch["position_ids"]), ()

    def _held_out(self) -> Validation | None:
        config = self.config
        if not config.eval_data:
            return None
        found = Validation(Path(config.eval_data), self.rows.max_length, config.micro_batch, self.dp_rank, self.dp)
        agreement.agree("their held-out data", found.rows.marks())
        self._check_model(found.rows)
        return found

    def _check_model(self, rows: PackedRows) -> None:
        for misfit in rows.misfits(read_config(self.root)):
            raise ModelError(f"model={self.source}: {misfit}")

    def _engine(self, module: Any, universal: bool) -> Any:
        import deepspeed

        held = sum(parameter.numel() for parameter in module.parameters())
        settings = pipeline_config(self.config, self.batches.accumulation, universal, held)
        check_keys(settings)
        with quiet():
            engine, *_ = deepspeed.initialize(model=module, optimizer=self.optimizer, config=settings)
        if isinstance(self.optimizer, ZeroMuon):
            self.optimizer.bind(module.mpu().get_data_parallel_group())
        return engine


def _count(module: Any) -> int:
    """Count the parameters of all stages, tied ones once."""
    own = sum(p.numel() for p in module.parameters() if not p.ds_pipe_replicated)
    return sum(of_all_ranks(own)) // module.mpu().data_parallel_size


def _continued(folder: Path, then: State, now: State) -> str:
    text = f"continuing after step {then.step}, from {folder}"
    if (then.pp, then.dp, then.cut) == (now.pp, now.dp, now.cut):
        return text
    return f"{text}, written by {then.pp} stages x {then.dp} data-parallel ranks, read by {now.pp} x {now.dp}"
