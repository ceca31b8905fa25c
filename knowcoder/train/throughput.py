"""How fast a run is, what it waits for, and which of its ranks falls behind, between two lines of its metrics."""

from __future__ import annotations

import resource
import socket
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from torch import nn
from transformers import PreTrainedConfig

from knowcoder.config import TrainConfig
from knowcoder.train.arithmetic import TokenCost, token_cost
from knowcoder.train.devices import peak_tflops
from knowcoder.train.process_group import of_all_ranks
from knowcoder.train.rows import PackedRows

_T = TypeVar("_T")
#: A rank is behind whose forward passes take so many times those of its like, for so many lines of metrics in a row.
_SLOW, _LINES = 1.5, 2
_ROWS_LOOKED_AT = 2000


@dataclass(frozen=True)
class Work:
    """What the tokens of a run need: operations, on GPUs of a peak in TFLOP/s that may be unknown."""

    cost: TokenCost
    document: float
    frozen: bool
    peak: float | None

    @classmethod
    def of(cls, config: TrainConfig, model: PreTrainedConfig, rows: PackedRows, frozen: bool = False) -> Work:
        """Return the work of a run; `frozen` where the model's own weights are not trained."""
        peak = peak_tflops(config.cluster, config.precision)
        return cls(token_cost(model), document_length(rows), frozen, peak)

    def utilisation(self, tokens: int, trained: int, seconds: float, ranks: int) -> float | None:
        """Return the share of the GPUs' peak that went into the model; what is recomputed does not count."""
        if not self.peak:
            return None
        needed = self.cost.training(tokens, trained, self.document, self.frozen)
        return needed / (seconds * ranks * self.peak * 1e12)


def document_length(rows: PackedRows) -> float:
    """Return the mean length of the document that a token is in."""
    positions = np.concatenate([rows.row(index)[1] for index in range(min(len(rows), _ROWS_LOOKED_AT))])
    lengths = np.diff([*np.flatnonzero(positions == 0), len(positions)])
    return float((lengths**2).sum() / lengths.sum())


class Throughput:
    """Counts tokens and seconds since the last `take`, on every rank; all ranks call `take` together."""

    def __init__(self, work: Work | None = None) -> None:
        self._work = work
        self._busy = _ForwardSeconds()
        self._ranks: _Ranks | None = None
        self._whole = _Sums()
        self._begin()

    def watch(self, module: nn.Module, say: Callable[[str], None], stage: int = 0) -> None:
        """Measure the forward passes of this rank's module, and say which rank falls behind.

        Args:
            stage: ranks of one stage are compared with each other.
        """
        self._busy.watch(module)
        self._ranks = _Ranks(stage, say)

    def restart(self) -> None:
        """Begin anew, forgetting what was counted since the last `take`."""
        self._begin()

    def add(self, tokens: int, trained: int, capacity: int) -> None:
        """Count a step over all ranks: its tokens, the trained ones among them, and the places in its rows."""
        self._now.tokens += tokens
        self._now.trained += trained
        self._now.capacity += capacity

    def skip(self, seconds: float) -> None:
        """Leave out seconds in which nothing was trained."""
        self._started += seconds

    def waiting(self, batches: Iterable[_T]) -> Iterator[_T]:
        """Yield batches, and count the time that making them takes."""
        iterator = iter(batches)
        while True:
            started = time.perf_counter()
            batch = next(iterator, None)
            self._now.waited += time.perf_counter() - started
            if batch is None:
                return
            yield batch

    def timed(self, make: Callable[[Any], _T]) -> Callable[[Any], _T]:
        """Return a function that makes batches, and counts the time that it takes."""

        def made(rows: Any) -> _T:
            return next(self.waiting(map(make, [rows])))

        return made

    def take(self) -> dict[str, Any]:
        """Return rates (per second) and shares since the last call, and begin anew.

        `fill` is the share of places with a token; `data_wait` the share of the time in which the slowest rank made
        batches; `mfu` model FLOPs utilisation; `memory_gib` the most that a rank has taken; `behind` the number of a
        rank that is slower than its like.
        """
        now = self._now
        now.seconds = max(time.perf_counter() - self._started, 1e-9)
        busy, waited, memory = zip(*_gathered([self._busy.take(), now.waited, _memory()]), strict=True)
        now.waited, now.memory = max(waited), max(memory) / 2**30
        figures = self._figures(now)
        if self._ranks is not None and (slow := self._ranks.behind(busy)):
            figures["behind"] = slow[0]
        self._whole.add(now)
        self._begin()
        return figures

    def summary(self) -> str:
        """Say what all of the run was like."""
        figures = self._figures(self._whole)
        minutes = self._whole.seconds / 60
        duration = f"{minutes / 60:,.1f} h" if minutes >= 60 else f"{minutes:.1f} minutes"
        text = f"{self._whole.trained:,} trained tokens in {duration}: {in_a_line(figures)}"
        return text + "".join(f"; {name} was behind" for name in (self._ranks.named if self._ranks else []))

    def _figures(self, sums: _Sums) -> dict[str, Any]:
        seconds = max(sums.seconds, 1e-9)
        figures = {
            "tokens_per_second": round(sums.tokens / seconds, 1),
            "trained_tokens_per_second": round(sums.trained / seconds, 1),
            "fill": round(sums.tokens / max(sums.capacity, 1), 4),
            "data_wait": round(sums.waited / seconds, 4),
            "memory_gib": round(sums.memory, 3),
            "seconds": round(sums.seconds, 3),
        }
        ranks = dist.get_world_size() if dist.is_initialized() else 1
        used = self._work.utilisation(sums.tokens, sums.trained, seconds, ranks) if self._work else None
        return figures | ({"mfu": round(used, 4)} if used is not None else {})

    def _begin(self) -> None:
        self._now = _Sums()
        self._started = time.perf_counter()


def in_a_line(metrics: dict[str, Any]) -> str:
    """Return metrics as a progress bar shows them."""
    forms = {
        "loss": "loss {:.4f}",
        "f1": "f1 {:.4f}",
        "learning_rate": "rate {:.1e}",
        "grad_norm": "norm {:.2f}",
        "trained_tokens_per_second": "{:,.0f} trained tokens/s",
        "fill": "{:.0%} full",
        "data_wait": "{:.1%} waiting for data",
        "mfu": "{:.1%} of the peak",
        "memory_gib": "{:.1f} GiB",
    }
    return ", ".join(form.format(metrics[name]) for name, form in forms.items() if metrics.get(name) is not None)


def behind(busy: Sequence[float], first: Sequence[float], stages: Sequence[int]) -> list[int]:
    """Return the ranks whose forward passes take much longer than those of their like.

    Args:
        busy: seconds of every rank. first: the same when the run began. stages: what every rank has a copy of; a stage
            that only one rank has is compared with what it was at first, as the others now are.
    """
    now = statistics.median(one / max(before, 1e-9) for one, before in zip(busy, first, strict=True))
    found = []
    for rank, seconds in enumerate(busy):
        like = [busy[other] for other, stage in enumerate(stages) if stage == stages[rank] and other != rank]
        usual = statistics.median(like) if like else first[rank] * now
        if seconds > _SLOW * usual:
            found.append(rank)
    return found


@dataclass
class _Sums:
    tokens: int = 0
    trained: int = 0
    capacity: int = 0
    seconds: float = 0.0
    waited: float = 0.0
    memory: float = 0.0

    def add(self, other: _Sums) -> None:
        self.tokens += other.tokens
        self.trained += other.trained
        self.capacity += other.capacity
        self.seconds += other.seconds
        self.waited += other.waited
        self.memory = max(self.memory, other.memory)


class _ForwardSeconds:
    """The seconds of a module's forward passes: work of this rank alone, in which it waits for no other."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._started = 0.0
        self._events: list[tuple[Any, Any]] = []

    def watch(self, module: nn.Module) -> None:
        module.register_forward_pre_hook(self._start)
        module.register_forward_hook(self._stop)

    def take(self) -> float:
        for start, end in self._events:
            end.synchronize()
            self._seconds += start.elapsed_time(end) / 1000
        seconds, self._seconds, self._events = self._seconds, 0.0, []
        return seconds

    def _start(self, *_: Any) -> None:
        if torch.cuda.is_available():  # a GPU works while the process goes on
            pair = (torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True))
            pair[0].record()
            self._events.append(pair)
        else:
            self._started = time.perf_counter()

    def _stop(self, *_: Any) -> None:
        if self._events:
            self._events[-1][1].record()
        else:
            self._seconds += time.perf_counter() - self._started


class _Ranks:
    """Who the ranks are, and which of them have been behind for how long."""

    def __init__(self, stage: int, say: Callable[[str], None]) -> None:
        self._say = say
        place = f"rank {dist.get_rank()} on {socket.gethostname()}" if dist.is_initialized() else "rank 0"
        self._stages, self._names = zip(*of_all_ranks((stage, place)), strict=True)
        self._first: Sequence[float] = ()
        self._lines = [0] * len(self._names)
        self.named: list[str] = []

    def behind(self, busy: Sequence[float]) -> list[int]:
        """Return the ranks that are behind in this line as in the one before; each is named once."""
        if len(busy) != len(self._names) or not all(busy):
            return []
        self._first = self._first or busy
        slow = behind(busy, self._first, self._stages)
        self._lines = [count + 1 if rank in slow else 0 for rank, count in enumerate(self._lines)]
        found = [rank for rank, count in enumerate(self._lines) if count >= _LINES]
        for rank in found:
            if self._names[rank] not in self.named:
                self.named.append(self._names[rank])
                self._say(f"{self._names[rank]} falls behind: its forward passes take {_SLOW} times as long as usual")
        return found


def _gathered(numbers: list[float]) -> list[list[float]]:
    """Return the numbers of every rank."""
    if not dist.is_initialized():
        return [numbers]
    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    own = torch.tensor(numbers, dtype=torch.float64, device=device)
    everyone = [torch.empty_like(own) for _ in range(dist.get_world_size())]
    dist.all_gather(everyone, own)
    return [one.tolist() for one in everyone]


def _memory() -> float:
    """Return the most memory that this rank's GPU has taken, else that this process has, in bytes."""
    if torch.cuda.is_available():
        return float(torch.cuda.max_memory_allocated())
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss) * (1 if sys.platform == "darwin" else 1024)
