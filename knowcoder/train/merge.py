"""Adapters + base -> one plain model, shard by shard, checked by logits against them unmerged.

The base's weights are mapped from their files. A layer's are in memory as fp32 while the layer is merged or run, so a
model needs no more memory than one layer, the embedding, and a shard of the result.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from accelerate import init_empty_weights
from peft import LoraConfig, PeftModel
from peft.tuners.tuners_utils import BaseTunerLayer
from peft.utils import ModulesToSaveWrapper
from torch import nn
from transformers import AutoModelForCausalLM, PreTrainedModel

from knowcoder.checkpoint.convert import cast, set_dtype
from knowcoder.checkpoint.folder import copy_model_files
from knowcoder.checkpoint.mapping import DTYPES, load_model, read_config
from knowcoder.checkpoint.shards import SHARD_BYTES, save_shards
from knowcoder.checkpoint.weights import hf_tensors
from knowcoder.codec.model_card import MODEL_CARD
from knowcoder.errors import ConfigError, ModelError
from knowcoder.train.adapter import adapter_config, check_base, check_names, load_adapter, saved_name

_FIRST = "default"
_TOLERANCE = 1e-4  # of the largest logit; rounding in fp32 stays a hundred times below
_PROBE = 64


@dataclass(frozen=True)
class Merged:
    """What `merge` made.

    Both differences are the largest change of a logit, relative to the largest logit, from base and adapters unmerged
    in fp32: `difference` of the merged weights in fp32, `rounded` of those in the files.
    """

    parameters: int
    dtype: str
    difference: float
    rounded: float


def merge(
    model_dir: Path,
    adapters: Sequence[Path],
    output_dir: Path,
    dtype: str | None = None,
    weights: Sequence[float] = (),
    shard_bytes: int = SHARD_BYTES,
) -> Merged:
    """Add adapters to their base in fp32 and write the result as safetensors in `dtype`.

    Args:
        model_dir: the base. adapters: what `sft` with an adapter, or plain peft, saved.
        output_dir: an existing folder, or one to make.
        dtype: `fp32`, `bf16` or `fp16`; None keeps the base's.
        weights: what each adapter's change is multiplied with; empty for 1.

    Raises:
        ConfigError: adapters that cannot be added up. ModelError: the base is not an adapter's, or the merged model
        answers differently.
    """
    _check(adapters, weights)
    for adapter in adapters:
        check_base(adapter, model_dir)
    target = DTYPES[dtype] if dtype else read_config(model_dir).dtype or torch.float32
    tensors = _tensors(model_dir)
    model = _adapted(model_dir, adapters, weights or [1.0] * len(adapters))
    _check_found(model, tensors, model_dir, adapters[0])
    unmerged = _logits(model, tensors)
    merged = _logits(model, tensors, merging=True)
    difference = _difference(merged, unmerged)
    if not difference < _TOLERANCE:
        raise ModelError(f"the merged model's logits differ by {difference:.1e} from base and adapter: not written")

    output_dir.mkdir(parents=True, exist_ok=True)
    wanted = {
        name: torch.empty(tensor.shape, dtype=target if tensor.is_floating_point() else tensor.dtype, device="meta")
        for name, tensor in tensors.items()
    }
    save_shards(wanted, lambda name: _result(name, model, tensors, target), output_dir, shard_bytes)
    copy_model_files(model_dir, output_dir)
    set_dtype(output_dir / "config.json", {target})
    if (adapters[0] / MODEL_CARD).is_file():  # it was tuned on prompts of its own style, perhaps not the base's
        shutil.copyfile(adapters[0] / MODEL_CARD, output_dir / MODEL_CARD)

    written = _logits(_skeleton(output_dir), hf_tensors(output_dir))
    expected = merged if target == torch.float32 else _logits(model, tensors, merging=True, rounding=target)
    if not (error := _difference(written, expected)) < _TOLERANCE:
        raise ModelError(f"{output_dir}: what was written has logits that differ by {error:.1e} from the merged model")
    parameters = sum(tensor.numel() for tensor in tensors.values())
    return Merged(parameters, str(target).removeprefix("torch."), difference, _difference(written, unmerged))


def _check(adapters: Sequence[Path], weights: Sequence[float]) -> None:
    if weights and len(weights) != len(adapters):
        raise ConfigError(f"weights={list(weights)}: give one for each of {len(adapters)} adapters")
    cards = [(path / MODEL_CARD).read_bytes() for path in adapters if (path / MODEL_CARD).is_file()]
    if len(set(cards)) > 1:
        raise ConfigError(
            f"adapter={adapters[0]} and others were tuned on prompts of different styles: see {MODEL_CARD}"
        )
    for path in adapters:
        config = adapter_config(path)
        if not isinstance(config, LoraConfig):
            raise ConfigError(f"adapter={path}: is of type {config.peft_type}; LoRA and DoRA are what can be merged")
        if config.bias != "none":
            raise ConfigError(
                f"adapter={path}: trains biases of the base, which are not told apart here: merge it by peft"
            )
        if config.use_dora and (len(adapters) > 1 or set(weights) - {1.0}):
            raise ConfigError(f"adapter={path}: DoRA scales the base's weights, so it is merged alone and whole")


def _tensors(folder: Path) -> dict[str, torch.Tensor]:
    """Return the tensors of a base by the names of its modules: mapped from its files, or in memory where these differ.

    transformers joins what some files have apart, such as the experts of a mixture.
    """
    tensors, model = hf_tensors(folder), _skeleton(folder)
    wanted = model.state_dict().keys() - (getattr(model, "all_tied_weights_keys", None) or {}).keys()
    if wanted <= tensors.keys():
        return tensors
    loaded = load_model(folder, read_config(folder).dtype or torch.float32)
    return {name: tensor for name, tensor in loaded.state_dict().items() if name in wanted}


def _skeleton(folder: Path) -> PreTrainedModel:
    """Return the model of a folder without memory for its weights, in evaluation mode."""
    with init_empty_weights(include_buffers=False):
        return AutoModelForCausalLM.from_config(read_config(folder), dtype=torch.float32).eval()


def _adapted(model_dir: Path, adapters: Sequence[Path], weights: Sequence[float]) -> PreTrainedModel:
    """Return the base without its weights, with adapters that have theirs."""
    names = [_FIRST, *(f"adapter{number}" for number in range(1, len(adapters)))]
    base = _skeleton(model_dir)
    model: PeftModel = load_adapter(base, adapters[0], adapter_name=_FIRST, low_cpu_mem_usage=True)
    for name, path in zip(names[1:], adapters[1:], strict=True):
        model.load_adapter(str(path), adapter_name=name, low_cpu_mem_usage=True)
    for name, path in zip(names, adapters, strict=True):
        _fill(model, name, check_names(path, model, name))
    model.base_model.set_adapter(names, inference_mode=True)
    for layer in model.modules():
        if isinstance(layer, BaseTunerLayer):
            for name, weight in zip(names, weights, strict=True):
                if name in layer.scaling:
                    layer.scaling[name] *= weight
    return model.base_model.model.eval()


def _fill(model: PeftModel, adapter: str, tensors: dict[str, torch.Tensor]) -> None:
    """Give an adapter its weights: peft leaves them where the base's are, which is nowhere."""
    for path, module in model.named_modules():
        for name in list(module._parameters):
            full = f"{path}.{name}"
            if f".{adapter}." in f"{full}." and saved_name(full, adapter) in tensors:
                tensor = tensors[saved_name(full, adapter)].float()
                module._parameters[name] = nn.Parameter(tensor, requires_grad=False)


def _check_found(model: nn.Module, tensors: dict[str, torch.Tensor], model_dir: Path, adapter: Path) -> None:
    for path, layer in model.named_modules():
        if isinstance(layer, BaseTunerLayer | ModulesToSaveWrapper) and f"{path}.weight" not in tensors:
            raise ModelError(f"adapter={adapter} changes {path}, which has no weight of its own in {model_dir}")


def _result(name: str, model: nn.Module, tensors: dict[str, torch.Tensor], target: torch.dtype) -> torch.Tensor:
    """Return a tensor of the merged model."""
    tensor = tensors[name]
    path, _, kind = name.rpartition(".")
    layer = model.get_submodule(path) if kind == "weight" else None
    if isinstance(layer, ModulesToSaveWrapper):
        tensor = layer.modules_to_save[layer.active_adapter].weight.detach()
    elif isinstance(layer, BaseTunerLayer):
        with _loaded(_places(layer, f"{path}."), tensors), _merging(layer):
            tensor = layer.get_base_layer().weight.detach()
    try:
        return cast(tensor, target).contiguous()
    except OverflowError as error:
        raise ModelError(f"tensor {name} of the merged model has numbers too large for {target}; use bf16") from error


_Place = tuple[nn.Module, str, str]  # a module, its parameter, and the name of that in the files


def _places(module: nn.Module, prefix: str, recurse: bool = True) -> list[_Place]:
    """Return the parameters in `module` that are not in memory."""
    found = []
    for path, owner in module.named_modules(prefix=prefix.rstrip(".")) if recurse else [(prefix.rstrip("."), module)]:
        for name, parameter in owner.named_parameters(recurse=False):
            if parameter.is_meta:
                stored = f"{path}.{name}".replace(".base_layer.", ".").replace(".original_module.", ".")
                found.append((owner, name, stored))
    return found


@contextmanager
def _loaded(places: list[_Place], tensors: dict[str, torch.Tensor]) -> Iterator[None]:
    """Hold parameters in memory, in fp32."""
    empty = _load(places, tensors)
    try:
        yield
    finally:
        _unload(places, empty)


def _load(places: list[_Place], tensors: dict[str, torch.Tensor]) -> list[nn.Parameter]:
    empty = []
    for owner, name, stored in places:
        empty.append(owner.get_parameter(name))
        # A copy, since merging changes it and the file's pages are shared.
        owner._parameters[name] = nn.Parameter(tensors[stored].to(torch.float32, copy=True), requires_grad=False)
    return empty


def _unload(places: list[_Place], empty: list[nn.Parameter]) -> None:
    for (owner, name, _), parameter in zip(places, empty, strict=True):
        owner._parameters[name] = parameter


@contextmanager
def _merging(module: nn.Module) -> Iterator[None]:
    """Merge the adapters in `module` into weights that are dropped afterwards."""
    layers = [layer for layer in module.modules() if isinstance(layer, BaseTunerLayer)]
    for layer in layers:
        layer.merge(safe_merge=True)
    try:
        yield
    finally:
        for layer in layers:
            layer.merged_adapters.clear()


@torch.no_grad()
def _logits(
    model: PreTrainedModel,
    tensors: dict[str, torch.Tensor],
    merging: bool = False,
    rounding: torch.dtype = torch.float32,
) -> torch.Tensor:
    """Run a model whose weights stay in their files: a layer's are read when it is reached, and dropped behind it.

    Args:
        merging: run with merged weights. rounding: rounded to this number format.
    """
    for module in model.modules():
        if isinstance(module, ModulesToSaveWrapper):
            module.modules_to_save.to(rounding).float()
    tied = getattr(model, "all_tied_weights_keys", None) or {}
    stored = {name: tensors[source] for name, source in tied.items() if source in tensors and name not in tensors}
    handles = []
    for module, places in _units(model):
        handles += _lend(module, places, tensors | stored, merging, rounding)
    ids = torch.randint(0, model.config.vocab_size, (1, _PROBE), generator=torch.Generator().manual_seed(0))
    try:
        return model(input_ids=ids, use_cache=False).logits.float()
    except KeyError as error:
        raise ModelError(
            f"model={model.config._name_or_path}: its weights lack {error}; copy or convert it again"
        ) from error
    finally:
        for handle in handles:
            handle.remove()


def _units(model: nn.Module) -> Iterator[tuple[nn.Module, list[_Place]]]:
    """Yield the modules that are loaded at a time: whole layers, and what holds weights outside of them."""
    named = dict(model.named_modules())
    layers = {layer for module in named.values() if isinstance(module, nn.ModuleList) for layer in module}
    inside: set[nn.Module] = set()
    for path, module in named.items():
        if module in inside:
            continue
        if module in layers or isinstance(module, BaseTunerLayer):
            inside |= set(module.modules())
            yield module, _places(module, path)
        elif places := _places(module, path, recurse=False):
            yield module, places


def _lend(
    module: nn.Module,
    places: list[_Place],
    tensors: dict[str, torch.Tensor],
    merging: bool,
    rounding: torch.dtype,
) -> list[Any]:
    """Let `module` have its weights, merged or not, while it runs; return how to end that."""
    held = ExitStack()

    def before(*_: Any) -> None:
        held.enter_context(_loaded(places, tensors))
        if merging:
            held.enter_context(_merging(module))
        for owner, name, _stored in places:
            parameter = owner.get_parameter(name)
            parameter.data = parameter.data.to(rounding).float()

    def after(*_: Any) -> None:
        held.close()

    return [module.register_forward_pre_hook(before), module.register_forward_hook(after)]


def _difference(one: torch.Tensor, other: torch.Tensor) -> float:
    return ((one - other).abs().max() / other.abs().max()).item()
