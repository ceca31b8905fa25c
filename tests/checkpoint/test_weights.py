"""Weights are read from every form that Hugging Face models come in; what is wrong is named by file and tensor."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from knowcoder.checkpoint.convert import to_hf, to_pipeline
from knowcoder.checkpoint.shards import save_shards
from knowcoder.errors import ModelError
from tests.small_models import save_small_model

UP = "model.layers.1.mlp.up_proj.weight"
INDEX = "model.safetensors.index.json"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return save_small_model(tmp_path / "model")


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return {name: t for path in folder.glob("*.safetensors") for name, t in load_file(path).items()}


def as_bin(folder: Path, files: int, **more: torch.Tensor) -> None:
    """Write the weights of a folder as `.bin`, in one file or in several under a table."""
    state = weights(folder) | more
    (folder / "model.safetensors").unlink()
    if files == 1:
        torch.save(state, folder / "pytorch_model.bin")
        return
    place = {name: f"pytorch_model-{number % files + 1:05d}-of-{files:05d}.bin" for number, name in enumerate(state)}
    for file in set(place.values()):
        torch.save({name: state[name] for name in place if place[name] == file}, folder / file)
    (folder / "pytorch_model.bin.index.json").write_text(json.dumps({"weight_map": place}))


def in_shards(folder: Path, back: Path) -> Path:
    """Write a model again, cut into several files."""
    to_pipeline(folder, back.parent / "cut")
    to_hf(back.parent / "cut", back, shard_bytes=20_000)
    (back / "checksums.json").unlink()
    return back


def refused(folder: Path, output: Path, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        to_pipeline(folder, output)


@pytest.mark.parametrize("files", [1, 3])
def test_bin_files_are_read(source: Path, tmp_path: Path, files: int) -> None:
    before = weights(source)
    as_bin(source, files)
    to_pipeline(source, tmp_path / "pipeline")
    to_hf(tmp_path / "pipeline", tmp_path / "back")
    after = weights(tmp_path / "back")
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_views_in_a_bin_file_are_written_as_they_look(source: Path, tmp_path: Path) -> None:
    """A transposed tensor, and one that is a part of a larger one, as torch.save keeps them."""
    name, (rows, columns) = UP, weights(source)[UP].shape
    large = torch.randn(rows + 5, columns)
    as_bin(source, 1, **{name: large[5:], "model.layers.2.mlp.up_proj.weight": torch.randn(columns, rows).T})
    before = torch.load(source / "pytorch_model.bin", weights_only=True)
    to_pipeline(source, tmp_path / "pipeline")
    layer = tmp_path / "pipeline" / "step0" / "layer_02-model_states.pt"
    assert torch.equal(torch.load(layer, weights_only=True)["mlp.up_proj.weight"], before[name])
    assert layer.stat().st_size < 1.2 * sum(t.nbytes for n, t in before.items() if ".layers.1." in n) + 4096
    to_hf(tmp_path / "pipeline", tmp_path / "back")
    assert all(torch.equal(before[n], t) for n, t in weights(tmp_path / "back").items())


def test_a_bin_file_cannot_run_code(source: Path, tmp_path: Path) -> None:
    (source / "model.safetensors").unlink()
    torch.save({"weight": Path("x")}, source / "pytorch_model.bin")
    refused(source, tmp_path / "pipeline", r"pytorch_model\.bin: cannot be read")


def test_frequencies_that_older_files_hold_are_left_out(source: Path, tmp_path: Path) -> None:
    as_bin(source, 1, **{"model.layers.0.self_attn.rotary_emb.inv_freq": torch.ones(4)})
    to_pipeline(source, tmp_path / "pipeline")
    state = torch.load(tmp_path / "pipeline" / "step0" / "layer_01-model_states.pt", weights_only=True)
    assert not [name for name in state if "rotary" in name]


def test_a_missing_tensor_is_named(source: Path, tmp_path: Path) -> None:
    state = weights(source)
    del state[UP]
    save_file(state, source / "model.safetensors")
    refused(source, tmp_path / "pipeline", rf"model\.safetensors: tensor {UP} .*is missing")


def test_a_surplus_tensor_is_named(source: Path, tmp_path: Path) -> None:
    save_file(weights(source) | {"model.other": torch.ones(1)}, source / "model.safetensors")
    refused(source, tmp_path / "pipeline", r"model\.safetensors: tensor model\.other is not one of this architecture")


def test_a_tensor_of_another_shape_is_named(source: Path, tmp_path: Path) -> None:
    state = weights(source)
    save_file(state | {UP: state[UP][:-1].contiguous()}, source / "model.safetensors")
    refused(source, tmp_path / "pipeline", rf"model\.safetensors: tensor {UP} has shape \[47, 32\]")


def test_a_torn_file_and_the_tensors_that_it_cuts_off_are_named(source: Path, tmp_path: Path) -> None:
    file = source / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-10])
    refused(source, tmp_path / "pipeline", r"model\.safetensors: cannot be read.*cuts off model\.norm\.weight$")


def test_a_torn_layer_file_and_its_tensors_are_named(source: Path, tmp_path: Path) -> None:
    to_pipeline(source, tmp_path / "pipeline")
    file = tmp_path / "pipeline" / "step0" / "layer_02-model_states.pt"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(ModelError, match=r"layer_02-model_states\.pt: cannot be read.*input_layernorm\.weight, mlp"):
        to_hf(tmp_path / "pipeline", tmp_path / "back")


@pytest.mark.parametrize("to", ["hf", "pipeline"])
def test_a_flipped_bit_is_found_in_its_tensor(source: Path, tmp_path: Path, to: str) -> None:
    to_pipeline(source, tmp_path / "pipeline")
    to_hf(tmp_path / "pipeline", tmp_path / "back")
    file, change = {
        "hf": (tmp_path / "pipeline" / "step0" / "layer_02-model_states.pt", to_hf),
        "pipeline": (tmp_path / "back" / "model.safetensors", to_pipeline),
    }[to]
    content = bytearray(file.read_bytes())
    content[content.index(weights(source)[UP].numpy().tobytes()) + 17] ^= 1
    file.write_bytes(content)
    with pytest.raises(ModelError, match=rf"{file.name}: tensor {UP} is not what its checksum says"):
        change(tmp_path / ("pipeline" if to == "hf" else "back"), tmp_path / "again")


def test_a_tensor_in_two_files_is_named(source: Path, tmp_path: Path) -> None:
    cut = in_shards(source, tmp_path / "shards")
    first, second = sorted(cut.glob("model-*.safetensors"))[:2]
    name, tensor = next(iter(load_file(first).items()))
    save_file(load_file(second) | {name: tensor}, second)
    refused(cut, tmp_path / "pipeline", rf"{second.name}: tensor {name} stands in {first.name} too")


def test_the_file_of_a_missing_tensor_is_named(source: Path, tmp_path: Path) -> None:
    cut = in_shards(source, tmp_path / "shards")
    file = json.loads((cut / INDEX).read_text())["weight_map"][UP]
    state = load_file(cut / file)
    del state[UP]
    save_file(state, cut / file)
    refused(cut, tmp_path / "pipeline", rf"{file}: tensor {UP} .*is missing")
    (cut / file).unlink()
    refused(cut, tmp_path / "other", rf"{file}: is missing; {INDEX} says that tensor")


def test_files_beside_the_table_are_not_weights(source: Path, tmp_path: Path) -> None:
    """Some models are published in a second form in the same folder."""
    cut = in_shards(source, tmp_path / "shards")
    save_file({"layers.0.w": torch.ones(1)}, cut / "consolidated.safetensors")
    to_pipeline(cut, tmp_path / "pipeline")


def test_a_folder_without_weights_is_refused(source: Path, tmp_path: Path) -> None:
    (source / "model.safetensors").unlink()
    refused(source, tmp_path / "pipeline", "holds no weights: neither model.safetensors nor")


@given(
    st.dictionaries(
        st.text(st.sampled_from('ab.é"\\'), min_size=1, max_size=6),
        st.tuples(
            st.sampled_from([torch.float32, torch.bfloat16, torch.int64, torch.uint8]),
            st.lists(st.integers(0, 3), max_size=3),
        ),
        min_size=1,
        max_size=6,
    )
)
def test_our_safetensors_are_theirs(
    tmp_path_factory: pytest.TempPathFactory, drawn: dict[str, tuple[torch.dtype, list[int]]]
) -> None:
    """Byte by byte what the library writes, which needs all tensors at once."""
    folder: Path = tmp_path_factory.mktemp("shards")
    state = {name: torch.randint(0, 9, shape).to(dtype) for name, (dtype, shape) in drawn.items()}
    save_shards({name: tensor.to("meta") for name, tensor in state.items()}, state.__getitem__, folder)
    save_file(state, folder / "theirs", {"format": "pt"})
    assert (folder / "model.safetensors").read_bytes() == (folder / "theirs").read_bytes()
