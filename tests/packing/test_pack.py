"""Packing: every token once, in few rows; what is trained is what a model should write."""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from datasets import load_from_disk
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

from knowcoder import jsonl
from knowcoder.codec.wrapper import Wrapper
from knowcoder.errors import DataError
from knowcoder.packing import tokens
from knowcoder.packing.pack import IGNORED, ROWS, Packed, histogram, pack
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


def packed(folder: Path, samples: list[Sample], max_length: int, workers: int = 1, files: int = 1) -> Packed:
    """Pack samples that stand in some files."""
    paths = [folder / f"{number}.jsonl" for number in range(files)]
    for number, path in enumerate(paths):
        jsonl.write(path, samples[number::files])
    (output := folder / f"packed{workers}").mkdir()
    return pack(paths, wrapper(), max_length, output, workers)


@settings(max_examples=40)
@given(st.lists(st.tuples(st.text(max_size=8), st.text(min_size=1, max_size=8)), min_size=1, max_size=12))
def test_rows_hold_the_samples_and_train_completions_and_ends_only(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, str]]
) -> None:
    folder: Path = tmp_path_factory.mktemp("packed")
    bytes_of = wrapper()
    samples = [Sample(prompt, completion, "NER", str(i)) for i, (prompt, completion) in enumerate(pairs)]
    made = packed(folder, samples, 96)
    documents = []
    for row in load_from_disk(folder / "packed1" / ROWS):
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
        packed(tmp_path, [Sample("a" * 20, "b" * 10, "NER", "s7")], 16)


def test_no_sample_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no samples to pack"):
        packed(tmp_path, [], 16)


def test_a_line_that_is_no_sample_is_named_and_nothing_is_left(tmp_path: Path) -> None:
    (tmp_path / "s.jsonl").write_text('{"prompt": "a", "completion": "b", "kind": "NER", "id": "1"}\n{"prompt": 3}\n')
    (output := tmp_path / "packed").mkdir()
    with pytest.raises(DataError, match=r"s\.jsonl:2"):
        pack([tmp_path / "s.jsonl"], wrapper(), 16, output)
    assert not list(output.iterdir())


def mixture(count: int) -> list[Sample]:
    rng = random.Random(1)
    return [
        Sample("p" * rng.randint(0, 60), "c" * rng.randint(1, 30), rng.choice(["NER", "RE"]), str(i), f"corpus{i % 3}")
        for i in range(count)
    ]


def test_workers_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "_PART", 50)
    samples = mixture(300)
    (one := tmp_path / "one").mkdir()
    (two := tmp_path / "two").mkdir()
    assert packed(one, samples, 128, workers=1, files=2) == packed(two, samples, 128, workers=2, files=2)
    files = [
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        for folder in (one / "packed1", two / "packed2")
    ]
    assert files[0] == files[1]
    assert len(files[0]) == 3  # the table and what `datasets` says of it: nothing else is left


def test_the_dataset_is_mapped_from_its_file_and_says_what_it_holds(tmp_path: Path) -> None:
    samples = mixture(200)
    made = packed(tmp_path, samples, 128)
    rows = load_from_disk(tmp_path / "packed1" / ROWS)
    assert rows.cache_files
    assert len(rows) == made.rows >= made.least_rows
    assert Counter(kind for row in rows for kind in row["kind"]) == Counter(sample.kind for sample in samples)
    assert Counter(kind for row in rows for kind in row["source"]) == Counter(sample.source for sample in samples)
    assert sum(map(len, rows["input_ids"])) == made.tokens


@given(st.lists(st.integers(1, 4096), min_size=1))
def test_every_sample_stands_in_the_bin_of_its_length(lengths: list[int]) -> None:
    bins = histogram(np.array(lengths, np.int32))
    edges = [tuple(map(int, name.split("-"))) for name in bins]
    assert all(first <= last for first, last in edges)
    assert all(before[1] + 1 == after[0] for before, after in pairwise(edges))
    assert list(bins.values()) == [sum(first <= length <= last for length in lengths) for first, last in edges]
    assert sum(bins.values()) == len(lengths)


def test_the_hash_changes_with_what_the_rows_hold(tmp_path: Path) -> None:
    samples = mixture(20)
    changed = [replace(samples[0], completion="other"), replace(samples[0], kind="ED"), replace(samples[0], source="x")]
    found = set()
    for number, first in enumerate([samples[0], *changed]):
        (folder := tmp_path / str(number)).mkdir()
        found.add(packed(folder, [first, *samples[1:]], 128).content)
    assert len(found) == 4


def test_a_first_token_is_never_trained(tmp_path: Path) -> None:
    """A sample without a prompt and without a token that begins it: its first token has nothing before it."""
    no_bos = Wrapper.of("plain", wrapper().tokenizer, None, EOS)
    jsonl.write(tmp_path / "s.jsonl", [Sample("", "ab", "definition", "1")])
    pack([tmp_path / "s.jsonl"], no_bos, 16, tmp_path)
    (row,) = load_from_disk(tmp_path / ROWS)
    assert row["labels"] == [IGNORED, *row["input_ids"][1:]]
