"""How DeepSpeed's checkpoints get to disk: copied, written in the background, and hashed on the way."""

from __future__ import annotations

import copy
import os
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from enum import Enum
from pathlib import Path
from typing import IO, Any

import psutil
import torch
import xxhash
from deepspeed.runtime.checkpoint_engine.checkpoint_engine import CheckpointCommitInfo, CheckpointEngine
from deepspeed.runtime.fp16.loss_scaler import DynamicLossScaler, LossScaler
from deepspeed.utils.tensor_fragment import fragment_address

from knowcoder.train.checkpoints import Mark

#: What DeepSpeed puts into its states besides tensors and plain values; nothing else is read.
CLASSES = [DynamicLossScaler, LossScaler, fragment_address]
_ROOM = 2  # a copy is made where so many times its size is free


class CheckpointWriter(CheckpointEngine):
    """DeepSpeed's checkpoint engine of one rank.

    With `background`, `save` copies the tensors and returns; a thread writes them. What goes wrong is kept until
    `finish`, so that no rank leaves the others waiting in the middle of a checkpoint.
    """

    def __init__(self, background: bool) -> None:
        super().__init__()
        self.name = type(self).__name__
        self._background = background
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._files: dict[str, Future[Mark]] = {}

    def create(self, info: CheckpointCommitInfo) -> None:
        """Begin a checkpoint."""
        self._files = {}

    def save(self, state_dict: Any, path: str) -> None:
        """Write one file."""
        in_background = self._background and _has_room(state_dict)
        future = self._thread.submit(_write, plain(state_dict, copied=in_background), path)
        self._files[Path(path).name] = future
        if not in_background:
            future.exception()

    def load(self, path: str, map_location: Any = None) -> Any:
        """Read one file; its hash has been checked."""
        with torch.serialization.safe_globals(CLASSES):
            return torch.load(path, map_location=map_location, weights_only=True)

    def commit(self, info: CheckpointCommitInfo) -> bool:
        """Do nothing: a checkpoint is whole when all ranks have finished."""
        return True

    @property
    def writing(self) -> bool:
        """Whether a file is still to be written."""
        return not all(future.done() for future in self._files.values())

    def finish(self) -> tuple[dict[str, Mark], OSError | None]:
        """Wait, and return the files of this rank, and what went wrong."""
        files, self._files = self._files, {}
        marks, failed = {}, None
        for name, future in files.items():
            try:
                marks[name] = future.result()
            except OSError as error:
                failed = error
        return marks, failed


def plain(value: Any, copied: bool) -> Any:
    """Return a state with the numbers of enumerations, which not every version of Python writes in the same way.

    Args:
        copied: let training change nothing of it; tensors on the CPU, without the rest of what they are views of.
    """
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, torch.Tensor):
        return value.detach().to("cpu", copy=True, memory_format=torch.contiguous_format) if copied else value
    if isinstance(value, dict):
        return type(value)((key, plain(item, copied)) for key, item in value.items())
    if type(value) in (list, tuple):
        return type(value)(plain(item, copied) for item in value)
    return copy.deepcopy(value) if copied else value


class _Hashed:
    """A file that hashes what is written to it."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._digest = xxhash.xxh3_128()
        self._size = 0

    def write(self, data: bytes) -> int:
        self._digest.update(data)
        self._size += len(data)
        self._file.write(data)
        return len(data)

    def flush(self) -> None:
        self._file.flush()

    @property
    def mark(self) -> Mark:
        return Mark(self._size, self._digest.hexdigest())


def _write(state: Any, path: str) -> Mark:
    with open(path, "wb") as file:
        hashed = _Hashed(file)
        try:
            torch.save(state, hashed)
        except RuntimeError as error:  # torch's own file format fails in this way when the disk does
            cause: BaseException | None = error
            while cause is not None and not isinstance(cause, OSError):
                cause = cause.__cause__ or cause.__context__
            raise cause or OSError(None, str(error), path) from error
        file.flush()
        os.fsync(file.fileno())
    return hashed.mark


def _has_room(state: Any) -> bool:
    ranks = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return bool(_bytes(state) * ranks * _ROOM < psutil.virtual_memory().available)


def _bytes(value: Any) -> int:
    if isinstance(value, torch.Tensor):
        return value.nbytes
    if isinstance(value, Mapping):
        return sum(_bytes(item) for item in value.values())
    return sum(_bytes(item) for item in value) if type(value) in (list, tuple) else 0
