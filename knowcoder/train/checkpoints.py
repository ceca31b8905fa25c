"""The checkpoints of a run on disk: each is whole, or is not there.

A checkpoint is written under a hidden name beside its place, gets a list of its files with sizes and hashes, and is
renamed; only then does `latest` name it. Reading checks the list. What is removed is renamed first, so that what is
half gone never looks like a checkpoint.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

import xxhash

from knowcoder import jsonl
from knowcoder.checkpoint.folder import write_latest
from knowcoder.errors import DataError

STATE = "state.json"
FILES = "files.json"
#: Where a checkpoint stands while it is read for another topology.
UNIVERSAL = ".universal"
_BLOCK = 1 << 22


@dataclass(frozen=True)
class Mark:
    """How a file is recognised: its size, and XXH3 (128 bits) of its bytes."""

    size: int
    xxh3: str


@dataclass
class State:
    """What a run knows besides weights and optimizer state.

    Attributes:
        step: steps done. pp, dp, cut: stages, data-parallel ranks, and the first piece of every stage.
        loss: the last one logged. unlogged: losses of the steps since then. recent: those that spikes are measured by.
        skipped: steps left out so far.
    """

    step: int
    pp: int
    dp: int
    cut: list[int]
    loss: float | None = None
    unlogged: list[float] = field(default_factory=list)
    recent: list[float] = field(default_factory=list)
    skipped: int = 0


def name_of(step: int) -> str:
    """Return the name of a step's checkpoint."""
    return f"step{step}"


def partial_name(step: int) -> str:
    """Return the name under which a step's checkpoint is written."""
    return f".step{step}.partial"


def steps(run_dir: Path) -> list[Path]:
    """Return the checkpoints of a run, oldest first."""
    found = [path for path in run_dir.glob("step*") if path.name.removeprefix("step").isdecimal()]
    return sorted(found, key=_step_of)


def commit(run_dir: Path, state: State, marks: dict[str, Mark]) -> None:
    """Give a checkpoint that is written its list of files and its name, and let `latest` name it."""
    partial, final = run_dir / partial_name(state.step), run_dir / name_of(state.step)
    jsonl.write_json(partial / STATE, state)
    marks[STATE] = mark(partial / STATE)
    jsonl.write_json(partial / FILES, marks)
    for path in (partial / STATE, partial / FILES, partial):
        _to_disk(path)
    if final.exists():  # found torn when the run was resumed
        remove(final)
    partial.rename(final)
    _to_disk(run_dir)
    write_latest(run_dir, final.name)


def thin_out(run_dir: Path, keep_last: int, keep_every: int) -> None:
    """Remove checkpoints but the last `keep_last`, and every `keep_every`-th step's."""
    for old in steps(run_dir)[:-keep_last]:
        if not keep_every or _step_of(old) % keep_every:
            remove(old)


def remove(folder: Path) -> None:
    """Remove a checkpoint, at once and then in peace."""
    gone = folder.with_name(f".{folder.name}.removed")
    shutil.rmtree(gone, ignore_errors=True)
    folder.rename(gone)
    shutil.rmtree(gone)


def sweep(run_dir: Path) -> None:
    """Remove what a killed run was writing, removing or reading for another topology."""
    for left in [*run_dir.glob(".step*.partial"), *run_dir.glob(".step*.removed"), run_dir / UNIVERSAL]:
        shutil.rmtree(left, ignore_errors=True)


def read_state(folder: Path) -> State:
    """Return the state in a checkpoint."""
    state: State = jsonl.read_json(folder / STATE, State)
    return state


def faults(folder: Path, share: int = 0, shares: int = 1) -> list[str]:
    """Say in which ways a checkpoint is not what was written; nothing where it is whole.

    Args:
        share, shares: look at the files of one share only, of so many.
    """
    try:
        marks: dict[str, Mark] = jsonl.read_json(folder / FILES, dict[str, Mark])
    except DataError as error:
        return [str(error)] if share == 0 else []
    found = []
    for name in sorted(marks)[share::shares]:
        path = folder / name
        size = path.stat().st_size if path.is_file() else None
        if size is None:
            found.append(f"{name} is missing")
        elif size != marks[name].size:
            found.append(f"{name} has {size:,} bytes instead of {marks[name].size:,}")
        elif mark(path) != marks[name]:
            found.append(f"{name} has other bytes than were written")
    return found


def seal(folder: Path) -> None:
    """Give a checkpoint that is written its list of files, and wait until it would outlive a loss of power."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    jsonl.write_json(folder / FILES, {str(path.relative_to(folder)): mark(path) for path in files})
    for path in (*files, folder / FILES, folder):
        _to_disk(path)


def mark(path: Path) -> Mark:
    """Return how a file is recognised."""
    digest = xxhash.xxh3_128()
    size = 0
    with open(path, "rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
            size += len(block)
    return Mark(size, digest.hexdigest())


def _step_of(folder: Path) -> int:
    return int(folder.name.removeprefix("step"))


def _to_disk(path: Path) -> None:
    """Wait until a file, or the names in a folder, would outlive a loss of power."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
