"""The one mapping between a Hugging Face causal LM and the pieces of a pipeline, both ways.

A pipeline of N layers has N + 3 pieces: 00 the embedding, 01 to N the layers, N + 1 the last norm, N + 2 the head. Each
is one file of a pipeline checkpoint; inside it a tensor is named as its module names it (`weight`,
`self_attn.q_proj.weight`), as in the published layout. A head tied to the embedding has no file.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors import SafetensorError
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedConfig, PreTrainedModel
from transformers.core_model_loading import revert_weight_conversion

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
        renamed: the names in files of those tensors that are not called there as in the model.
        recut: names of tensors that stand in files as several or as parts of others.
        computed: patterns of names that older files hold and the architecture computes, such as rotary frequencies.
    """

    modules: tuple[str, ...]
    shapes: tuple[dict[str, Shape], ...]
    tied: bool
    renamed: dict[str, str] = field(default_factory=dict)
    recut: tuple[str, ...] = ()
    computed: tuple[str, ...] = ()

    @property
    def num_layers(self) -> int:
        """Count the decoder layers."""
        return len(self.modules) - 3

    def sizes(self) -> list[int]:
        """Count the parameters of every piece; a tied head has none of its own."""
        return [sum(math.prod(shape) for shape in shapes.values()) for shapes in self.shapes]

    def hf_name(self, piece: int, name: str) -> str:
        """Return the name in the Hugging Face model of tensor `name` of piece number `piece`."""
        return f"{self.modules[piece]}.{name}"

    def file_name(self, piece: int, name: str) -> str:
        """Return the name in the files of a Hugging Face folder of tensor `name` of piece number `piece`."""
        return self.renamed.get(self.hf_name(piece, name), self.hf_name(piece, name))

    def shapes_in_files(self) -> dict[str, Shape]:
        """Return every tensor's shape by its name in the files of a Hugging Face folder, in order of the pieces.

        Raises:
            ModelError: there tensors are cut or joined in another way than in the model.
        """
        if self.recut:
            raise ModelError(
                f"tensors such as {few(self.recut)} stand in the files of this model type in another cut than in the "
                "model, so they cannot be converted one by one"
            )
        return {
            self.file_name(piece, n): shape for piece, names in enumerate(self.shapes) for n, shape in names.items()
        }

    def is_computed(self, name: str) -> bool:
        """Say whether a tensor in a file is none of the weights, but something that the architecture computes."""
        return any(re.search(pattern, name) for pattern in self.computed)


def check_shapes(wanted: dict[str, Shape], found: Mapping[str, torch.Tensor], where: Callable[[str], Path]) -> None:
    """Compare tensors by name with the shapes that they should have; `where` says in which file a tensor stands.

    Raises:
        ModelError: a tensor is missing, surplus or of another shape; names file and tensor.
    """
    for name in sorted(wanted.keys() | found.keys()):
        if name not in found:
            raise ModelError(f"{where(name)}: tensor {name} with shape {list(wanted[name])} is missing")
        if name not in wanted:
            raise ModelError(
                f"{where(name)}: tensor {name} is not one of this architecture; check the config.json beside it"
            )
        if (shape := tuple(found[name].shape)) != wanted[name]:
            raise ModelError(
                f"{where(name)}: tensor {name} has shape {list(shape)}, the configuration says {list(wanted[name])}"
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


def load_model(folder: str | Path, dtype: torch.dtype, **options: object) -> PreTrainedModel:
    """Load a causal language model, whole: transformers would fill what is missing with random numbers.

    Args:
        options: more for `from_pretrained`.

    Raises:
        ModelError: it cannot be read, or a tensor is missing.
    """
    try:
        model, info = AutoModelForCausalLM.from_pretrained(
            str(folder), dtype=dtype, output_loading_info=True, **options
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0]
        raise ModelError(f"model={folder}: no causal language model loads from here: {reason}") from error
    if missing := info["missing_keys"]:
        raise ModelError(f"model={folder}: its weights lack {few(missing)}; copy or convert it again")
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
    mapping = PieceMap(modules, tuple(shapes), tied, *_names_in_files(model), _computed(model))
    _refuse_rest(model, mapping, kind)
    return mapping


def _head_name(model: PreTrainedModel) -> str:
    head = model.get_output_embeddings()
    return next(name for name, module in model.named_modules() if module is head)


def _names_in_files(model: PreTrainedModel) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return what transformers calls those tensors in files that have another name there, and those that it recuts."""
    state = model.state_dict()
    names = {id(tensor): name for name, tensor in state.items()}
    written = revert_weight_conversion(model, state)
    kept = {names[id(tensor)]: name for name, tensor in written.items() if id(tensor) in names}
    return {one: other for one, other in kept.items() if one != other}, tuple(state.keys() - kept.keys())


def _computed(model: PreTrainedModel) -> tuple[str, ...]:
    own = {pattern for part in (model, model.base_model) for pattern in part._keys_to_ignore_on_load_unexpected or ()}
    return (r"rotary_emb\.inv_freq$", *sorted(own))


def _refuse_rest(model: PreTrainedModel, mapping: PieceMap, kind: str) -> None:
    pieces = {mapping.hf_name(piece, name) for piece, names in enumerate(mapping.shapes) for name in names}
    rest = set(model.state_dict()) - pieces
    if mapping.tied:
        rest -= {f"{mapping.modules[-1]}.{name}" for name in ("weight",)}
    if rest:
        raise ModelError(f"model type {kind}: {few(rest)} belong to no piece of a pipeline, so it cannot be cut")


def few(names: Iterable[str]) -> str:
    """Return the first names of many, for a message."""
    ordered = sorted(names)
    return ", ".join(ordered[:3]) + (f" and {len(ordered) - 3} more" if len(ordered) > 3 else "")
