"""Samples -> token ids, in processes side by side; the ids of all samples stand in one file, not in memory."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import repeat
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from knowcoder import jsonl
from knowcoder.codec.wrapper import Wrapper
from knowcoder.errors import DataError
from knowcoder.samples.sample import Sample

_PART = 2048  # samples that one process is given at a time
_SPILL = "ids.partial"


@dataclass(frozen=True, slots=True)
class Encoded:
    """The token ids of some samples, one behind the other, and what is known of each sample.

    The first `prompts[i]` of the `lengths[i]` ids of sample i are not trained.
    """

    ids: NDArray[np.int32]
    lengths: NDArray[np.int32]
    prompts: NDArray[np.int32]
    kinds: list[str]
    sources: list[str]


@dataclass(frozen=True, slots=True)
class Tokens:
    """All samples: `ids` is mapped from a file; `kinds` and `sources` are places in the lists of their names."""

    ids: NDArray[np.int32]
    lengths: NDArray[np.int32]
    prompts: NDArray[np.int32]
    kinds: NDArray[np.int32]
    sources: NDArray[np.int32]
    kind_names: list[str]
    source_names: list[str]


@contextmanager
def tokenized(
    files: Sequence[Path], wrapper: Wrapper, max_length: int, directory: Path, workers: int
) -> Iterator[Tokens]:
    """Turn the samples of JSON Lines files into token ids; they are gone from `directory` afterwards.

    Raises:
        DataError: a line is no sample, a sample is longer than `max_length`, or there is none.
    """
    kinds, sources = _Names(), _Names()
    lengths, prompts = [], []
    spill = directory / _SPILL
    try:
        with spill.open("wb") as file:
            for found in _encoded(files, wrapper, max_length, workers):
                file.write(found.ids.tobytes())
                lengths.append(found.lengths)
                prompts.append(found.prompts)
                kinds.add(found.kinds)
                sources.add(found.sources)
        if not lengths:
            raise DataError("there are no samples to pack; look at the counts in the manifest of the samples")
        yield Tokens(
            np.memmap(spill, np.int32, "r"),
            np.concatenate(lengths),
            np.concatenate(prompts),
            kinds.places(),
            sources.places(),
            kinds.names,
            sources.names,
        )
    finally:
        spill.unlink(missing_ok=True)


def encode(samples: Iterable[Sample], wrapper: Wrapper, max_length: int) -> Encoded:
    """Turn some samples into token ids.

    Raises:
        DataError: a sample is longer than a row: it was built for another length or tokenizer.
    """
    batch = list(samples)
    pairs = wrapper.encode_many([(sample.prompt, sample.completion) for sample in batch])
    prompts = np.array([len(prompt) for prompt, _ in pairs], np.int32)
    lengths = prompts + np.array([len(completion) for _, completion in pairs], np.int32)
    if (longest := int(lengths.argmax())) >= 0 and lengths[longest] > max_length:
        raise DataError(
            f"sample {batch[longest].id} has {lengths[longest]} tokens, max_length is {max_length}; "
            "build the samples with this tokenizer and max_length"
        )
    ids = np.concatenate([np.array(part, np.int32) for pair in pairs for part in pair])
    return Encoded(ids, lengths, prompts, [sample.kind for sample in batch], [sample.source for sample in batch])


def _encoded(files: Sequence[Path], wrapper: Wrapper, max_length: int, workers: int) -> Iterator[Encoded]:
    parts = [(path, part) for path in files for part in jsonl.parts(path, _PART)]
    paths, places = [path for path, _ in parts], [part for _, part in parts]
    if workers == 1 or len(parts) < 2:
        yield from _shown(map(_encode_part, paths, places, repeat(max_length), repeat(wrapper)), len(parts))
        return
    # Not forked: a tokenizer that has been used has threads, which a fork would cut off.
    with ProcessPoolExecutor(min(workers, len(parts)), get_context("spawn"), _start, (wrapper,)) as pool:
        yield from _shown(pool.map(_encode_part, paths, places, repeat(max_length)), len(parts))


def _shown(found: Iterator[Encoded], total: int) -> Iterator[Encoded]:
    yield from tqdm(found, desc="tokenize", unit=" part", total=total, disable=None)


_wrapper: Wrapper | None = None  # of a worker


def _start(wrapper: Wrapper) -> None:
    global _wrapper
    _wrapper = wrapper
    os.environ["TOKENIZERS_PARALLELISM"] = "false"  # there are as many workers as processors already


def _encode_part(path: Path, part: jsonl.Part, max_length: int, wrapper: Wrapper | None = None) -> Encoded:
    wrapper = wrapper or _wrapper
    assert wrapper is not None
    return encode(jsonl.read(path, Sample, part), wrapper, max_length)


class _Names:
    """Names as places in a list of them, in the order in which they come."""

    def __init__(self) -> None:
        self._places: dict[str, int] = {}
        self._found: list[NDArray[np.int32]] = []

    def add(self, names: list[str]) -> None:
        self._found.append(np.array([self._places.setdefault(n, len(self._places)) for n in names], np.int32))

    def places(self) -> NDArray[np.int32]:
        return np.concatenate(self._found)

    @property
    def names(self) -> list[str]:
        return list(self._places)
