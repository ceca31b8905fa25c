"""Joining the other ranks, with DeepSpeed's own talk in the rank's log."""

from __future__ import annotations

import contextlib
import io
import logging
import os
from collections.abc import Iterator
from typing import Any, TypeVar

import torch
import torch.distributed as dist

_Own = TypeVar("_Own")
_log = logging.getLogger(__name__)


def start_process_group() -> None:
    """Join the other ranks: NCCL on GPUs, gloo on the CPU."""
    on_gpu = torch.cuda.is_available()
    if not on_gpu:
        os.environ.setdefault("DS_ACCELERATOR", "cpu")
    import deepspeed

    for handler in deepspeed.utils.logger.handlers:  # to the rank's log, not to the terminal
        handler.setLevel(logging.WARNING)
    deepspeed.utils.logger.propagate = True
    if on_gpu:
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    else:
        # Shared memory between ranks would be compiled at the first run, and fail without a compiler.
        deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False
    with quiet():
        deepspeed.init_distributed("nccl" if on_gpu else "gloo")


def of_all_ranks(own: _Own) -> list[_Own]:
    """Return what every rank has, in order; all ranks must ask. A process without a group is the only rank."""
    if not dist.is_initialized():
        return [own]
    found: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(found, own)
    return found


def of_first_rank(own: _Own) -> _Own:
    """Return what rank 0 has; all ranks must ask."""
    held = [own]
    dist.broadcast_object_list(held, src=0)
    return held[0]


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Send what DeepSpeed prints to the log."""
    printed = io.StringIO()
    try:
        with contextlib.redirect_stdout(printed):
            yield
    finally:
        if printed.getvalue().strip():
            _log.info("%s", printed.getvalue().strip())
