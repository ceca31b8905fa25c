"""Keys of `enrich`."""

from __future__ import annotations

from dataclasses import dataclass, field

from knowcoder.config.common import OutputConfig
from knowcoder.config.keys import MISSING, key


@dataclass
class HintsConfig:
    """When the entity types that fill a slot become its type hints."""

    threshold: float = key(0.05, "share of a slot's fillers that a type needs to count", unit="share")
    width: int = key(
        3, "types in a union, at most; a wider one is lifted to lowest common ancestors", unit="types", least=1
    )


@dataclass
class DescribeConfig:
    """The language model that writes missing descriptions."""

    url: str = key(
        "",
        "OpenAI-compatible server, such as http://localhost:8000/v1, with its key in OPENAI_API_KEY if it needs one; "
        "empty asks for no descriptions",
    )
    model: str = key("", "the model's name there")
    api: str = key(
        "chat", "what the server is asked for: /chat/completions or /completions", choices=("chat", "completion")
    )
    max_tokens: int = key(80, "longest answer", unit="tokens", least=1)
    concurrency: int = key(8, "prompts at a time", unit="prompts", least=1)
    retries: int = key(6, "times that a prompt is sent again where the server is away, busy or broken", unit="times")
    cache: str = key("", "file of answers, by hash of prompt; empty for OUTPUT.answers.jsonl")


@dataclass
class EnrichConfig(OutputConfig):
    schema: str = key(MISSING, "library to enrich", kinds=("schema",))
    corpus: str = key("", "annotated sentences, for examples and type hints", kinds=("corpus",))
    exclude: list[str] = key([], "corpora whose dev and test mentions must not be examples", kinds=("corpus",))
    examples: int = key(10, "examples kept per type, at most", unit="examples")
    hints: HintsConfig = field(default_factory=HintsConfig, metadata={"help": "see below"})
    describe: DescribeConfig = field(default_factory=DescribeConfig, metadata={"help": "see below"})
