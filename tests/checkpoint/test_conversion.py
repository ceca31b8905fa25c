"""A conversion keeps number formats or changes them as asked, looks for room, needs no memory, and verifies itself."""

from __future__ import annotations

import re
import resource
import shutil
import threading
from collections import namedtuple
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from knowcoder import artefact, cli
from knowcoder.checkpoint.checksums import read_checksums
from knowcoder.checkpoint.convert import to_hf, to_pipeline
from knowcoder.checkpoint.mapping import meta_model, read_config
from knowcoder.checkpoint.verify import verify
from knowcoder.errors import ArtefactError, ModelError
from tests.small_models import save_small_model, small_config

UP = "model.layers.1.mlp.up_proj.weight"


@pytest.fixture
def source(tmp_path: Path) -> Path:
    return save_small_model(tmp_path / "model")


def test_the_number_format_is_changed_as_asked(source: Path, tmp_path: Path) -> None:
    before = load_file(source / "model.safetensors")
    to_pipeline(source, tmp_path / "pipeline", dtype="bf16")
    assert verify(source, tmp_path / "pipeline", "bf16").logits == "equal"
    made = to_hf(tmp_path / "pipeline", tmp_path / "back", dtype="fp32")
    after = load_file(tmp_path / "back" / "model.safetensors")
    assert all(torch.equal(before[name].bfloat16().float(), after[name]) for name in before)
    assert made.dtypes == ["torch.float32"]
    assert not list(tmp_path.rglob(".scratch"))
    said = [read_config(tmp_path / folder).dtype for folder in ("pipeline", "back")]
    assert said == [torch.bfloat16, torch.float32]


def test_a_number_that_the_format_does_not_hold_is_named(source: Path, tmp_path: Path) -> None:
    state = load_file(source / "model.safetensors")
    state[UP][3, 4] = 1e6
    save_file(state, source / "model.safetensors")
    with pytest.raises(ModelError, match=rf"model\.safetensors: tensor {UP} has numbers too large"):
        to_pipeline(source, tmp_path / "pipeline", dtype="fp16")


def test_what_is_no_number_is_kept_bit_by_bit(source: Path, tmp_path: Path) -> None:
    state = load_file(source / "model.safetensors")
    state[UP].view(torch.int32)[0, :3] = torch.tensor([0x7FC00001, -1, 0x7F800000], dtype=torch.int32)
    save_file(state, source / "model.safetensors", {"format": "pt"})
    to_pipeline(source, tmp_path / "pipeline")
    to_hf(tmp_path / "pipeline", tmp_path / "back")
    assert (tmp_path / "back" / "model.safetensors").read_bytes() == (source / "model.safetensors").read_bytes()
    assert verify(source, tmp_path / "back").logits == "equal"


def test_both_forms_of_a_model_have_the_same_checksums(source: Path, tmp_path: Path) -> None:
    to_pipeline(source, tmp_path / "pipeline")
    to_hf(tmp_path / "pipeline", tmp_path / "back")
    there = read_checksums(tmp_path / "pipeline" / "step0")
    assert there == read_checksums(tmp_path / "back")
    assert there.keys() == load_file(source / "model.safetensors").keys()


@pytest.mark.parametrize("tied", [False, True])
def test_a_tensor_that_differs_is_found_by_verify(tmp_path: Path, tied: bool) -> None:
    source = save_small_model(tmp_path / "model", tie_word_embeddings=tied)
    to_pipeline(source, tmp_path / "pipeline")
    file = tmp_path / "pipeline" / "step0" / "layer_02-model_states.pt"
    state = torch.load(file, weights_only=True)
    state["mlp.up_proj.weight"][1, 2] += 1e-6
    torch.save(state, file)
    with pytest.raises(ModelError, match=rf"layer_02-model_states\.pt: tensor {UP} differs from .*model\.safetensors"):
        verify(source, tmp_path / "pipeline")


def test_room_is_looked_for_first(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(1, 1, 1000))
    with pytest.raises(ArtefactError, match=r"the result takes 0\.0 GB"):
        to_pipeline(source, tmp_path / "pipeline")
    assert not list((tmp_path / "pipeline").iterdir())


@pytest.mark.parametrize("change", [to_pipeline, to_hf])
def test_a_file_that_cannot_be_written_is_named(source: Path, tmp_path: Path, change: object) -> None:
    to_pipeline(source, tmp_path / "pipeline")
    function, given, file = {
        to_pipeline: (to_pipeline, source, "layer_00"),
        to_hf: (to_hf, tmp_path / "pipeline", "model.safetensors"),
    }[change]
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8000, before[1]))
    try:
        with pytest.raises(ModelError, match=rf"{file}.*: cannot be written"):
            function(given, tmp_path / "again")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_files_of_tokenizers_are_carried_whatever_they_are_called(source: Path, tmp_path: Path) -> None:
    carried = {"tokenizer.json", "spiece.model", "vocab.txt", "qwen.tiktoken", "generation_config.json", "chat.jinja"}
    for name in carried | {"training_args.bin", "notes.txt"}:
        (source / name).write_text(name)
    to_pipeline(source, tmp_path / "pipeline")
    to_hf(tmp_path / "pipeline", tmp_path / "back")
    found = {path.name for path in (tmp_path / "back").iterdir()}
    assert found - {"config.json", "checksums.json", "model.safetensors", "knowcoder.json"} == carried


def test_the_verb_converts_casts_and_verifies(source: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["convert", "to=pipeline", f"model={source}", f"output={tmp_path}/pipeline", "dtype=bf16", "verify=true"]
    assert cli.main(words) == 0
    facts = artefact.require(tmp_path / "pipeline", "checkpoint", key="checkpoint").facts
    assert facts["verified"] == {"tensors": facts["tensors"], "logits": "equal"}
    assert facts["content"].startswith("xxh3_128:")
    assert "verified:" in capsys.readouterr().out


def anonymous_memory() -> int:
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"RssAnon:\s+(\d+)", status)[1]) * 1024  # type: ignore[index]


@pytest.mark.parametrize("dtype", ["", "fp32"])
def test_memory_does_not_grow_with_the_model(tmp_path: Path, dtype: str) -> None:
    config = small_config("llama", hidden_size=512, intermediate_size=1024, num_hidden_layers=32, vocab_size=4096)
    config.save_pretrained(tmp_path / "model")
    state = {name: torch.zeros(t.shape, dtype=torch.bfloat16) for name, t in meta_model(config).state_dict().items()}
    largest, size = (function(t.nbytes for t in state.values()) for function in (max, sum))
    save_file(state, tmp_path / "model" / "model.safetensors", {"format": "pt"})
    del state
    peak, before, done = [0], anonymous_memory(), threading.Event()

    def watch() -> None:
        while not done.wait(0.002):
            peak[0] = max(peak[0], anonymous_memory())

    thread = threading.Thread(target=watch)
    thread.start()
    to_pipeline(tmp_path / "model", tmp_path / "pipeline", dtype)
    to_hf(tmp_path / "pipeline", tmp_path / "back")
    done.set()
    thread.join()
    assert size > 100e6 > 10 * largest
    assert peak[0] - before < largest + 30e6
