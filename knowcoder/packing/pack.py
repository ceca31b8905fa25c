"""Samples -> full rows, documents isolated by restarting positions.

A row is a list of documents, one sample each. ``position_ids`` restart at 0 with every document, from which
attention derives that documents do not see each other; ``labels`` are -100 wherever nothing is trained. Rows
are stored without padding. Memory holds a few numbers per sample and some rows at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import xxhash
from datasets import Dataset
from datasets.table import MemoryMappedTable
from numpy.typing import NDArray
from tqdm import tqdm

from knowcoder.codec.wrapper import Wrapper
from knowcoder.packing.fit import Rows, fit, least_rows
from knowcoder.packing.tokens import Tokens, tokenized

IGNORED = -100
ROWS = "rows"
_AT_A_TIME = 256  # rows
_TABLE = "rows.partial"
_SHORTEST_BIN = 16


@dataclass(frozen=True, slots=True)
class Packed:
    """What packing made, for the manifest.

    Attributes:
        fill: the share of row positions that hold a token.
        least_rows: what no packing could go below.
        lengths: how many samples there are by length, in bins such as "17-32" tokens. longest: of a sample, in tokens.
        content: a hash of the rows in their order: tokens, labels, kinds and sources.
    """

    samples: int
    rows: int
    tokens: int
    trained_tokens: int
    fill: float
    least_rows: int
    longest: int
    lengths: dict[str, int]
    content: str


def pack(files: Sequence[Path], wrapper: Wrapper, max_length: int, directory: Path, workers: int = 1) -> Packed:
    """Pack samples and write ``directory/rows`` as a `datasets` dataset: the same bytes for any number of workers.

    Columns: ``input_ids``, ``position_ids``, ``labels`` (lists of int32, one entry per token of the row) and
    ``kind`` and ``source`` (lists of strings, one per document).

    Args:
        files: samples as JSON Lines. workers: processes that tokenize.

    Raises:
        DataError: a line is no sample, a sample is longer than a row, or there is none.
    """
    table = directory / _TABLE
    with tokenized(files, wrapper, max_length, directory, workers) as tokens:
        rows = fit(tokens.lengths, max_length)
        content, trained = _write(rows, tokens, table)
        dataset = Dataset(MemoryMappedTable.from_file(str(table)), fingerprint=content)
        dataset.save_to_disk(directory / ROWS)
        table.unlink()
        count = len(tokens.ids)
        return Packed(
            len(tokens.lengths),
            len(rows),
            count,
            trained,
            round(count / (len(rows) * max_length), 4),
            least_rows(tokens.lengths, max_length),
            int(tokens.lengths.max()),
            histogram(tokens.lengths),
            f"xxh3_128:{content}",
        )


def histogram(lengths: NDArray[np.int32]) -> dict[str, int]:
    """Count lengths in bins of doubling width, the first up to 16, from the shortest to the longest that there is."""
    bins = np.ceil(np.log2(np.maximum(lengths, _SHORTEST_BIN) / _SHORTEST_BIN)).astype(int)
    counts = np.bincount(bins)
    edges = [0, *(_SHORTEST_BIN << number for number in range(len(counts)))]
    first = int(np.flatnonzero(counts)[0])
    return {f"{edges[n] + 1}-{edges[n + 1]}": int(counts[n]) for n in range(first, len(counts))}


def _write(rows: Rows, tokens: Tokens, path: Path) -> tuple[str, int]:
    """Write all rows as an Arrow stream; returns the hash of what they hold and the number of trained tokens."""
    hashed, trained = xxhash.xxh3_128(), 0
    with pa.OSFile(str(path), "wb") as file, pa.ipc.new_stream(file, _SCHEMA) as writer:
        for batch in tqdm(_batches(rows, tokens), desc="write", unit=f" x {_AT_A_TIME} rows", disable=None):
            writer.write_batch(batch)
            ids, labels = (batch.column(name).values.to_numpy() for name in ("input_ids", "labels"))
            trained += int((labels != IGNORED).sum())
            for values in (batch.column("input_ids").offsets.to_numpy(), ids, labels):
                hashed.update(values)
            for name in ("kind", "source"):
                hashed.update("\0".join("\1".join(row) for row in batch.column(name).to_pylist()).encode())
    return hashed.hexdigest(), trained


_INTEGERS = pa.large_list(pa.int32())
_STRINGS = pa.list_(pa.string())
_SCHEMA = pa.schema(
    {"input_ids": _INTEGERS, "position_ids": _INTEGERS, "labels": _INTEGERS, "kind": _STRINGS, "source": _STRINGS}
)


def _batches(rows: Rows, tokens: Tokens) -> Iterator[pa.RecordBatch]:
    starts = np.concatenate([[0], np.cumsum(tokens.lengths, dtype=np.int64)])
    for first in range(0, len(rows), _AT_A_TIME):
        ends = rows.ends[first : first + _AT_A_TIME + 1]
        items = rows.items[ends[0] : ends[-1]]
        documents = (ends - ends[0]).astype(np.int32)  # where the documents of each row begin
        begins = np.concatenate([[0], np.cumsum(tokens.lengths[items], dtype=np.int64)])
        positions = np.arange(begins[-1]) - np.repeat(begins[:-1], tokens.lengths[items])
        ids = tokens.ids[np.repeat(starts[items], tokens.lengths[items]) + positions]
        untrained = positions < np.repeat(np.maximum(tokens.prompts[items], 1), tokens.lengths[items])
        edges = pa.array(begins[documents])
        integers = (ids, positions.astype(np.int32), np.where(untrained, np.int32(IGNORED), ids))
        strings = ((tokens.kind_names, tokens.kinds), (tokens.source_names, tokens.sources))
        yield pa.record_batch(
            [pa.LargeListArray.from_arrays(edges, pa.array(values)) for values in integers]
            + [pa.ListArray.from_arrays(documents, pa.array(names).take(places[items])) for names, places in strings],
            schema=_SCHEMA,
        )
