"""Saving and resuming a run: what all ranks do together around the files of `checkpoints`."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

import torch.distributed as dist

from knowcoder.config import PretrainConfig
from knowcoder.errors import ModelError, TrainingError
from knowcoder.train import checkpoints
from knowcoder.train.checkpoints import State
from knowcoder.train.process_group import of_all_ranks, of_first_rank, quiet
from knowcoder.train.universal import INFORMATION, make_universal
from knowcoder.train.writer import CheckpointWriter

_log = logging.getLogger(__name__)


class Saver:
    """The checkpoints of one run. All ranks must call every method at the same point."""

    def __init__(self, run_dir: Path, config: PretrainConfig) -> None:
        self._run_dir, self._config = run_dir, config
        self._writer = CheckpointWriter(config.save_in_background)
        self._saving: State | None = None
        self._engine: Any = None

    def attach(self, engine: Any) -> None:
        """Learn whose checkpoints these are, and let it write in our way."""
        self._engine = engine
        engine.checkpoint_engine = self._writer
        engine._copy_recovery_script = lambda folder: None  # `convert` reads a checkpoint

    @property
    def writing(self) -> bool:
        """Whether this rank still writes."""
        return self._writer.writing

    def last(self) -> tuple[Path, State] | None:
        """Return the last checkpoint that is whole, with its state; clear away what a killed run left.

        A torn one is left out, and said.
        """
        if dist.get_rank() == 0:
            checkpoints.sweep(self._run_dir)
        names = of_first_rank([path.name for path in checkpoints.steps(self._run_dir)])
        for name in reversed(names):
            folder = self._run_dir / name
            own = checkpoints.faults(folder, dist.get_rank(), dist.get_world_size())
            found = [fault for faults in of_all_ranks(own) for fault in faults]
            if not found:
                return folder, checkpoints.read_state(folder)
            if dist.get_rank() == 0:
                _log.warning("%s is not whole and is left out: %s", folder, "; ".join(found[:3]))
        return None

    def load(self, folder: Path, universal: bool) -> None:
        """Load weights and optimizer state.

        Args:
            universal: the checkpoint was written with another cut; the engine must have been told too.

        Raises:
            ModelError: the engine cannot read it.
        """
        source = folder
        if universal:
            said = ""
            if dist.get_rank() == 0:
                try:
                    make_universal(folder)
                except ModelError as error:
                    said = str(error)
            if said := of_first_rank(said):
                raise ModelError(said)
            source = self._run_dir / checkpoints.UNIVERSAL / folder.name
        with quiet():
            loaded, _ = self._engine.load_checkpoint(str(source.parent), tag=source.name)
        if loaded is None:
            raise ModelError(f"{folder}: the engine cannot read this checkpoint")
        dist.barrier()
        if universal and dist.get_rank() == 0:
            shutil.rmtree(source.parent)

    def save(self, state: State) -> None:
        """Begin to write a checkpoint; `latest` names it when `finish` finds it whole."""
        self.finish()
        with quiet():
            self._engine.save_checkpoint(
                str(self._run_dir),
                tag=checkpoints.partial_name(state.step),
                client_state=INFORMATION,
                save_latest=False,
                exclude_frozen_parameters=False,
            )
        self._saving = state
        if not self._config.save_in_background:
            self.finish()

    def finish(self) -> None:
        """Wait until the checkpoint that is being written is whole, and keep as many as are asked for.

        Raises:
            TrainingError: it could not be written.
        """
        if self._saving is None:
            return
        state, self._saving = self._saving, None
        marks, failed = self._writer.finish()
        reports = of_all_ranks((marks, _said(failed)))
        said = next((f"rank {rank}: {text}" for rank, (_, text) in enumerate(reports) if text), "")
        if dist.get_rank() == 0 and not said:
            try:
                checkpoints.commit(self._run_dir, state, {name: mark for m, _ in reports for name, mark in m.items()})
                checkpoints.thin_out(self._run_dir, self._config.keep_last, self._config.keep_every)
            except OSError as error:
                said = f"rank 0: {_said(error)}"
        if said := of_first_rank(said):
            self._give_up(state.step, said)

    def _give_up(self, step: int, said: str) -> None:
        if dist.get_rank() == 0:
            shutil.rmtree(self._run_dir / checkpoints.partial_name(step), ignore_errors=True)
        whole = checkpoints.steps(self._run_dir)
        last = f"the last whole checkpoint is {whole[-1].name}" if whole else "there is no checkpoint yet"
        raise TrainingError(
            f"{self._run_dir}: the checkpoint of step {step} could not be written ({said}); {last}; make room, then "
            "continue with resume=true"
        )


def _said(error: OSError | None) -> str:
    if error is None:
        return ""
    return f"{error.strerror or error}" + (f": {error.filename}" if error.filename else "")
