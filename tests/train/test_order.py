"""The order of the data: every row once per epoch, the same for any number of processes, continued at any step."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowcoder.errors import ConfigError
from knowcoder.train.order import accumulation, rows_for_step, shard

SIZES = st.integers(1, 40)


@given(SIZES, SIZES, st.integers(0, 5), st.integers(1, 12))
def test_every_epoch_has_every_row_once(num_rows: int, batch: int, seed: int, steps: int) -> None:
    stream = [row for step in range(steps) for row in rows_for_step(num_rows, batch, seed, step)]
    assert len(stream) == steps * batch
    for start in range(0, len(stream) - num_rows + 1, num_rows):
        assert sorted(stream[start : start + num_rows]) == list(range(num_rows))


@given(st.integers(0, 5), st.integers(1, 4), st.integers(1, 4), st.integers(1, 4))
def test_shards_put_together_are_the_step(seed: int, size: int, micro_batch: int, count: int) -> None:
    batch = size * micro_batch * count
    rows = rows_for_step(50, batch, seed, 3)
    parts = [shard(rows, rank, size) for rank in range(size)]
    assert [row for part in parts for row in part] == rows
    assert {len(part) for part in parts} == {micro_batch * accumulation(batch, micro_batch, size)}


def test_epochs_and_seeds_differ() -> None:
    orders = {tuple(rows_for_step(100, 100, seed, step)) for seed in range(2) for step in range(2)}
    assert len(orders) == 4


def test_a_batch_that_cannot_be_divided_is_refused() -> None:
    with pytest.raises(ConfigError, match="global_batch=6 is not a multiple of micro_batch=2 times 2"):
        accumulation(6, 2, 2)
