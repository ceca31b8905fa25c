"""Packing: every token once, in few rows; what is trained is what a model should write."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from datasets import load_from_disk
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from knowcoder.codec.wrapper import Wrapper
from knowcoder.errors import DataError
from knowcoder.packing.pack import IGNORED, ROWS, best_fit, pack
from knowcoder.samples.sample import Sample

BOS, EOS = 256, 257


def wrapper() -> Wrapper:
    """A tokenizer of bytes."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {letter: number for number, letter in enumerate(alphabet)} | {"<s>": BOS, "</s>": EOS}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    tokenizer.decoder = decoders.ByteLevel()
    return Wrapper.of("plain", tokenizer, BOS, EOS)


@given(st.lists(st.integers(1, 64), max_size=200), st.integers(64, 80))
def test_every_item_stands_once_in_rows_that_hold_it(lengths: list[int], capacity: int) -> None:
    rows = best_fit(lengths, capacity)
    assert sorted(item for row in rows for item in row) == list(range(len(lengths)))
    assert all(sum(lengths[item] for item in row) <= capacity for row in rows)


@given(st.lists(st.integers(1, 512), min_size=1, max_size=300))
def test_no_two_rows_could_be_one(lengths: list[int]) -> None:
    rows = [sum(lengths[item] for item in row) for row in best_fit(lengths, 512)]
    smallest = sorted(rows)[:2]
    assert len(rows) == 1 or sum(smallest) > 512


def test_short_items_fill_rows_to_98_percent() -> None:
    lengths = np.random.default_rng(0).integers(20, 200, 5000).tolist()
    rows = best_fit(lengths, 512)
    assert sum(lengths) / (len(rows) * 512) > 0.98


def test_an_item_longer_than_a_row_is_an_error() -> None:
    with pytest.raises(ValueError, match="item 1 has 9 tokens"):
        best_fit([3, 9], 8)


@given(st.lists(st.tuples(st.text(max_size=8), st.text(min_size=1, max_size=8)), min_size=1, max_size=12))
def test_rows_hold_the_samples_and_train_completions_and_ends_only(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, str]]
) -> None:
    folder: Path = tmp_path_factory.mktemp("packed")
    bytes_of = wrapper()
    samples = [Sample(prompt, completion, "NER", str(i)) for i, (prompt, completion) in enumerate(pairs)]
    made = pack(samples, bytes_of, 96, folder)
    documents = []
    for row in load_from_disk(folder / ROWS):
        starts = [i for i, position in enumerate(row["position_ids"]) if position == 0]
        assert len(starts) == len(row["kind"])
        assert len(row["input_ids"]) == len(row["labels"]) == len(row["position_ids"]) <= 96
        for start, end in zip(starts, [*starts[1:], len(row["input_ids"])], strict=True):
            ids, labels = row["input_ids"][start:end], row["labels"][start:end]
            assert row["position_ids"][start:end] == list(range(end - start))
            trained = [label for label in labels if label != IGNORED]
            assert ids[0] == BOS
            assert labels[0] == IGNORED
            assert trained[-1] == EOS == ids[-1]
            assert ids.count(EOS) == 1
            documents.append((ids, trained))
    expected = [(p + c, c) for p, c in bytes_of.encode_many([(s.prompt, s.completion) for s in samples])]
    assert sorted(documents) == sorted(expected)
    assert made.samples == len(samples)
    assert made.trained_tokens == sum(len(trained) for _, trained in documents)


def test_a_sample_built_for_another_length_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="sample s7 has 32 tokens"):
        pack([Sample("a" * 20, "b" * 10, "NER", "s7")], wrapper(), 16, tmp_path)
