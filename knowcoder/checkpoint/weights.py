"""The weights of a model, mapped from its files in either form: what is looked at is read, and nothing is copied."""

from __future__ import annotations

import pickle
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import torch
from safetensors import SafetensorError, safe_open

from knowcoder import jsonl
from knowcoder.checkpoint.checksums import as_bytes, read_checksums
from knowcoder.checkpoint.folder import LAYER_FILES, LAYER_NAMES, find_step, is_pipeline
from knowcoder.checkpoint.mapping import PieceMap, check_shapes, few
from knowcoder.errors import ModelError

INDEX = "model.safetensors.index.json"
#: In the order in which transformers looks for them: one file, or the table of the files that it was cut into.
_HF_FILES = (("model.safetensors", INDEX), ("pytorch_model.bin", "pytorch_model.bin.index.json"))


@dataclass
class Weights:
    """The tensors of a model by their Hugging Face names.

    Attributes:
        tensors: each mapped from its file. files: where each stands.
        checksums: what each had when it was written, where that is known.
    """

    mapping: PieceMap
    tensors: dict[str, torch.Tensor] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    checksums: dict[str, str] = field(default_factory=dict)

    def piece(self, piece: int) -> dict[str, torch.Tensor]:
        """Return the tensors of a piece by their names inside it."""
        return {name: self.tensors[self.mapping.file_name(piece, name)] for name in self.mapping.shapes[piece]}


def weights_of(folder: Path, mapping: PieceMap) -> Weights:
    """Open the weights of a model folder of either form; raises as `open_hf` and `open_pipeline`."""
    return open_pipeline(find_step(folder)[1], mapping) if is_pipeline(folder) else open_hf(folder, mapping)


def open_hf(folder: Path, mapping: PieceMap) -> Weights:
    """Open a Hugging Face folder: safetensors or `.bin`, one file or several.

    Raises:
        ModelError: a file cannot be read, or a tensor is missing, surplus, there twice or of another shape.
    """
    tensors, files, placed = _hf_tensors(folder)
    wanted = mapping.shapes_in_files()
    weights = Weights(mapping, checksums=read_checksums(folder))
    for name, tensor in tensors.items():
        if name in wanted or not mapping.is_computed(name):
            weights.tensors[name], weights.files[name] = tensor, files[name]
    _accept_tied_twin(weights)
    only = set(files.values())
    where = dict.fromkeys(wanted, only.pop() if len(only) == 1 else folder) | placed | weights.files
    check_shapes(wanted, weights.tensors, where.__getitem__)
    return weights


def hf_tensors(folder: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of a Hugging Face folder of any architecture, mapped from its files.

    Raises:
        ModelError: there are none, a file cannot be read, or a tensor is there twice.
    """
    return _hf_tensors(folder)[0]


def open_pipeline(step: Path, mapping: PieceMap) -> Weights:
    """Open one step of a pipeline checkpoint.

    Raises:
        ModelError: a file is missing, surplus or cannot be read, or a tensor is missing, surplus or of another shape.
    """
    weights = Weights(mapping, checksums=read_checksums(step))
    for piece, shapes in enumerate(mapping.shapes):
        if not shapes:
            continue
        paths = [step / name.format(piece) for name in LAYER_NAMES]
        path = next((path for path in paths if path.is_file()), None)
        if path is None:
            raise ModelError(f"{paths[0]}: is missing, and with it {few(shapes)}")
        try:
            state = _load(path)
        except ModelError as error:
            raise ModelError(f"{error}; it should hold {few(shapes)}") from error
        kept = {name: tensor for name, tensor in state.items() if name in shapes or not mapping.is_computed(name)}
        check_shapes(shapes, kept, dict.fromkeys(shapes.keys() | kept.keys(), path).__getitem__)
        for name, tensor in kept.items():
            weights.tensors[mapping.file_name(piece, name)] = tensor
            weights.files[mapping.file_name(piece, name)] = path
    _refuse_surplus(step, weights)
    return weights


def _hf_files(folder: Path) -> tuple[list[Path], dict[str, Path]]:
    """Return the files with weights, and which tensor should stand in which, where a table says so."""
    for single, index in _HF_FILES:
        if (folder / single).is_file():
            return [folder / single], {}
        if (folder / index).is_file():
            table = jsonl.read_json(folder / index, dict[str, Any])
            placed = {str(name): folder / Path(file).name for name, file in table.get("weight_map", {}).items()}
            for name, path in placed.items():
                if not path.is_file():
                    raise ModelError(f"{path}: is missing; {index} says that tensor {name} stands in it")
            return sorted(set(placed.values())), placed
    raise ModelError(f"{folder}: holds no weights: neither {' nor '.join(name for pair in _HF_FILES for name in pair)}")


def _hf_tensors(folder: Path) -> tuple[dict[str, torch.Tensor], dict[str, Path], dict[str, Path]]:
    """Return the tensors by name, the file of each, and the file in which a table says it should stand."""
    paths, placed = _hf_files(folder)
    tensors: dict[str, torch.Tensor] = {}
    files: dict[str, Path] = {}
    for path in paths:
        for name, tensor in _mapped(path).items():
            if name in tensors:
                raise ModelError(f"{path}: tensor {name} stands in {files[name].name} too; keep one")
            tensors[name], files[name] = tensor, path
    return tensors, files, placed


def _accept_tied_twin(weights: Weights) -> None:
    """Leave out a head that is saved beside the embedding that it is tied to, if it is the same."""
    mapping = weights.mapping
    twin, embedding = (mapping.file_name(place, "weight") for place in (-1, 0))
    if not (mapping.tied and twin in weights.tensors and embedding in weights.tensors):
        return
    path = weights.files.pop(twin)
    _require_same(weights.tensors.pop(twin), weights.tensors[embedding], f"{path}: tensor {twin}")


def _require_same(twin: torch.Tensor, embedding: torch.Tensor, which: str) -> None:
    if twin.shape != embedding.shape or not torch.equal(as_bytes(twin), as_bytes(embedding)):
        raise ModelError(f"{which} differs from the embedding that config.json ties it to")


def _refuse_surplus(step: Path, weights: Weights) -> None:
    mapping = weights.mapping
    known = {name.format(piece) for piece, shapes in enumerate(mapping.shapes) if shapes for name in LAYER_NAMES}
    head = len(mapping.modules) - 1
    for path in sorted(path for path in step.glob(LAYER_FILES) if path.name not in known):
        if mapping.tied and path.name in [name.format(head) for name in LAYER_NAMES]:
            embedding = weights.tensors[mapping.file_name(0, "weight")]
            _require_same(_load(path).get("weight", torch.empty(0)), embedding, f"{path}: tensor weight")
        else:
            raise ModelError(f"{path}: is one too many, config.json has {mapping.num_layers} layers")


def _mapped(path: Path) -> dict[str, torch.Tensor]:
    if path.suffix != ".safetensors":
        return _load(path)
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path}: cannot be read: {error}{_torn(path)}") from error


def _torn(path: Path) -> str:
    """Say which tensor of a safetensors file is the first that its end cuts off, where that can be told."""
    try:
        with path.open("rb") as file:
            size = int.from_bytes(file.read(8), "little")
            header = msgspec.json.decode(file.read(min(size, path.stat().st_size)))
        ends = {name: size + 8 + entry["data_offsets"][1] for name, entry in header.items() if name != "__metadata__"}
    except (OSError, KeyError, TypeError, AttributeError, msgspec.DecodeError):
        return ""
    length = path.stat().st_size
    cut = [name for name, end in sorted(ends.items(), key=lambda item: item[1]) if end > length]
    return f"; it has {length:,} bytes, which cuts off {few(cut)}" if cut else ""


def _load(path: Path) -> dict[str, torch.Tensor]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except (RuntimeError, OSError, EOFError, pickle.UnpicklingError) as error:
        raise ModelError(f"{path}: cannot be read: {str(error).splitlines()[0]}") from error
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise ModelError(f"{path}: does not hold a plain table of tensors")
    return state
