"""Documents of a packed row do not see each other, under the model's own attention and under ours."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import pytest
import torch
from transformers import PreTrainedModel
from transformers.utils import is_flash_attn_2_available

from knowcoder.checkpoint.mapping import load_model
from knowcoder.train.attention import use_flat_attention, use_packed_attention
from knowcoder.train.rows import PackedRows
from tests.packed import save_packed
from tests.small_models import save_small_model

CHOSEN = [0, 1, 2, 3]


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> PackedRows:
    return PackedRows(save_packed(tmp_path_factory.mktemp("data"), max_length=64))


@pytest.fixture(params=["own attention", "packed attention"])
def packed(request: pytest.FixtureRequest) -> bool:
    return bool(request.param == "packed attention")


def model_of(folder: Path, model_type: str, packed: bool) -> PreTrainedModel:
    model = load_model(save_small_model(folder, model_type, initializer_range=0.2), torch.float32).eval()
    assert use_packed_attention(model) if packed else model.config._attn_implementation == "sdpa"
    return model


def documents(rows: PackedRows, index: int) -> list[tuple[int, int]]:
    ids, positions, _ = rows.row(index)
    return list(pairwise([*(positions == 0).nonzero()[0].tolist(), len(ids)]))


@torch.no_grad()
def logits(model: PreTrainedModel, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    return model(input_ids=batch["input_ids"], position_ids=batch["position_ids"], use_cache=False).logits


@pytest.mark.parametrize("model_type", ["llama", "qwen3", "gemma"])
def test_packed_logits_are_those_of_each_document_alone(
    model_type: str, packed: bool, rows: PackedRows, tmp_path: Path
) -> None:
    model = model_of(tmp_path, model_type, packed)
    batch = rows.batch(CHOSEN)
    whole = logits(model, batch)
    alone = load_model(tmp_path, torch.float32).eval()
    for place, index in enumerate(CHOSEN):
        for start, end in documents(rows, index):
            with torch.no_grad():
                expected = alone(batch["input_ids"][place : place + 1, start:end]).logits[0]
            assert (whole[place, start:end] - expected).abs().max() < 1e-5
    assert sum(len(documents(rows, index)) for index in CHOSEN) > len(CHOSEN)


def test_another_document_and_padding_change_nothing(packed: bool, rows: PackedRows, tmp_path: Path) -> None:
    model = model_of(tmp_path, "llama", packed)
    batch = rows.batch(CHOSEN)
    place = next(place for place, index in enumerate(CHOSEN) if len(documents(rows, index)) > 1)
    (start, end), length = documents(rows, CHOSEN[place])[1], len(rows.row(CHOSEN[place])[0])
    assert length < rows.max_length
    changed = batch["input_ids"].clone()
    changed[place, start:end] = (changed[place, start:end] + 7) % 90 + 3
    changed[place, length:] = 5
    before, after = logits(model, batch), logits(model, batch | {"input_ids": changed})
    same = (before == after).all(-1)
    assert not same[place, start:end].any()
    same[place, start:end] = same[place, length:] = True
    assert same.all()


def test_attention_that_is_not_plainly_causal_is_left_alone(tmp_path: Path) -> None:
    model = load_model(save_small_model(tmp_path, "mistral", sliding_window=6), torch.float32)
    assert not use_packed_attention(model)
    assert model.config._attn_implementation == "sdpa"


def test_gradients_are_those_of_documents_alone(packed: bool, rows: PackedRows, tmp_path: Path) -> None:
    """A document's loss reaches no token of another, and the weights get what all documents give alone."""
    model = model_of(tmp_path, "qwen3", packed)
    alone = load_model(tmp_path, torch.float32).eval()
    batch = rows.batch(CHOSEN)
    embedded = model.get_input_embeddings()(batch["input_ids"]).detach().requires_grad_()
    output = model(inputs_embeds=embedded, position_ids=batch["position_ids"], use_cache=False).logits
    total = torch.zeros(())
    for place, index in enumerate(CHOSEN):
        for start, end in documents(rows, index):
            own = output[place, start:end].square().sum()
            total = total + own
            reached = torch.autograd.grad(own, embedded, retain_graph=True)[0].any(-1)
            assert reached[place, start:end].all()
            assert reached.sum() == end - start
            ids = batch["input_ids"][place : place + 1, start:end]
            alone(ids).logits.square().sum().backward()
    total.backward()
    expected = {name: p.grad for name, p in alone.model.layers.named_parameters()}
    for name, parameter in model.model.layers.named_parameters():
        assert (parameter.grad - expected[name]).abs().max() <= 1e-5 * expected[name].abs().max(), name


@pytest.mark.skipif(
    not (torch.cuda.is_available() and is_flash_attn_2_available()), reason="FlashAttention needs a GPU and its package"
)
def test_rows_one_behind_the_other_under_flash_attention(rows: PackedRows, tmp_path: Path) -> None:
    model = load_model(save_small_model(tmp_path, "llama", initializer_range=0.2), torch.bfloat16).cuda().eval()
    batch = {name: value.cuda() for name, value in rows.batch(CHOSEN).items()}
    expected = logits(model, batch)
    assert use_flat_attention(model, "cuda", half=True)
    behind = {name: batch[name].view(1, -1) for name in ("input_ids", "position_ids")}
    found = logits(model, behind).view_as(expected)
    for place, index in enumerate(CHOSEN):
        length = len(rows.row(index)[0])
        difference = (found[place, :length] - expected[place, :length]).abs().max()
        assert difference < 0.05 * expected.abs().max()
