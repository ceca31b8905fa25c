"""Hugging Face model folder <-> pipeline checkpoint, tensor by tensor and bit by bit.

Tensors are mapped from their files and written from there, so none stands in memory of its own; one that is cast stands
in a file without a name for as long as it is needed.
"""

from __future__ import annotations

import math
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch.serialization import get_crc32_options, set_crc32_options
from tqdm import tqdm

from knowcoder import jsonl
from knowcoder.checkpoint.checksums import checksum, of_all, write_checksums
from knowcoder.checkpoint.folder import copy_model_files, find_step, layer_path, write_latest
from knowcoder.checkpoint.mapping import DTYPES, meta_model, piece_map, read_config
from knowcoder.checkpoint.shards import SHARD_BYTES, save_shards
from knowcoder.checkpoint.weights import Weights, open_hf, open_pipeline
from knowcoder.checkpoint.written import writing
from knowcoder.errors import ArtefactError, ModelError

#: What DeepSpeed's own `load_checkpoint` looks for beside the layers, whatever the number of stages.
_ENGINE_STATE: dict[str, Any] = {
    "module": None,
    "dp_world_size": 1,
    "mp_world_size": 1,
    "global_steps": 0,
    "global_samples": 0,
    "skipped_steps": 0,
    "sparse_tensor_module_names": [],
}


@dataclass(frozen=True)
class Converted:
    """What a conversion did, for the manifest. `content` is one hash of all tensors and their names."""

    tensors: int
    parameters: int
    layers: int
    bytes: int
    dtypes: list[str]
    content: str


def to_pipeline(model_dir: Path, output_dir: Path, dtype: str = "") -> Converted:
    """Write a Hugging Face model folder as a pipeline checkpoint, `step0`.

    Args:
        dtype: number format of the result ("fp32", "bf16", "fp16"); empty keeps that of every tensor.

    Raises:
        ModelError: a tensor is damaged, missing, surplus or of another shape, or the architecture cannot be cut.
        ArtefactError: there is no room for the result.
    """
    mapping = piece_map(meta_model(read_config(model_dir)))
    copy = _Copy(open_hf(model_dir, mapping), output_dir, dtype)
    step = output_dir / "step0"
    step.mkdir()
    for piece, shapes in enumerate(tqdm(mapping.shapes, desc="convert", unit=" file", disable=None)):
        if shapes:
            _save({name: copy.take(mapping.file_name(piece, name)) for name in shapes}, layer_path(step, piece))
    torch.save(_ENGINE_STATE, step / "mp_rank_00_model_states.pt")
    write_checksums(step, copy.checksums)
    copy_model_files(model_dir, output_dir)
    if dtype:
        set_dtype(output_dir / "config.json", copy.dtypes)
    write_latest(output_dir, step.name)
    return copy.done()


def to_hf(checkpoint_dir: Path, output_dir: Path, dtype: str = "", shard_bytes: int = SHARD_BYTES) -> Converted:
    """Write a pipeline checkpoint as a Hugging Face model folder (safetensors, cut into shards of `shard_bytes`).

    Args:
        checkpoint_dir: the folder with `latest`, or one step's folder inside it.
        dtype: as for `to_pipeline`.

    Raises:
        ModelError: a file is missing or surplus, or a tensor is damaged, missing, surplus or of another shape.
        ArtefactError: there is no room for the result.
    """
    root, step = find_step(checkpoint_dir)
    mapping = piece_map(meta_model(read_config(root)))
    copy = _Copy(open_pipeline(step, mapping), output_dir, dtype)
    save_shards({name: copy.like(name) for name in mapping.shapes_in_files()}, copy.take, output_dir, shard_bytes)
    write_checksums(output_dir, copy.checksums)
    copy_model_files(root, output_dir)
    set_dtype(output_dir / "config.json", copy.dtypes)
    return copy.done()


def cast(tensor: torch.Tensor, dtype: torch.dtype | None, out: torch.Tensor | None = None) -> torch.Tensor:
    """Return a tensor in another number format, written into `out` if given; whole numbers and `None` keep theirs.

    Raises:
        OverflowError: a number is too large for the format.
    """
    if dtype is None or not tensor.is_floating_point():
        dtype = tensor.dtype
    result = torch.empty(tensor.shape, dtype=dtype) if out is None else out
    result.copy_(tensor)
    if dtype == torch.float16 and _infinite(result) and not _infinite(tensor):
        raise OverflowError
    return result


class _Copy:
    """The tensors on their way: compared with their checksums, cast, hashed and counted."""

    def __init__(self, weights: Weights, output_dir: Path, dtype: str) -> None:
        self._weights, self._output, self._dtype = weights, output_dir, DTYPES[dtype] if dtype else None
        self.checksums: dict[str, str] = {}
        self.dtypes: set[torch.dtype] = set()
        self.bytes = sum(self.like(name).nbytes for name in weights.tensors)
        output_dir.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(output_dir).free
        if free < self.bytes:
            raise ArtefactError(
                f"{output_dir}: the result takes {self.bytes / 1e9:.1f} GB, {free / 1e9:.1f} GB are free; "
                "make room, or give an output on another disk"
            )

    def like(self, name: str) -> torch.Tensor:
        """Return a tensor without memory that has the shape and number format to be written."""
        tensor = self._weights.tensors[name]
        return torch.empty(tensor.shape, dtype=self._target(tensor), device="meta")

    def take(self, name: str) -> torch.Tensor:
        """Return a tensor as it is to be written."""
        tensor, file = self._weights.tensors[name], self._weights.files[name]
        if not _is_plain(tensor):
            tensor = self._in_file(tensor, tensor.dtype)
        found = checksum(tensor)
        if found != self._weights.checksums.get(name, found):
            raise ModelError(
                f"{file}: tensor {name} is not what its checksum says: it was damaged or changed after it was written; "
                "write it again, or delete checksums.json beside it if the change is meant"
            )
        if (dtype := self._target(tensor)) != tensor.dtype:
            try:
                tensor = self._in_file(tensor, dtype)
            except OverflowError as error:
                raise ModelError(f"{file}: tensor {name} has numbers too large for {dtype}; use bf16") from error
            found = checksum(tensor)
        self.checksums[name] = found
        self.dtypes.add(dtype)
        return tensor

    def done(self) -> Converted:
        """Say what was done, when it is."""
        parameters = sum(tensor.numel() for tensor in self._weights.tensors.values())
        layers, dtypes = self._weights.mapping.num_layers, sorted(map(str, self.dtypes))
        return Converted(len(self.checksums), parameters, layers, self.bytes, dtypes, of_all(self.checksums))

    def _target(self, tensor: torch.Tensor) -> torch.dtype:
        return self._dtype if self._dtype and tensor.is_floating_point() else tensor.dtype

    def _in_file(self, tensor: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
        """Return a contiguous copy whose pages are those of a file that vanishes with it, so they can leave memory."""
        if not tensor.numel():
            return tensor.to(dtype).contiguous()
        scratch = self._output / ".scratch"
        mapped = torch.from_file(str(scratch), shared=True, size=tensor.numel(), dtype=dtype)
        scratch.unlink()
        return cast(tensor, dtype, mapped.view(tensor.shape))


def _is_plain(tensor: torch.Tensor) -> bool:
    return tensor.is_contiguous() and tensor.untyped_storage().nbytes() == tensor.nbytes


def _infinite(tensor: torch.Tensor) -> bool:
    return tensor.numel() > 0 and any(math.isinf(float(end)) for end in torch.aminmax(tensor))


def _save(state: dict[str, torch.Tensor], path: Path) -> None:
    """Write a layer file; the check sums of its format, which no reader looks at, are left out: they take long.

    Raises:
        ModelError: it cannot be written.
    """
    before = get_crc32_options()
    set_crc32_options(False)
    try:
        with writing(path) as file:
            torch.save(state, file)
    finally:
        set_crc32_options(before)


def set_dtype(config: Path, dtypes: set[torch.dtype]) -> None:
    """Let the configuration say the number format that the tensors have: a loader would cast them to what it says."""
    if len(dtypes) != 1:
        return
    settings: dict[str, Any] = jsonl.read_json(config, dict[str, Any])
    name = str(next(iter(dtypes))).removeprefix("torch.")
    if settings.get("dtype", settings.get("torch_dtype")) != name:
        settings.pop("torch_dtype", None)
        jsonl.write_json(config, settings | {"dtype": name})
