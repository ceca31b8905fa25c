"""Keys of `predict` and `extract`."""

from __future__ import annotations

from dataclasses import dataclass, field

from knowcoder.config.common import TASK_NAMES, LongConfig
from knowcoder.config.keys import MISSING, key


@dataclass
class ServerConfig:
    """engine=openai: the server that holds the model; model= names the folder with its tokenizer."""

    url: str = key("", "address, such as http://localhost:8000/v1; with its key in OPENAI_API_KEY if it needs one")
    model: str = key("", "the model's name there; empty for the path given as model=")
    api: str = key(
        "completion",
        "what the server is asked for: /completions, or /chat/completions for models trained with wrapper=chat",
        choices=("completion", "chat"),
    )
    concurrency: int = key(16, "prompts at a time", unit="prompts", least=1)
    retries: int = key(6, "times that a prompt is sent again where the server is away, busy or broken", unit="times")


@dataclass
class PredictConfig(LongConfig):
    model: str = key("", "model to ask; not for method=dictionary", foreign=True, kinds=("model",))
    method: str = key(
        "model",
        "the model; as baselines, the same model with random weights, or a dictionary of the training mentions",
        choices=("model", "random", "dictionary"),
    )
    engine: str = key(
        "hf",
        "what runs the model: transformers, a server, or vLLM where this is installed in its environment",
        choices=("hf", "openai", "vllm"),
    )
    server: ServerConfig = field(default_factory=ServerConfig, metadata={"help": "see below"})
    schema: str = key(MISSING, "schema library", kinds=("schema",))
    corpus: str = key(MISSING, "sentences; every one is offered the whole label set of its source", kinds=("corpus",))
    split: str = key("test", "split of the corpus")
    training_split: str = key("train", "split of demonstrations, and of mentions for method=dictionary")
    tasks: list[str] = key(
        ["NER", "RE", "ED", "EAE"],
        "tasks to predict; EE finds events with their arguments at once and counts for ED and EAE",
        choices=(*TASK_NAMES, "EE"),
    )
    triggers: str = key(
        "gold",
        "what EAE is told: gold, or what ED found here (extraction from end to end)",
        choices=("gold", "predicted"),
    )
    decoding: str = key(
        "auto", "constrained by a grammar where the engine can, or free", choices=("auto", "constrained", "free")
    )
    classes_per_prompt: int = key(0, "classes offered at a time; 0 offers as many as fit", unit="classes")
    retrieve: int = key(
        0, "offer only the classes nearest to the text by their words (BM25); 0 offers all", unit="classes"
    )
    shots: int = key(0, "demonstrations in every prompt, at most", unit="sentences")
    shots_from: str = key(
        "first", "demonstrations: first, random or nearest of training_split", choices=("first", "random", "nearest")
    )
    seed: int = key(1, "seed of shots_from=random")
    pieces: str = key(
        "whole",
        "long texts: asked whole, by sentence, or by as many sentences as a window has room for",
        choices=("whole", "sentence", "window"),
    )
    window: int = key(1000, "pieces=window: longest piece", unit="characters", least=1)
    max_new_tokens: int = key(640, "longest answer; at most half of the model's context", unit="tokens", least=1)
    max_items: int = key(32, "objects in one answer under a grammar, at most", unit="objects", least=1)
    batch_size: int = key(32, "engine=hf: prompts at a time", unit="prompts", least=1)
    limit: int = key(0, "sentences to predict, 0 for all", unit="sentences")
    shard: str = key("", "i/n predicts every n-th sentence from the i-th on, for job arrays")
    parts: list[str] = key([], "predictions of all shards, to be joined; nothing is asked", kinds=("predictions",))


@dataclass
class ExtractConfig:
    model: str = key(MISSING, "model folder", foreign=True, kinds=("model",))
    schema: str = key(MISSING, "schema library", kinds=("schema",))
    text: str = key("", "what to extract from; without it, standard input is read, a text a line")
    classes: list[str] = key([], "class names to look for; empty takes the whole library")
    retrieve: int = key(
        0, "offer only the classes nearest to the text by their words (BM25); 0 offers all", unit="classes"
    )
    decoding: str = key("auto", "constrained by a grammar, or free", choices=("auto", "constrained", "free"))
    pieces: str = key(
        "whole",
        "long texts: asked whole, by sentence, or by as many sentences as a window has room for",
        choices=("whole", "sentence", "window"),
    )
    window: int = key(1000, "pieces=window: longest piece", unit="characters", least=1)
    max_new_tokens: int = key(640, "longest answer; at most half of the model's context", unit="tokens", least=1)
