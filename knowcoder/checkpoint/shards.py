"""Writing the weights of a Hugging Face folder as safetensors, one tensor in memory at a time."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import torch
from tqdm import tqdm

from knowcoder import jsonl
from knowcoder.checkpoint.checksums import as_bytes
from knowcoder.checkpoint.weights import INDEX
from knowcoder.checkpoint.written import writing

SHARD_BYTES = 1 << 30
_NAMES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.bfloat16: "BF16",
    torch.float16: "F16",
    torch.float8_e4m3fn: "F8_E4M3",
    torch.float8_e5m2: "F8_E5M2",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


def save_shards(
    wanted: Mapping[str, torch.Tensor],
    take: Callable[[str], torch.Tensor],
    folder: Path,
    shard_bytes: int = SHARD_BYTES,
) -> None:
    """Write tensors as safetensors, cut into files of `shard_bytes`, with the table of which stands where.

    Args:
        wanted: tensors without memory (on "meta") that have the shape and number format of those to write, by name.
        take: returns a tensor; asked for one after the other.

    Raises:
        ModelError: a file cannot be written.
    """
    place: dict[str, str] = {}
    shards = list(_shards(wanted, shard_bytes))
    for number, names in enumerate(tqdm(shards, desc="write", unit=" file", disable=None), 1):
        file = f"model-{number:05d}-of-{len(shards):05d}.safetensors" if len(shards) > 1 else "model.safetensors"
        _save({name: wanted[name] for name in names}, take, folder / file)
        place |= dict.fromkeys(names, file)
    if len(shards) > 1:
        total = sum(tensor.nbytes for tensor in wanted.values())
        jsonl.write_json(folder / INDEX, {"metadata": {"total_size": total}, "weight_map": place})


def _save(wanted: dict[str, torch.Tensor], take: Callable[[str], torch.Tensor], path: Path) -> None:
    """Write one file: the length of its header, the header, and tensors in the order that the library gives them."""
    order = sorted(wanted, key=lambda name: (-wanted[name].itemsize, name))
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name in order:
        start, end = end, end + wanted[name].nbytes
        dtype, shape = _NAMES[wanted[name].dtype], list(wanted[name].shape)
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % 8)
    with writing(path) as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for name in order:
            content = memoryview(as_bytes(take(name).contiguous()).numpy())
            assert len(content) == wanted[name].nbytes, name
            file.write(content)


def _shards(wanted: Mapping[str, torch.Tensor], limit: int) -> Iterator[list[str]]:
    shard: list[str] = []
    filled = 0
    for name, tensor in wanted.items():
        if shard and filled + tensor.nbytes > limit:
            yield shard
            shard, filled = [], 0
        shard.append(name)
        filled += tensor.nbytes
    yield shard
