"""Keys of `world` and `schema`."""

from __future__ import annotations

from dataclasses import dataclass

from knowcoder.config.common import OutputConfig
from knowcoder.config.keys import key


@dataclass
class WorldConfig(OutputConfig):
    seed: int = key(1, "seed of names, facts and sentences")
    sentences: int = key(20000, "training sentences", unit="sentences")
    test_sentences: int = key(400, "held-out sentences, a quarter in each cell of seen and unseen", unit="sentences")


@dataclass
class SchemaConfig(OutputConfig):
    output: str = key("", "folder to write; not needed where the stage only prints")
    source: str = key("json", "what INPUT is", choices=("wikidata", "kgtk", "python", "json"))
    input: str = key("", "file or folder to read", foreign=True)
    benchmark: list[str] = key([], "take the types of these benchmarks (names in configs/benchmark, or YAML files)")
    language: str = key("en", "language of labels and descriptions")
    show: str = key("", "print the concept of this name in an existing library (schema=DIR) instead of writing")
    schema: str = key("", "library that show looks in", kinds=("schema",))
    merge: list[str] = key([], "libraries to unite with this one, whose names and hints stay", kinds=("schema",))
    only_for: list[str] = key(
        [], "corpora: keep the types that they offer, with all that those inherit from and name", kinds=("corpus",)
    )
