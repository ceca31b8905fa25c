"""Samples -> full rows: best-fit packing, documents isolated by restarting positions.

A row is a list of documents, one sample each. ``position_ids`` restart at 0 with every document, from which
attention derives that documents do not see each other; ``labels`` are -100 wherever nothing is trained. Rows
are stored without padding.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
from datasets import Dataset
from numpy.typing import NDArray
from tqdm import tqdm

from knowcoder.codec.wrapper import Wrapper
from knowcoder.errors import DataError
from knowcoder.samples.sample import Sample

IGNORED = -100
ROWS = "rows"
_BATCH = 4096


@dataclass(frozen=True, slots=True)
class Packed:
    """What packing made: counts for the manifest. ``fill`` is the share of row positions that hold a token."""

    samples: int
    rows: int
    tokens: int
    trained_tokens: int
    fill: float


@dataclass(frozen=True, slots=True)
class Document:
    """The ids of one sample; the first ``prompt`` of them are not trained."""

    ids: NDArray[np.int32]
    prompt: int
    kind: str
    source: str


def best_fit(lengths: Sequence[int], capacity: int) -> list[list[int]]:
    """Group items into rows: longest first, each into the row with the least room that still takes it.

    Rows are found by the room left in them through one integer used as a bit set, so the work is linear in the
    number of items for a given capacity.

    Raises:
        ValueError: an item is longer than the capacity.
    """
    rows: list[list[int]] = []
    with_room: list[list[int]] = [[] for _ in range(capacity + 1)]
    rooms = 0  # bit r is set while some row has r positions left
    for item in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        length = lengths[item]
        if length > capacity:
            raise ValueError(f"item {item} has {length} tokens, a row takes {capacity}")
        fitting = rooms >> length
        if fitting:
            room = length + (fitting & -fitting).bit_length() - 1
            row = with_room[room].pop()
            if not with_room[room]:
                rooms ^= 1 << room
            rows[row].append(item)
        else:
            room, row = capacity, len(rows)
            rows.append([item])
        left = room - length
        with_room[left].append(row)
        rooms |= 1 << left
    return rows


def tokenize(samples: Iterable[Sample], wrapper: Wrapper, max_length: int) -> Iterator[Document]:
    """Turn samples into token ids.

    Raises:
        DataError: a sample is longer than a row: it was built for another length or tokenizer.
    """
    stream = iter(samples)
    while batch := list(islice(stream, _BATCH)):
        pairs = wrapper.encode_many([(sample.prompt, sample.completion) for sample in batch])
        for sample, (prompt, completion) in zip(batch, pairs, strict=True):
            if len(prompt) + len(completion) > max_length:
                raise DataError(
                    f"sample {sample.id} has {len(prompt) + len(completion)} tokens, max_length is {max_length}; "
                    "build the samples with this tokenizer and max_length"
                )
            yield Document(np.array(prompt + completion, np.int32), len(prompt), sample.kind, sample.source)


def pack(samples: Iterable[Sample], wrapper: Wrapper, max_length: int, directory: Path) -> Packed:
    """Pack samples and write ``directory/rows`` as a `datasets` dataset.

    Columns: ``input_ids``, ``position_ids``, ``labels`` (lists of int32, one entry per token of the row) and
    ``kind`` and ``source`` (lists of strings, one per document).
    """
    documents = list(tqdm(tokenize(samples, wrapper, max_length), desc="tokenize", unit="sample", disable=None))
    if not documents:
        raise DataError("there are no samples to pack; look at the counts in the manifest of the samples")
    rows = best_fit([len(document.ids) for document in documents], max_length)
    order = [documents[i] for row in rows for i in row]
    ends = np.cumsum([0] + [sum(len(documents[i].ids) for i in row) for row in rows])
    labels = [np.where(np.arange(len(d.ids)) < max(d.prompt, 1), IGNORED, d.ids).astype(np.int32) for d in order]
    flat = np.concatenate(labels)
    columns = {
        "input_ids": _lists(ends, np.concatenate([d.ids for d in order])),
        "position_ids": _lists(ends, np.concatenate([np.arange(len(d.ids), dtype=np.int32) for d in order])),
        "labels": _lists(ends, flat),
        "kind": pa.array([[documents[i].kind for i in row] for row in rows], pa.list_(pa.string())),
        "source": pa.array([[documents[i].source for i in row] for row in rows], pa.list_(pa.string())),
    }
    Dataset(pa.table(columns)).save_to_disk(directory / ROWS)
    tokens = int(ends[-1])
    trained = int((flat != IGNORED).sum())
    return Packed(len(documents), len(rows), tokens, trained, round(tokens / (len(rows) * max_length), 4))


def _lists(ends: NDArray[np.int64], values: NDArray[np.int32]) -> pa.Array:
    return pa.LargeListArray.from_arrays(pa.array(ends, pa.int64()), pa.array(values))
