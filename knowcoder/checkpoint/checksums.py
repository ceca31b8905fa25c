"""A checksum of every tensor, beside the weights: damage is found by name, and equal models are known by one hash.

The names are those of the Hugging Face form, so a model has the same checksums in both forms.
"""

from __future__ import annotations

from pathlib import Path

import torch
import xxhash

from knowcoder import jsonl

CHECKSUMS = "checksums.json"
ALGORITHM = "xxh3_128"


def checksum(tensor: torch.Tensor) -> str:
    """Hash the bytes of a contiguous tensor."""
    hashed = xxhash.xxh3_128(as_bytes(tensor).numpy())
    return str(hashed.hexdigest())


def as_bytes(tensor: torch.Tensor) -> torch.Tensor:
    """View a contiguous tensor as bytes [n]; these are equal where numbers that are none (NaN) are not."""
    return tensor.reshape(-1).view(torch.uint8)


def of_all(checksums: dict[str, str]) -> str:
    """Return one hash of a whole model: of the names and checksums of its tensors."""
    lines = "".join(f"{name} {value}\n" for name, value in sorted(checksums.items()))
    return f"{ALGORITHM}:{xxhash.xxh3_128(lines.encode()).hexdigest()}"


def write_checksums(folder: Path, checksums: dict[str, str]) -> None:
    """Write the checksums of the tensors in a folder."""
    jsonl.write_json(folder / CHECKSUMS, {"algorithm": ALGORITHM, "tensors": dict(sorted(checksums.items()))})


def read_checksums(folder: Path) -> dict[str, str]:
    """Return the checksums of the tensors in a folder by name; nothing where it has none that are understood."""
    if not (folder / CHECKSUMS).is_file():
        return {}
    found = jsonl.read_json(folder / CHECKSUMS, dict[str, str | dict[str, str]])
    tensors = found.get("tensors")
    return tensors if found.get("algorithm") == ALGORITHM and isinstance(tensors, dict) else {}
