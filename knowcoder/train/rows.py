"""Packed rows in memory, and the batches that instruction tuning feeds to the model."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
import xxhash
from datasets import load_from_disk
from numpy.typing import NDArray
from transformers import PreTrainedConfig

from knowcoder import jsonl
from knowcoder.artefact import MANIFEST, Manifest
from knowcoder.errors import DataError
from knowcoder.packing.pack import IGNORED, ROWS
from knowcoder.train.order import accumulation, rows_for_step, shard


class PackedRows:
    """The rows of a packed dataset as flat arrays: a row is a slice, so that reading one costs nothing.

    Attributes:
        max_length: tokens of a padded row. pad_token_id: what fills it.
        lengths: tokens of each row. trained: trained tokens of each row. largest_id: the largest token id.
        kinds: the kinds of samples that there are. sources: the corpora that they are of.
    """

    def __init__(self, folder: Path) -> None:
        facts = jsonl.read_json(folder / MANIFEST, Manifest).facts
        self.max_length = int(facts["max_length"])
        self.pad_token_id = int(facts["pad_token_id"])
        dataset = load_from_disk(folder / ROWS).with_format("arrow")
        table = dataset[:]
        columns = [table.column(name).combine_chunks() for name in ("input_ids", "position_ids", "labels")]
        self._ends: NDArray[np.int64] = columns[0].offsets.to_numpy().astype(np.int64)
        self._ids, self._positions, labels = (column.values.to_numpy() for column in columns)
        self.kinds, self._kinds = _numbered(table, "kind")
        self.sources, self._sources = _numbered(table, "source")
        self._first_document: NDArray[np.int64] = (
            table.column("kind").combine_chunks().offsets.to_numpy().astype(np.int64)
        )
        # The first token of a document has nothing in its document to be predicted from.
        self._labels: NDArray[np.int32] = np.where(self._positions == 0, IGNORED, labels)
        self.lengths = np.diff(self._ends)
        self.largest_id = int(self._ids.max(initial=0))
        trained_before = np.concatenate([[0], np.cumsum(self._labels != IGNORED)])
        self.trained = trained_before[self._ends[1:]] - trained_before[self._ends[:-1]]
        if len(self) == 0 or not trained_before[-1]:
            raise DataError(f"data={folder}: no row has a token to train on; look at the counts in its manifest")

    def __len__(self) -> int:
        return len(self._ends) - 1

    def misfits(self, model: PreTrainedConfig) -> list[str]:
        """Say in which ways a model cannot be trained on these rows; nothing where it can."""
        longest = getattr(model, "max_position_embeddings", self.max_length)
        found = []
        if self.max_length > longest:
            found.append(f"the data has rows of {self.max_length} tokens, the model takes {longest}: pack shorter rows")
        if self.largest_id >= model.vocab_size:
            found.append(
                f"the data has token id {self.largest_id}, the model knows {model.vocab_size}: pack with its tokenizer"
            )
        return found

    def marks(self) -> dict[str, int | str]:
        """Return what tells these rows from others: sizes, and a hash of every column."""
        columns = {"input_ids": self._ids, "position_ids": self._positions, "labels": self._labels, "ends": self._ends}
        hashes = {
            name: xxhash.xxh3_64(np.ascontiguousarray(column).data).hexdigest() for name, column in columns.items()
        }
        return {"rows": len(self), "max_length": self.max_length} | hashes

    def row(self, index: int) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.int32]]:
        """Return `input_ids`, `position_ids` and unshifted `labels` of a row, without padding."""
        part = slice(self._ends[index], self._ends[index + 1])
        return self._ids[part], self._positions[part], self._labels[part]

    def batch(self, indices: Sequence[int]) -> dict[str, torch.Tensor]:
        """Return a padded micro-batch.

        `input_ids` and `position_ids` have shape [rows, max_length]; padding is one more document. `trained` holds the
        places of the flattened hidden states that predict a trained token, `targets` those tokens, `kinds` and
        `sources` the numbers of each one's kind and corpus.
        """
        return self._batch(indices, padded=True)

    def flat_batch(self, indices: Sequence[int]) -> dict[str, torch.Tensor]:
        """Return the same micro-batch without padding: its rows one behind the other, [1, tokens].

        For attention that goes document by document, which has no use for rows.
        """
        flat = self._batch(indices, padded=False)
        return flat | {name: flat[name][None] for name in ("input_ids", "position_ids")}

    def _batch(self, indices: Sequence[int], padded: bool) -> dict[str, torch.Tensor]:
        lengths = [self.max_length if padded else int(self.lengths[index]) for index in indices]
        starts = np.cumsum([0, *lengths])
        ids = np.full(starts[-1], self.pad_token_id, np.int64)
        positions = np.empty(starts[-1], np.int64)
        trained, targets, kinds, sources = [], [], [], []
        for start, end, index in zip(starts, starts[1:], indices, strict=False):
            row_ids, row_positions, labels = self.row(index)
            filled = start + len(row_ids)
            ids[start:filled] = row_ids
            positions[start:filled] = row_positions
            positions[filled:end] = np.arange(end - filled)
            predicted = np.flatnonzero(labels != IGNORED)
            trained.append(start + predicted - 1)
            targets.append(labels[predicted])
            documents = self._first_document[index] + np.cumsum(row_positions == 0)[predicted] - 1
            kinds.append(self._kinds[documents])
            sources.append(self._sources[documents])
        shape = (len(indices), self.max_length) if padded else (-1,)
        whole = {"input_ids": ids.reshape(shape), "position_ids": positions.reshape(shape)}
        parts = {"trained": trained, "targets": targets, "kinds": kinds, "sources": sources}
        arrays = whole | {name: np.concatenate(part).astype(np.int64) for name, part in parts.items()}
        return {name: torch.from_numpy(array) for name, array in arrays.items()}


def _numbered(table: pa.Table, name: str) -> tuple[list[str], NDArray[np.int32]]:
    """Return the values of a column of lists with one value per document, and their numbers document by document."""
    if name not in table.column_names:  # rows that were packed before there was such a column
        kinds = table.column("kind").combine_chunks()
        return [""], np.zeros(len(kinds.values), np.int32)
    encoded = table.column(name).combine_chunks().values.dictionary_encode()
    return encoded.dictionary.to_pylist(), encoded.indices.to_numpy()


class StepBatches:
    """The micro-batches of one rank, in the order of training: a batch sampler that knows steps.

    Which rows a step trains on depends on the seed and the step alone; ranks and accumulation only divide them.
    """

    def __init__(
        self, rows: PackedRows, steps: int, global_batch: int, micro_batch: int, seed: int, rank: int, world: int
    ):
        self.rows = rows
        self.steps = steps
        self.global_batch = global_batch
        self.micro_batch = micro_batch
        self.accumulation = accumulation(global_batch, micro_batch, world)
        self._seed, self._rank, self._world = seed, rank, world

    def __len__(self) -> int:
        return self.steps * self.accumulation

    def __iter__(self) -> Iterator[list[int]]:
        for step in range(self.steps):
            own = shard(self.of_step(step), self._rank, self._world)
            for start in range(0, len(own), self.micro_batch):
                yield own[start : start + self.micro_batch]

    def of_step(self, step: int) -> list[int]:
        """Return the rows of a step over all ranks."""
        return rows_for_step(len(self.rows), self.global_batch, self._seed, step)

    def trained_tokens(self, step: int) -> int:
        """Count the trained tokens of a step over all ranks: the divisor of its loss."""
        return int(self.rows.trained[self.of_step(step)].sum())
