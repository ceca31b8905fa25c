"""Keys of `samples` and `pack`."""

from __future__ import annotations

from dataclasses import dataclass, field

from knowcoder.config.common import TASK_NAMES, OutputConfig, StyleConfig
from knowcoder.config.keys import MISSING, key


@dataclass
class SamplesConfig(OutputConfig):
    phase: str = key(MISSING, "which training it is for", choices=("understanding", "following", "refinement"))
    schema: str = key(MISSING, "schema library", kinds=("schema",))
    corpus: str = key("", "annotated sentences", kinds=("corpus",))
    split: str = key("train", "split of the corpus")
    tasks: list[str] = key(["NER", "RE", "ED", "EAE"], "tasks to build samples for", choices=TASK_NAMES)
    tokenizer: str = key(MISSING, "model folder whose tokenizer counts tokens", foreign=True, kinds=("model",))
    wrapper: str = key("plain", "what stands around a prompt", choices=("plain", "published", "chat"))
    max_length: int = key(2048, "budget of a sample: prompt, completion and end", unit="tokens", least=1)
    style: StyleConfig = field(default_factory=StyleConfig, metadata={"help": "see below"})
    passes: int = key(
        1, "understanding: times that every concept is defined; following: passes over the corpus", least=1
    )
    negatives: float = key(0.2, "following: other classes offered, per gold class, rounded up (paper, 3.2.2)")
    fully_negative: float = key(0.05, "following: share of sentences offered only classes that they do not have")
    fully_negative_classes: int = key(5, "following: classes offered to those", unit="classes")
    whole: float = key(0.0, "following: share of samples that are offered the whole label set, as at prediction")
    seed: int = key(1, "seed of negatives and order")


@dataclass
class PackConfig(OutputConfig):
    samples: list[str] = key(MISSING, "samples to pack together", kinds=("samples",))
    tokenizer: str = key(MISSING, "model folder with the tokenizer", foreign=True, kinds=("model",))
    max_length: int = key(2048, "length of a row", unit="tokens", least=1)
