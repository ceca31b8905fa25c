"""Packed datasets made by hand, for tests."""

from __future__ import annotations

import random
from itertools import cycle
from pathlib import Path

from datasets import Dataset

from knowcoder.artefact import Manifest
from knowcoder.packing.pack import IGNORED, ROWS


def save_packed(
    folder: Path,
    rows: int = 24,
    max_length: int = 32,
    vocab_size: int = 96,
    seed: int = 0,
    kinds: tuple[str, ...] = ("definition",),
) -> Path:
    """Write rows of one to three documents with random tokens; the trained tokens differ much from row to row."""
    rng = random.Random(seed)
    table: dict[str, list[list[int] | list[str]]] = {"input_ids": [], "position_ids": [], "labels": [], "kind": []}
    documents = cycle(kinds)
    for _ in range(rows):
        lengths = [rng.randint(4, max_length // 3) for _ in range(rng.randint(1, 3))]
        ids = [rng.randrange(3, vocab_size) for _ in range(sum(lengths))]
        positions = [position for length in lengths for position in range(length)]
        share = rng.choice([0.1, 0.9])
        labels = [
            token if position > 0 and rng.random() < share else IGNORED
            for token, position in zip(ids, positions, strict=True)
        ]
        if rng.random() < 0.2:  # a row may train nothing
            labels = [IGNORED] * len(ids)
        for column, values in zip(table, (ids, positions, labels, [next(documents) for _ in lengths]), strict=True):
            table[column].append(values)
    Dataset.from_dict(table).save_to_disk(folder / ROWS)
    facts = {"max_length": max_length, "pad_token_id": 0}
    Manifest("packed", "complete", facts=facts).save(folder)
    return folder
