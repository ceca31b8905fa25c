"""How fast a run is, and how full its rows are, between two lines of its metrics."""

from __future__ import annotations

import time


class Throughput:
    """Counts tokens and seconds since the last `take`."""

    def __init__(self) -> None:
        self._begin()

    def add(self, tokens: int, trained: int, capacity: int) -> None:
        """Count a step: its tokens, the trained ones among them, and the places in its rows."""
        self._tokens += tokens
        self._trained += trained
        self._capacity += capacity

    def skip(self, seconds: float) -> None:
        """Leave out seconds in which nothing was trained."""
        self._started += seconds

    def take(self) -> dict[str, float]:
        """Return rates (per second), fill (share of places with a token) and seconds, and begin anew."""
        seconds = max(time.perf_counter() - self._started, 1e-9)
        figures = {
            "tokens_per_second": round(self._tokens / seconds, 1),
            "trained_tokens_per_second": round(self._trained / seconds, 1),
            "fill": round(self._tokens / max(self._capacity, 1), 4),
            "seconds": round(seconds, 3),
        }
        self._begin()
        return figures

    def _begin(self) -> None:
        self._tokens = self._trained = self._capacity = 0
        self._started = time.perf_counter()
