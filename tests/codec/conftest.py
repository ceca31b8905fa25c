"""Tiny tokenizers of the kinds that models have: byte-level BPE, of Chinese too, and sentencepiece with bytes."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

TEXTS = [
    'results = [\n    Human("Ada Lovelace"),\n    BornIn(Human("Ada"), City("London")),\n]',
    'results = [\n\tAttack(trigger = "bombed", attacker = [Entity("the rebels")]),\n]',
]


CHINESE = ['results = [\n    城市("北京"),\n]', "北京的城市很大，他说“好”。北京很大。"]


def byte_level(texts: Sequence[str] = TEXTS) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        special_tokens=["<s>", "</s>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([*texts] * 4, trainer)
    return tokenizer


def sentencepiece_style() -> Tokenizer:
    """As Llama 2 has it: a space before the first word, unknown characters as bytes."""
    bytes_ = [f"<0x{byte:02X}>" for byte in range(256)]
    pieces = ["<s>", "</s>", "<unk>", *bytes_, "▁", *'abdeilnoprstuAHL"()=[],', "▁r", "re"]
    vocab = {piece: number for number, piece in enumerate(pieces)}
    merges = [("▁", "r"), ("r", "e")]
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=merges, unk_token="<unk>", byte_fallback=True, fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.decoder = decoders.Sequence(
        [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), decoders.Strip(" ", 1, 0)]
    )
    tokenizer.add_special_tokens(["<s>", "</s>", "<unk>"])
    return tokenizer


TOKENIZERS = {
    "byte-level": byte_level,
    "chinese": lambda: byte_level(CHINESE),  # tokens of several characters, and of parts of one
    "sentencepiece": sentencepiece_style,
}


@pytest.fixture(scope="session", params=sorted(TOKENIZERS))
def tokenizer(request: pytest.FixtureRequest) -> Tokenizer:
    """BOS is token 0, EOS token 1."""
    return TOKENIZERS[request.param]()
