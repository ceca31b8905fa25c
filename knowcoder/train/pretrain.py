"""Phase 1, schema understanding: all weights trained under DeepSpeed's pipeline engine."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from knowcoder import jsonl
from knowcoder.checkpoint.folder import copy_model_files, find_step, model_root, write_latest
from knowcoder.checkpoint.mapping import read_config
from knowcoder.config import PretrainConfig
from knowcoder.errors import ConfigError, ModelError
from knowcoder.train import launch
from knowcoder.train.deepspeed_config import check_keys, pipeline_config
from knowcoder.train.order import shard
from knowcoder.train.process_group import quiet, start_process_group
from knowcoder.train.record import Record, sample_of
from knowcoder.train.rows import PackedRows, StepBatches
from knowcoder.train.schedule import rate_factor
from knowcoder.train.stage import build_optimizer, build_pipeline
from knowcoder.train.throughput import Throughput
from knowcoder.train.zero_muon import ZeroMuon

STATE = "state.json"


def pretrain(config: PretrainConfig, run_dir: Path) -> dict[str, Any]:
    """Train one rank of a pipeline run; rank and number of ranks come from the environment, as torchrun sets it.

    Writes into `run_dir`: checkpoints (`stepN/`, `latest`, configuration and tokenizer) and the record of the run.
    Continues from its last checkpoint where `config.resume` is set.

    Returns:
        Facts for the manifest: steps, trained tokens, parameters, stages, data-parallel ranks, final loss.

    Raises:
        ConfigError: keys that do not go together. ModelError: the model cannot be cut, or does not fit the data.
    """
    launch.single()
    world = int(os.environ["WORLD_SIZE"])
    if world % config.parallel.pp:
        raise ConfigError(f"parallel.pp={config.parallel.pp} does not divide {world} processes; change one of them")
    if config.precision == "fp16" and not torch.cuda.is_available():
        raise ConfigError("precision=fp16 needs a GPU; use bf16 or fp32")
    with Record(run_dir, config) as record:
        run = _Run(config, run_dir, record)
        facts = run.train()
        dist.barrier()
        return facts


class _Run:
    """The engine, the data and the place in the data of one rank."""

    def __init__(self, config: PretrainConfig, run_dir: Path, record: Record) -> None:
        self.config, self.run_dir, self.record = config, run_dir, record
        self.source = Path(config.model)
        self.root = model_root(self.source)
        start_process_group()
        torch.manual_seed(config.seed)
        self.rows = PackedRows(Path(config.data))
        self._check_model()
        module, self.loss = build_pipeline(self.source, config)
        self.parameters = _count(module)
        grid = module.mpu()
        self.pp, self.dp = config.parallel.pp, grid.data_parallel_size
        self.dp_rank = grid.data_parallel_id
        self.batches = StepBatches(
            self.rows, config.steps, config.global_batch, config.micro_batch, config.seed, self.dp_rank, self.dp
        )
        self.optimizer = build_optimizer(module, config)
        self.peaks = [group["lr"] for group in self.optimizer.param_groups]
        self.engine = self._engine(module)
        self.device = self.engine.device
        self.step = self._resume() if config.resume else 0

    def train(self) -> dict[str, Any]:
        """Run all steps that are left."""
        config = self.config
        self.record.say(sample_of(self.root, self.rows))
        throughput, losses, loss = Throughput(), [], float("nan")
        if self.step == 0 and dist.get_rank() == 0:
            copy_model_files(self.root, self.run_dir)
        while self.step < config.steps:
            for group, peak in zip(self.optimizer.param_groups, self.peaks, strict=True):
                group["lr"] = peak * rate_factor(self.step, config)
            losses.append(self.engine.train_batch(self._micro_batches(self.step)).detach())
            rows = self.batches.of_step(self.step)
            self.step += 1
            tokens, trained = int(self.rows.lengths[rows].sum()), int(self.rows.trained[rows].sum())
            throughput.add(tokens, trained, len(rows) * self.rows.max_length)
            if self.step % config.log_every == 0 or self.step == config.steps:
                loss = torch.stack(losses).mean().item()
                losses = []
                self._log(loss, throughput)
            if self.step % config.save_every == 0 or self.step == config.steps:
                self._save()
        trained_tokens = sum(self.batches.trained_tokens(step) for step in range(config.steps))
        return {
            "steps": self.step,
            "trained_tokens": trained_tokens,
            "parameters": self.parameters,
            "pp": self.pp,
            "dp": self.dp,
            "loss": loss,
        }

    def _log(self, loss: float, throughput: Throughput) -> None:
        norm = self.engine.get_global_grad_norm()
        if not loss == loss:
            raise ModelError(f"the loss of step {self.step} is not a number; lower learning_rate or use precision=bf16")
        figures = {
            "step": self.step,
            "loss": loss,
            "learning_rate": self.config.learning_rate * rate_factor(self.step - 1, self.config),
            "grad_norm": float(norm) if norm is not None else None,
        }
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

    def _check_model(self) -> None:
        for misfit in self.rows.misfits(read_config(self.root)):
            raise ModelError(f"model={self.source}: {misfit}")

    def _engine(self, module: Any) -> Any:
        import deepspeed

        held = sum(parameter.numel() for parameter in module.parameters())
        settings = pipeline_config(self.config, self.batches.accumulation, held=held)
        check_keys(settings)
        with quiet():
            engine, *_ = deepspeed.initialize(model=module, optimizer=self.optimizer, config=settings)
        if isinstance(self.optimizer, ZeroMuon):
            self.optimizer.bind(module.mpu().get_data_parallel_group())
        return engine

    def _save(self) -> None:
        """Write a checkpoint; `latest` names it only when it is whole. Keep the last `keep_last`."""
        name = f"step{self.step}"
        with quiet():
            self.engine.save_checkpoint(str(self.run_dir), tag=name, save_latest=False, exclude_frozen_parameters=False)
        dist.barrier()
        if dist.get_rank() == 0:
            state = {"step": self.step, "pp": self.pp, "dp": self.dp, "optimizer": self.config.optimizer}
            jsonl.write_json(self.run_dir / name / STATE, state)
            write_latest(self.run_dir, name)
            for old in _steps(self.run_dir)[: -max(1, self.config.keep_last)]:
                shutil.rmtree(old)
        dist.barrier()

    def _resume(self) -> int:
        """Load the last checkpoint of this run, if there is one, and return how many steps it has done."""
        if not (self.run_dir / "latest").is_file():
            return 0
        _, folder = find_step(self.run_dir)
        state = json.loads((folder / STATE).read_text())
        if (state["pp"], state["dp"]) != (self.pp, self.dp):
            raise ConfigError(
                f"resume=true: {folder} was written with parallel.pp={state['pp']} and {state['dp']} data-parallel "
                f"processes, now there are {self.pp} and {self.dp}; use the same, or start from its weights with "
                f"model={self.run_dir}"
            )
        with quiet():
            loaded, _ = self.engine.load_checkpoint(str(self.run_dir), tag=folder.name)
        if loaded is None:
            raise ModelError(f"{folder}: the engine cannot read this checkpoint")
        return int(state["step"])


def _count(module: Any) -> int:
    """Count the parameters of all stages, tied ones once."""
    own = sum(p.numel() for p in module.parameters() if not p.ds_pipe_replicated)
    counts: list[int] = [0] * dist.get_world_size()
    dist.all_gather_object(counts, own)
    return sum(counts) // module.mpu().data_parallel_size


def _steps(folder: Path) -> list[Path]:
    found = [path for path in folder.glob("step*") if path.name.removeprefix("step").isdecimal()]
    return sorted(found, key=lambda path: int(path.name.removeprefix("step")))
