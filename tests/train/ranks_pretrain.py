"""Run by torchrun: trains the runs that a JSON file names, one after the other, in one set of processes."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import msgspec
import torch.distributed as dist

from knowcoder.config import PretrainConfig
from knowcoder.train import pretrain
from knowcoder.train.checkpoints import State
from knowcoder.train.saver import Saver


def main(plan: str) -> None:
    for run in json.loads(Path(plan).read_text()):
        stop = run.pop("stop_after", None)
        config = msgspec.convert(run, PretrainConfig)
        run_dir = Path(config.output)
        note_rows(run_dir.parent / f"{run_dir.name}-rows")
        if stop:
            cut_off(config, run_dir, stop)
        else:
            pretrain.pretrain(config, run_dir)


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
