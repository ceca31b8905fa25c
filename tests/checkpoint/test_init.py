"""The tokenizer that `init` trains: equal to sentencepiece, lossless, and the same for a name wherever it stands."""

from __future__ import annotations

import random
import string
from pathlib import Path

import pytest
import sentencepiece
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig

from knowcoder.checkpoint.init import init_model, is_border, read_model_config, train_tokenizer
from knowcoder.errors import ConfigError, DataError, ModelError

VOCAB_SIZE = 700
_PROMPT = '''class {kind}(Entity):
    """A kind of thing that people talk about.
    Examples: {name}, {other}
    """

class BornIn(Relation):
    """..."""
    head: Human
    tail: City | Village

"""Instantiate the entities."""
sentence = "{name} was born in {other}, near \\"{name}\\", on 3 May 1990."
results = [
    {kind}("{name}"),
    BornIn({kind}("{name}"), Village("{other}")),
]
'''


def random_name(rng: random.Random) -> str:
    words = ["".join(rng.choices(string.ascii_lowercase, k=rng.randint(2, 7))) for _ in range(rng.randint(1, 3))]
    words = [word.capitalize() for word in words]
    if rng.random() < 0.2:
        words.append(str(rng.randint(1, 2000)))
    if rng.random() < 0.2:
        words.insert(1, rng.choice(["of", "de", "-", "&"]))
    return " ".join(words)


def training_texts() -> list[str]:
    rng = random.Random(1)
    names = ["Tolden Bay", "Ada Lovelace", "Kofi Annan", "Marvel"]
    return [
        _PROMPT.format(kind=rng.choice(["Human", "City"]), name=rng.choice(names), other=random_name(rng))
        for _ in range(200)
    ]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("init") / "model"
    made = init_model("tiny-llama", training_texts(), VOCAB_SIZE, 0, path)
    assert made.vocab_size == VOCAB_SIZE
    return path


@pytest.fixture(scope="module")
def slow(folder: Path) -> sentencepiece.SentencePieceProcessor:
    return sentencepiece.SentencePieceProcessor(model_file=str(folder / "tokenizer.model"))


@pytest.fixture(scope="module")
def fast(folder: Path) -> Tokenizer:
    return Tokenizer.from_file(str(folder / "tokenizer.json"))


# U+2581 is sentencepiece's own spelling of a space, the one character that cannot come back; surrogates are not text.
anything = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\u2581"), max_size=60)
code_like = st.lists(
    st.sampled_from(
        ['"', '("', '")', "    ", " ", "\n", "\t", "class", "City", "in", "1990", "é", "</s>", "=", ".", "北"]
    ),
    max_size=20,
).map("".join)


@settings(max_examples=300, deadline=None)
@given(text=anything | code_like)
def test_both_tokenizers_agree_and_lose_nothing(
    text: str, slow: sentencepiece.SentencePieceProcessor, fast: Tokenizer
) -> None:
    ids = fast.encode(text, add_special_tokens=False).ids
    assert ids == slow.encode(text)
    assert fast.decode(ids) == text
    assert not {1, 2, 3} & set(ids), "a special token may never come from text"


def test_a_name_has_the_same_ids_in_text_and_in_the_answer(fast: Tokenizer) -> None:
    rng = random.Random(2)
    for name in [random_name(rng) for _ in range(400)]:
        alone = fast.encode(name, add_special_tokens=False).ids
        for context in (
            "in {}.",
            "in {},",
            '("{}")',
            '["{}", "',
            "{} was",
            "the {}'s",
            '\\"{}\\"',
            '    City("{}"),\n',
            "x {}\n",
        ):
            ids = fast.encode(context.format(name)).ids
            found = any(ids[start : start + len(alone)] == alone for start in range(len(ids)))
            assert found, f"{name!r} in {context!r}: {fast.encode(context.format(name)).tokens}"


def test_no_piece_crosses_a_border(slow: sentencepiece.SentencePieceProcessor) -> None:
    for index in range(slow.get_piece_size()):
        if slow.is_control(index) or slow.is_byte(index) or slow.is_unknown(index):
            continue
        piece = slow.id_to_piece(index).replace("\u2581", " ")
        assert not any(is_border(piece, cut) for cut in range(1, len(piece))), piece


def test_code_is_short(fast: Tokenizer) -> None:
    assert {'("', '"),', "▁▁▁▁", "class"} <= set(fast.get_vocab())
    assert set(string.ascii_letters + string.digits) <= set(fast.get_vocab())


def test_plain_transformers_load_the_folder(folder: Path, slow: sentencepiece.SentencePieceProcessor) -> None:
    tokenizer = AutoTokenizer.from_pretrained(folder, use_fast=True)
    text = 'sentence = "Ada </s> was born."\n'
    ids = tokenizer(text)["input_ids"]
    assert ids == [1, *slow.encode(text)], "BOS stands before a text by itself"
    assert tokenizer.decode([*ids, tokenizer.eos_token_id], skip_special_tokens=True) == text
    assert (tokenizer.unk_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id, tokenizer.pad_token_id) == (
        0,
        1,
        2,
        3,
    )
    model = AutoModelForCausalLM.from_pretrained(folder)
    assert model.config.vocab_size == len(tokenizer) == VOCAB_SIZE
    assert model.dtype == torch.float32
    assert (model.config.bos_token_id, model.config.eos_token_id, model.config.pad_token_id) == (1, 2, 3)
    assert (folder / "model.safetensors").is_file()


def test_a_given_tokenizer_and_config(folder: Path, tmp_path: Path) -> None:
    LlamaConfig(hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2).save_pretrained(
        tmp_path
    )
    made = init_model(str(tmp_path), folder, 704, 3, tmp_path / "a")
    init_model(str(tmp_path), folder, 704, 3, tmp_path / "b")
    init_model(str(tmp_path), folder, 704, 4, tmp_path / "c")
    assert (made.vocab_size, made.texts) == (704, 0)
    a, b, c = (AutoModelForCausalLM.from_pretrained(tmp_path / name).state_dict() for name in "abc")
    assert all(torch.equal(a[name], b[name]) for name in a)
    assert not torch.equal(a["lm_head.weight"], c["lm_head.weight"])
    again = AutoTokenizer.from_pretrained(tmp_path / "a")
    assert again("City of </s>")["input_ids"] == AutoTokenizer.from_pretrained(folder)("City of </s>")["input_ids"]


def test_training_a_tokenizer_is_deterministic() -> None:
    assert train_tokenizer(training_texts(), VOCAB_SIZE) == train_tokenizer(training_texts(), VOCAB_SIZE)


def test_errors_name_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="tiny-llama"):
        read_model_config("tiny-lama")
    (tmp_path / "odd.yaml").write_text("model_type: llama\nhiden_size: 3\n")
    with pytest.raises(ConfigError, match="hiden_size"):
        read_model_config(str(tmp_path / "odd.yaml"))
    (tmp_path / "no.yaml").write_text("hidden_size: 3\n")
    with pytest.raises(ConfigError, match="model_type"):
        read_model_config(str(tmp_path / "no.yaml"))
    with pytest.raises(DataError, match="no text"):
        train_tokenizer([], VOCAB_SIZE)
    with pytest.raises(ConfigError, match="vocab_size=50"):
        train_tokenizer(training_texts(), 50)
    with pytest.raises(ConfigError, match="vocab_size=5000"):
        train_tokenizer(["only this"], 5000)
    with pytest.raises(ModelError, match="tokenizer"):
        init_model("tiny-llama", tmp_path / "nothing", None, 0, tmp_path / "out")
