"""Layers are divided over stages as well as they can be, and only as somebody asked."""

from __future__ import annotations

from itertools import combinations, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowcoder.checkpoint.mapping import PieceMap, meta_model, piece_map
from knowcoder.errors import ConfigError
from knowcoder.train.measure import seconds_of_pieces
from knowcoder.train.pipeline import Skeleton
from knowcoder.train.split import balanced, held, layers_of, stage_bounds
from tests.small_models import small_config
from tests.train.pieces import PackedBatch


def mapping(**changes: object) -> PieceMap:
    return piece_map(meta_model(small_config("llama", **changes)))


def worst(costs: list[int], bounds: list[int]) -> int:
    return max(sum(costs[start:end]) for start, end in pairwise(bounds))


@given(st.lists(st.integers(0, 20), min_size=5, max_size=10), st.data())
def test_no_other_cut_has_a_cheaper_dearest_stage(costs: list[int], data: st.DataObject) -> None:
    layers = len(costs) - 3
    stages = data.draw(st.integers(1, layers))
    bounds = balanced(costs, stages)
    every = [[0, *cut, len(costs)] for cut in combinations(range(2, layers + 1), stages - 1)]
    assert bounds in every
    assert worst(costs, bounds) == min(worst(costs, other) for other in every)


def test_parameters_count_embedding_and_head() -> None:
    wide = mapping(vocab_size=4096, num_hidden_layers=8)
    assert layers_of(stage_bounds(wide, 3, "parameters")) == [1, 6, 1]
    tied = mapping(vocab_size=4096, num_hidden_layers=8, tie_word_embeddings=True)
    assert held(tied)[-1] == held(tied)[0] == 4096 * 32
    assert layers_of(stage_bounds(tied, 3, "parameters")) == [1, 6, 1]


@given(st.lists(st.integers(1, 4), min_size=1, max_size=4))
def test_a_given_division_is_taken(layers: list[int]) -> None:
    model = PieceMap(("",) * (sum(layers) + 3), (), tied=False)
    assert layers_of(stage_bounds(model, len(layers), str(layers))) == layers


@pytest.mark.parametrize("split", ["[1,2]", "[4]", "[4,0]", "[2,2.0]", "layers", "{}", "[true,3]"])
def test_a_division_that_does_not_fit_is_refused(split: str) -> None:
    with pytest.raises(ConfigError, match=r"parallel\.split"):
        stage_bounds(mapping(), 2, split)


def test_more_stages_than_layers_are_refused() -> None:
    with pytest.raises(ConfigError, match="only 4 layers"):
        stage_bounds(mapping(), 5, "parameters")


def test_time_follows_what_pieces_take() -> None:
    """A head of 50,000 classes takes longer than four small layers together, so that it stands alone with one."""
    skeleton = Skeleton(small_config("llama", vocab_size=50_000))
    batch = PackedBatch.random(vocabulary=96)
    packed = {"input_ids": batch.ids, "position_ids": batch.positions, "trained": batch.places}
    seconds = seconds_of_pieces(skeleton, packed | {"targets": batch.targets})
    assert len(seconds) == 7
    assert min(seconds) > 0
    assert seconds[1] == seconds[4], "layers of one kind are measured once"
    assert layers_of(stage_bounds(skeleton.map, 2, "time", seconds)) == [3, 1]
