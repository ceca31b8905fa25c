"""The one mapping between a Hugging Face causal LM and the pieces of a pipeline, both ways.

A pipeline of N layers has N + 3 pieces: 00 the embedding, 01 to N the layers, N + 1 the last norm, N + 2 the head. Each
is one file of a pipeline checkpoint; inside it a tensor is named as its module names it (`weight`,
`self_attn.q_proj.weight`), as in the published layout. A head tied to the embedding has no file.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel

from knowcoder.errors import ModelError

Shape = tuple[int, ...]
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class PieceMap:
    """Where every tensor of a model belongs.

    Attributes:
        modules: path in the Hugging Face model of each piece's module, in order of the pipeline.
        shapes: per piece, its tensors by their names inside the piece.
        tied: the head is the embedding.
    """

    modules: tuple[str, ...]
    shapes: tuple[dict[str, Shape], ...]
    tied: bool

    @property
    def num_layers(self) -> int:
        """Count the decoder layers."""
        return len(self.modules) - 3

    def sizes(self) -> list[int]:
        """Count the parameters of every piece; a tied head has none of its own."""
        return [sum(math.prod(shape) for shape in shapes.values()) for shapes in self.shapes]

    def hf_name(self, piece: int, name: str) -> str:
        """Return the Hugging Face name of tensor `name` of piece number `piece`."""
        return f"{self.modules[piece]}.{name}"

    def hf_names(self) -> dict[str, tuple[int, str]]:
        """Return, for every Hugging Face name, the piece and the name inside it."""
        return {self.hf_name(piece, name): (piece, name) for piece, names in enumerate(self.shapes) for name in names}

    def check(self, piece: int, found: dict[str, Shape], where: str) -> None:
        """Check that the tensors `found` are those of a piece.

        Raises:
            ModelError: a tensor is missing, surplus or of another shape; names file (`where`) and tensor.
        """
        check_shapes(self.shapes[piece], found, where)


def check_shapes(wanted: dict[str, Shape], found: dict[str, Shape], where: str) -> None:
    """Raise ModelError at the first tensor that is missing, surplus or of another shape."""
    for name in sorted(wanted.keys() | found.keys()):
        if name not in found:
            raise ModelError(f"{where}: tensor {name} with shape {list(wanted[name])} is missing")
        if name not in wanted:
            raise ModelError(f"{where}: tensor {name} is not one of this architecture; check the config.json beside it")
        if found[name] != wanted[name]:
            raise ModelError(
                f"{where}: tensor {name} has shape {list(found[name])}, the configuration says {list(wanted[name])}"
            )


def read_config(folder: Path) -> PreTrainedConfig:
    """Read the `config.json` of a model or checkpoint folder.

    Raises:
        ModelError: there is none, or transformers does not know it.
    """
    try:
        return AutoConfig.from_pretrained(folder, local_files_only=True)
    except (OSError, ValueError) as error:
        raise ModelError(
            f"{folder}: no config.json that transformers can read: {str(error).splitlines()[0]}"
        ) from error


def load_model(folder: str | Path, dtype: torch.dtype) -> PreTrainedModel:
    """Load a causal language model, whole: transformers would fill what is missing with random numbers.

    Raises:
        ModelError: it cannot be read, or a tensor is missing.
    """
    try:
        model, info = AutoModelForCausalLM.from_pretrained(str(folder), dtype=dtype, output_loading_info=True)
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ModelError(f"model={folder}: no causal language model loads from here: {reason}") from error
    if missing := info["missing_keys"]:
        raise ModelError(f"model={folder}: its weights lack {_few(missing)}; copy or convert it again")
    return model


def meta_model(config: PreTrainedConfig) -> PreTrainedModel:
    """Return the causal model of a configuration without memory for its weights.

    Raises:
        ModelError: transformers has no causal language model of this type.
    """
    try:
        with torch.device("meta"):
            return AutoModelForCausalLM.from_config(config)
    except ValueError as error:
        raise ModelError(f"model type {config.model_type}: {str(error).splitlines()[0]}") from error


def piece_map(model: PreTrainedModel) -> PieceMap:
    """Return the mapping of a model (its shapes are enough, see `meta_model`).

    The configuration's `base_model_pp_plan` names embedding, layers and norm.

    Raises:
        ModelError: the architecture has no such plan, or weights that belong to no piece.
    """
    plan = list(getattr(model.config, "base_model_pp_plan", None) or ())
    kind = model.config.model_type
    if "layers" not in plan or plan[0] == "layers" or plan[-1] == "layers":
        raise ModelError(
            f"model type {kind}: transformers has no pipeline plan for it, so it cannot be cut into stages"
        )
    prefix = model.base_model_prefix
    head = _head_name(model)
    layers = model.get_submodule(f"{prefix}.layers")
    modules = (
        f"{prefix}.{plan[0]}",
        *(f"{prefix}.layers.{index}" for index in range(len(layers))),
        f"{prefix}.{plan[-1]}",
        head,
    )
    tied = head + ".weight" in (getattr(model, "all_tied_weights_keys", None) or {})
    shapes = [{name: tuple(t.shape) for name, t in model.get_submodule(m).state_dict().items()} for m in modules]
    if tied:
        shapes[-1] = {}
    mapping = PieceMap(modules, tuple(shapes), tied)
    _refuse_rest(model, mapping, kind)
    return mapping


def _head_name(model: PreTrainedModel) -> str:
    head = model.get_output_embeddings()
    return next(name for name, module in model.named_modules() if module is head)


def _refuse_rest(model: PreTrainedModel, mapping: PieceMap, kind: str) -> None:
    rest = set(model.state_dict()) - set(mapping.hf_names())
    if mapping.tied:
        rest -= {f"{mapping.modules[-1]}.{name}" for name in ("weight",)}
    if rest:
        raise ModelError(f"model type {kind}: {_few(rest)} belong to no piece of a pipeline, so it cannot be cut")


def _few(names: Iterable[str]) -> str:
    ordered = sorted(names)
    return ", ".join(ordered[:3]) + (f" and {len(ordered) - 3} more" if len(ordered) > 3 else "")
