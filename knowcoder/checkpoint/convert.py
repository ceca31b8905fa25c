"""Hugging Face model folder <-> pipeline checkpoint, tensor by tensor and bit by bit.

A pipeline checkpoint is a folder with `latest`, a DeepSpeed folder of that name (`step100/layer_XX-model_states.pt` and
more), and the model's `config.json` and tokenizer beside them, so that the way back needs nothing else. The published
layout (`global_step001/layer_XX-model_00-model_states.pt`) is read too.
"""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from knowcoder import jsonl
from knowcoder.checkpoint.init import MODEL_FILES
from knowcoder.checkpoint.mapping import PieceMap, check_shapes, meta_model, piece_map, read_config
from knowcoder.errors import ModelError

LATEST = "latest"
INDEX = "model.safetensors.index.json"
_SHARD_BYTES = 1 << 30
#: Half of the published layouts write the place on the tensor-parallel axis into the name.
_LAYER_NAMES = ("layer_{:02d}-model_states.pt", "layer_{:02d}-model_00-model_states.pt")


@dataclass(frozen=True)
class Converted:
    """What a conversion did, for the manifest."""

    tensors: int
    parameters: int
    layers: int
    dtypes: list[str] = field(default_factory=list)


def to_pipeline(model_dir: Path, output_dir: Path) -> Converted:
    """Write a Hugging Face model folder as a pipeline checkpoint, `step0`.

    Raises:
        ModelError: a tensor is missing, surplus or of another shape, or the architecture cannot be cut.
    """
    mapping = piece_map(meta_model(read_config(model_dir)))
    weights = HfWeights(model_dir, mapping)
    step = output_dir / "step0"
    step.mkdir(parents=True)
    dtypes, parameters, tensors = set(), 0, 0
    for piece, shapes in enumerate(mapping.shapes):
        if not shapes:
            continue
        state = weights.piece(piece)
        torch.save(state, layer_path(step, piece))
        dtypes |= {str(tensor.dtype) for tensor in state.values()}
        parameters += sum(tensor.numel() for tensor in state.values())
        tensors += len(state)
    copy_model_files(model_dir, output_dir)
    write_latest(output_dir, step.name)
    return Converted(tensors, parameters, mapping.num_layers, sorted(dtypes))


def to_hf(checkpoint_dir: Path, output_dir: Path, shard_bytes: int = _SHARD_BYTES) -> Converted:
    """Write a pipeline checkpoint as a Hugging Face model folder (safetensors, cut into shards of `shard_bytes`).

    Args:
        checkpoint_dir: the folder with `latest`, or one step's folder inside it.

    Raises:
        ModelError: a file or tensor is missing, surplus or of another shape.
    """
    root, step = find_step(checkpoint_dir)
    mapping = piece_map(meta_model(read_config(root)))
    weights = PipelineWeights(step, mapping)
    output_dir.mkdir(parents=True, exist_ok=True)
    dtypes: set[torch.dtype] = set()
    place: dict[str, str] = {}
    parameters = total = 0
    shards = list(_shards(weights.sizes(), shard_bytes))
    for number, shard in enumerate(shards, 1):
        state = {mapping.hf_name(piece, name): weights.tensor(piece, name) for piece, name in shard}
        file = f"model-{number:05d}-of-{len(shards):05d}.safetensors" if len(shards) > 1 else "model.safetensors"
        save_file(state, output_dir / file, metadata={"format": "pt"})
        place |= dict.fromkeys(state, file)
        dtypes |= {tensor.dtype for tensor in state.values()}
        parameters += sum(tensor.numel() for tensor in state.values())
        total += sum(tensor.nbytes for tensor in state.values())
    if len(shards) > 1:
        jsonl.write_json(output_dir / INDEX, {"metadata": {"total_size": total}, "weight_map": place})
    copy_model_files(root, output_dir)
    _set_dtype(output_dir / "config.json", dtypes)
    return Converted(len(place), parameters, mapping.num_layers, sorted(map(str, dtypes)))


def find_step(checkpoint_dir: Path) -> tuple[Path, Path]:
    """Return the folder with configuration and tokenizer, and the step's folder with the weights.

    Raises:
        ModelError: it is not a pipeline checkpoint.
    """
    if (checkpoint_dir / LATEST).is_file():
        step = checkpoint_dir / (checkpoint_dir / LATEST).read_text().strip()
        if not step.is_dir():
            raise ModelError(f"{checkpoint_dir / LATEST}: names {step.name}, which is not there")
        return checkpoint_dir, step
    if any(checkpoint_dir.glob("layer_*-model_states.pt")):
        return checkpoint_dir.parent, checkpoint_dir
    raise ModelError(f"{checkpoint_dir}: not a pipeline checkpoint: neither {LATEST} nor layer_*-model_states.pt in it")


def is_pipeline(folder: Path) -> bool:
    """Say whether a folder is a pipeline checkpoint rather than a Hugging Face model."""
    return (folder / LATEST).is_file() or any(folder.glob("layer_*-model_states.pt"))


def model_root(folder: Path) -> Path:
    """Return where a model folder of either form has its configuration and tokenizer."""
    return find_step(folder)[0] if is_pipeline(folder) else folder


def layer_path(step: Path, piece: int) -> Path:
    """Return the file of a piece, as the pipeline engine names it."""
    return step / _LAYER_NAMES[0].format(piece)


def write_latest(folder: Path, name: str) -> None:
    """Make `name` the step that is read, atomically."""
    partial = folder / (LATEST + ".partial")
    partial.write_text(name)
    partial.replace(folder / LATEST)


def copy_model_files(source: Path, target: Path) -> None:
    """Copy configuration and tokenizer, byte for byte."""
    for name in ("config.json", *MODEL_FILES):
        if (source / name).is_file():
            shutil.copyfile(source / name, target / name)


def weights_of(folder: Path, mapping: PieceMap) -> HfWeights | PipelineWeights:
    """Open the weights of a model folder of either form."""
    return PipelineWeights(find_step(folder)[1], mapping) if is_pipeline(folder) else HfWeights(folder, mapping)


class HfWeights:
    """The tensors of a Hugging Face folder, in one file or in shards, by piece.

    Raises:
        ModelError: a tensor is missing, surplus or of another shape.
    """

    def __init__(self, folder: Path, mapping: PieceMap) -> None:
        self._mapping = mapping
        files = sorted(folder.glob("*.safetensors"))
        if not files:
            raise ModelError(f"{folder}: holds no *.safetensors weights; save the model in that format")
        self._file: dict[str, Path] = {}
        found = {}
        for path in files:
            with _opened(path) as file:
                for name in file.keys():  # noqa: SIM118
                    self._file[name] = path
                    found[name] = tuple(file.get_slice(name).get_shape())
        self._accept_tied_twin(found)
        check_shapes(
            {mapping.hf_name(p, n): s for p, ns in enumerate(mapping.shapes) for n, s in ns.items()}, found, str(folder)
        )

    def _accept_tied_twin(self, found: dict[str, tuple[int, ...]]) -> None:
        """Leave out a head that is saved beside the embedding that it is tied to, if it is the same."""
        twin = f"{self._mapping.modules[-1]}.weight"
        if not (self._mapping.tied and twin in found):
            return
        if not torch.equal(self._tensor(twin), self._tensor(f"{self._mapping.modules[0]}.weight")):
            raise ModelError(f"{self._file[twin]}: {twin} differs from the embedding that config.json ties it to")
        del found[twin]

    def piece(self, piece: int) -> dict[str, torch.Tensor]:
        """Return the tensors of a piece by their names inside it."""
        return {name: self._tensor(self._mapping.hf_name(piece, name)) for name in self._mapping.shapes[piece]}

    def _tensor(self, name: str) -> torch.Tensor:
        with _opened(self._file[name]) as file:
            tensor: torch.Tensor = file.get_tensor(name)
        return tensor


class PipelineWeights:
    """The tensors of one step of a pipeline checkpoint, by piece.

    Raises:
        ModelError: a file or tensor is missing, surplus or of another shape.
    """

    def __init__(self, step: Path, mapping: PieceMap) -> None:
        self._mapping = mapping
        self._states: list[dict[str, torch.Tensor]] = []
        for piece, shapes in enumerate(mapping.shapes):
            self._states.append(self._open(step, piece) if shapes else {})
        self._refuse_surplus(step)

    def piece(self, piece: int) -> dict[str, torch.Tensor]:
        """Return the tensors of a piece by their names inside it."""
        return self._states[piece]

    def tensor(self, piece: int, name: str) -> torch.Tensor:
        """Return one tensor."""
        return self._states[piece][name].contiguous()

    def sizes(self) -> Iterator[tuple[tuple[int, str], int]]:
        """Yield every tensor's piece and name, and its bytes."""
        for piece, state in enumerate(self._states):
            for name, tensor in state.items():
                yield (piece, name), tensor.nbytes

    def _open(self, step: Path, piece: int) -> dict[str, torch.Tensor]:
        paths = [step / name.format(piece) for name in _LAYER_NAMES]
        path = next((p for p in paths if p.is_file()), None)
        if path is None:
            raise ModelError(f"{paths[0]}: is missing; {step} should have {len(self._mapping.modules)} layer files")
        state = _load(path)
        self._mapping.check(piece, {name: tuple(tensor.shape) for name, tensor in state.items()}, str(path))
        return state

    def _refuse_surplus(self, step: Path) -> None:
        known = {
            name.format(piece) for piece, shapes in enumerate(self._mapping.shapes) if shapes for name in _LAYER_NAMES
        }
        surplus = sorted(p for p in step.glob("layer_*-model_states.pt") if p.name not in known)
        head = len(self._mapping.modules) - 1
        if self._mapping.tied and [p.name for p in surplus] in [[name.format(head)] for name in _LAYER_NAMES]:
            if torch.equal(_load(surplus[0])["weight"], self._states[0]["weight"]):
                return
            raise ModelError(f"{surplus[0]}: weight differs from the embedding that config.json ties it to")
        if surplus:
            raise ModelError(
                f"{surplus[0]}: config.json has {self._mapping.num_layers} layers, this file is one too many"
            )


def _load(path: Path) -> dict[str, torch.Tensor]:
    # Mapped, so that a tensor is read when it is written or copied and a large model never stands in memory.
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (RuntimeError, OSError, pickle.UnpicklingError) as error:
        raise ModelError(f"{path}: cannot be read: {str(error).splitlines()[0]}") from error
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise ModelError(f"{path}: does not hold a plain table of tensors")
    return state


def _opened(path: Path) -> Any:
    try:
        return safe_open(path, framework="pt")
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path}: cannot be read: {error}") from error


def _shards(sizes: Iterator[tuple[tuple[int, str], int]], limit: int) -> Iterator[list[tuple[int, str]]]:
    shard: list[tuple[int, str]] = []
    filled = 0
    for key, size in sizes:
        if shard and filled + size > limit:
            yield shard
            shard, filled = [], 0
        shard.append(key)
        filled += size
    yield shard


def _set_dtype(config: Path, dtypes: set[torch.dtype]) -> None:
    """Let the configuration say the number format that the tensors have: a loader would cast them to what it says."""
    if len(dtypes) != 1:
        return
    settings: dict[str, Any] = jsonl.read_json(config, dict[str, Any])
    name = str(next(iter(dtypes))).removeprefix("torch.")
    if settings.get("dtype", settings.get("torch_dtype")) != name:
        settings.pop("torch_dtype", None)
        jsonl.write_json(config, settings | {"dtype": name})
