"""Keys of `predict` and `extract`."""

from __future__ import annotations

from dataclasses import dataclass

from knowcoder.config.common import TASK_NAMES, LongConfig
from knowcoder.config.keys import MISSING, key


@dataclass
class PredictConfig(LongConfig):
    model: str = key("", "model to ask; not for method=dictionary", foreign=True, kinds=("model",))
    method: str = key(
        "model",
        "the model; as baselines, the same model with random weights, or a dictionary of the training mentions",
        choices=("model", "random", "dictionary"),
    )
    schema: str = key(MISSING, "schema library", kinds=("schema",))
    corpus: str = key(MISSING, "sentences; every one is offered the whole label set of its source", kinds=("corpus",))
    split: str = key("test", "split of the corpus")
    training_split: str = key("train", "method=dictionary: split that mentions are learnt from")
    tasks: list[str] = key(["NER", "RE", "ED", "EAE"], "tasks to predict", choices=TASK_NAMES)
    decoding: str = key(
        "auto", "constrained by a grammar where the engine can, or free", choices=("auto", "constrained", "free")
    )
    classes_per_prompt: int = key(0, "classes offered at a time; 0 offers as many as fit", unit="classes")
    max_new_tokens: int = key(640, "longest answer", unit="tokens", least=1)
    max_items: int = key(32, "objects in one answer under a grammar, at most", unit="objects", least=1)
    batch_size: int = key(32, "prompts at a time", unit="prompts", least=1)
    limit: int = key(0, "sentences to predict, 0 for all", unit="sentences")


@dataclass
class ExtractConfig:
    model: str = key(MISSING, "model folder", foreign=True, kinds=("model",))
    schema: str = key(MISSING, "schema library", kinds=("schema",))
    text: str = key(MISSING, "what to extract from")
    classes: list[str] = key([], "class names to look for; empty takes the whole library")
    decoding: str = key("auto", "constrained by a grammar, or free", choices=("auto", "constrained", "free"))
