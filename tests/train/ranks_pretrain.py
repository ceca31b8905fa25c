"""Run by torchrun: trains the runs that a JSON file names, one after the other, in one set of processes."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import torch.distributed as dist

from knowcoder.config import PretrainConfig
from knowcoder.errors import KnowcoderError
from knowcoder.train import pretrain
from knowcoder.train.checkpoints import State
from knowcoder.train.process_group import start_process_group
from knowcoder.train.saver import Saver


def main(plan: str) -> None:
    start_process_group()
    for run in json.loads(Path(plan).read_text()):
        stop, fails, factors = (run.pop(name, None) for name in ("stop_after", "fails", "factors"))
        run |= run.pop("rank_1", {}) if dist.get_rank() == 1 else {}
        run.pop("rank_1", None)
        config = msgspec.convert(run, PretrainConfig)
        run_dir = Path(config.output)
        notes = Path(plan).parent / run_dir.name
        note_rows(Path(f"{notes}-rows"))
        with bent_losses(factors or {}):
            if fails:
                note_error(config, run_dir, Path(f"{notes}-error-{dist.get_rank()}.txt"))
            elif stop:
                cut_off(config, run_dir, stop)
            else:
                pretrain.pretrain(config, run_dir)


def note_error(config: PretrainConfig, run_dir: Path, notes: Path) -> None:
    """Train, which is refused; write down what this rank says."""
    try:
        pretrain.pretrain(config, run_dir)
    except KnowcoderError as error:
        notes.write_text(str(error))


@contextmanager
def bent_losses(factors: dict[str, float]) -> Iterator[None]:
    """Multiply the losses of some steps, named by their number from 0."""
    plain = pretrain._Run._micro_batches

    def bent(self: pretrain._Run, step: int) -> Iterator[Any]:
        for batch in plain(self, step):
            if str(step) in factors and self.loss._labels:
                places, targets, factor = self.loss._labels.pop()
                self.loss._labels.append((places, targets, factor * factors[str(step)]))
            yield batch

    pretrain._Run._micro_batches = bent
    try:
        yield
    finally:
        pretrain._Run._micro_batches = plain


def cut_off(config: PretrainConfig, run_dir: Path, stop: int) -> None:
    """Train until `stop` steps are saved, then go no further, as if killed; the schedule is that of the whole run."""

    class Killed(Exception):
        pass

    save = Saver.save

    def save_and_die(self: Saver, state: State) -> None:
        save(self, state)
        if state.step == stop:
            self.finish()
            raise Killed

    Saver.save = save_and_die
    try:
        pretrain.pretrain(config, run_dir)
    except Killed:
        pass
    finally:
        Saver.save = save


def note_rows(folder: Path) -> None:
    """Let the data write down which rows this rank reads."""
    folder.mkdir(parents=True, exist_ok=True)
    read = pretrain.PackedRows.batch
    while hasattr(read, "original"):
        read = read.original

    def batch(self: pretrain.PackedRows, indices: list[int]) -> object:
        with open(folder / f"rank-{dist.get_rank()}.txt", "a") as file:
            file.write(" ".join(map(str, indices)) + "\n")
        return read(self, indices)

    batch.original = read
    pretrain.PackedRows.batch = batch


if __name__ == "__main__":
    main(sys.argv[1])
