"""Which rows a step trains on: a function of seed and samples consumed alone, never of the number of processes."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from knowcoder.errors import ConfigError


def rows_for_step(num_rows: int, global_batch: int, seed: int, step: int) -> list[int]:
    """Return the `global_batch` rows of step `step` (0-based).

    The stream of rows is one shuffle of the data set after the other; a step takes the next `global_batch` of it, so
    that a step may end one epoch and begin the next.
    """
    start = step * global_batch
    rows: list[int] = []
    while len(rows) < global_batch:
        epoch, offset = divmod(start + len(rows), num_rows)
        rows += _epoch(num_rows, seed, epoch)[offset : offset + global_batch - len(rows)].tolist()
    return rows


def shard(rows: list[int], rank: int, size: int) -> list[int]:
    """Return the part of a step's rows that data-parallel rank `rank` of `size` trains on, in order."""
    per_rank = len(rows) // size
    return rows[rank * per_rank : (rank + 1) * per_rank]


def random_seed(seed: int, step: int, rank: int) -> int:
    """Return the seed of what a rank draws in a step, so that no random state has to be kept."""
    return int(np.random.SeedSequence([seed, step, rank]).generate_state(1, np.uint64)[0])


def accumulation(global_batch: int, micro_batch: int, size: int) -> int:
    """Return the micro-batches per step of each of `size` data-parallel ranks.

    Raises:
        ConfigError: the global batch cannot be divided so.
    """
    count, rest = divmod(global_batch, micro_batch * size)
    if rest or not count:
        raise ConfigError(
            f"global_batch={global_batch} is not a multiple of micro_batch={micro_batch} times {size} data-parallel "
            "processes; change one of them"
        )
    return count


@lru_cache(maxsize=2)
def _epoch(num_rows: int, seed: int, epoch: int) -> NDArray[np.int64]:
    return np.random.default_rng([seed, epoch]).permutation(num_rows)
