"""Keys of `world` and `schema`."""

from __future__ import annotations

from dataclasses import dataclass

from knowcoder.config.common import LongConfig, OutputConfig
from knowcoder.config.keys import key


@dataclass
class WorldConfig(OutputConfig):
    seed: int = key(1, "seed of names, facts and sentences")
    sentences: int = key(20000, "training sentences", unit="sentences")
    test_sentences: int = key(400, "held-out sentences, a quarter in each cell of seen and unseen", unit="sentences")


@dataclass
class SchemaConfig(LongConfig):
    output: str = key("", "folder to write; not needed where the stage only prints")
    source: str = key("json", "what INPUT is", choices=("wikidata", "kgtk", "python", "json"))
    input: str = key("", "file or folder to read", foreign=True)
    benchmark: list[str] = key([], "take the types of these benchmarks (names in configs/benchmark, or YAML files)")
    language: str = key("en", "language of labels and descriptions")
    other_languages: list[str] = key(
        [], "wikidata: languages whose labels are aliases too, and stand in, in this order, where LANGUAGE has none"
    )
    ids: str = key("", "wikidata: keep the classes and properties that this file names, an id a line", foreign=True)
    facts: str = key("", "wikidata: keep the classes in these facts (facts.jsonl)", kinds=("schema",), foreign=True)
    min_instances: int = key(0, "wikidata: keep the classes that have as many instances", unit="instances")
    min_role: int = key(1, "wikidata: statements with a qualifier that make it a role", unit="statements", least=1)
    workers: int = key(1, "wikidata: processes that read the dump", unit="processes", least=1)
    show: str = key("", "print what has this name, id, label or alias in a library (schema=DIR) instead of writing")
    stats: bool = key(False, "print how many types a library (schema=DIR) has, by kind and depth, instead of writing")
    schema: str = key("", "library that show and stats look in", kinds=("schema",))
    merge: list[str] = key([], "libraries to unite with this one, whose names and hints stay", kinds=("schema",))
    only_for: list[str] = key(
        [], "corpora: keep the types that they offer, with all that those inherit from and name", kinds=("corpus",)
    )
