"""A run that is told to stop saves first: SIGTERM and SIGUSR1 are noted, and all ranks stop after the same step."""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any

import torch
import torch.distributed as dist

from knowcoder.errors import StoppedError

SIGNALS = (signal.SIGTERM, signal.SIGUSR1)


class StopSignal:
    """Notes the signals that ask a run to stop, instead of being ended by them.

    Use it as a context around the steps, and ask `agreed` after each: `with StopSignal() as stop: ...`.
    """

    def __init__(self) -> None:
        self._asked = 0
        self._before: dict[int, Any] = {}

    def __enter__(self) -> StopSignal:
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @property
    def asked(self) -> bool:
        """Whether this rank was told to stop."""
        return bool(self._asked)

    def agreed(self) -> bool:
        """Say whether any rank was told to stop; all ranks must ask, after the same step."""
        if dist.is_initialized():
            flag = torch.tensor(self._asked, device="cuda" if dist.get_backend() == "nccl" else "cpu")
            dist.all_reduce(flag, op=dist.ReduceOp.MAX)
            self._asked = int(flag.item())
        return bool(self._asked)

    def stopped(self, step: int) -> StoppedError:
        """Return the error that says what happened and how to go on, once step `step` is saved."""
        return StoppedError(f"told to stop; step {step} is saved, continue with resume=true")

    def _note(self, number: int, frame: FrameType | None) -> None:
        self._asked = number
