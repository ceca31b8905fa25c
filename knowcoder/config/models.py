"""Keys of `init`, `convert` and `merge`."""

from __future__ import annotations

from dataclasses import dataclass

from knowcoder.config.common import OutputConfig
from knowcoder.config.keys import MISSING, key


@dataclass
class InitConfig(OutputConfig):
    config: str = key("tiny-llama", "architecture: a name in configs/model, or a folder with config.json")
    schema: str = key("", "library whose code the tokenizer is trained on", kinds=("schema",))
    corpus: list[str] = key([], "sentences that the tokenizer is trained on", kinds=("corpus",))
    sentences: int = key(3000, "sentences taken from each corpus, at most", unit="sentences")
    vocab_size: int = key(2048, "size of the vocabulary to train", unit="pieces", least=1)
    tokenizer: str = key("", "take this tokenizer instead of training one", foreign=True, kinds=("model",))
    seed: int = key(1, "seed of the weights")


@dataclass
class ConvertConfig(OutputConfig):
    to: str = key(MISSING, "direction", choices=("pipeline", "hf"))
    model: str = key("", "to=pipeline: Hugging Face model folder", foreign=True, kinds=("model",))
    checkpoint: str = key("", "to=hf: pipeline checkpoint", foreign=True, kinds=("pretrain", "checkpoint"))
    dtype: str = key(
        "", "number format of the result; empty keeps every tensor's", choices=("", "fp32", "bf16", "fp16")
    )
    verify: bool = key(False, "compare every tensor with what it was made of, and logits if memory allows")


@dataclass
class MergeConfig(OutputConfig):
    model: str = key(MISSING, "base model", foreign=True, kinds=("model",))
    adapter: list[str] = key(MISSING, "adapters made by sft, or by peft", foreign=True, kinds=("adapter",))
    weights: list[float] = key([], "how much of each adapter is added; empty takes them whole", least=None)
    dtype: str = key("", "number format of the result; empty keeps the base's", choices=("", "fp32", "bf16", "fp16"))
