"""Keys of `corpus`."""

from __future__ import annotations

from dataclasses import dataclass

from knowcoder.config.common import OutputConfig
from knowcoder.config.keys import Names, key


@dataclass
class CorpusConfig(OutputConfig):
    output: str = key("", "folder to write; not needed where the stage only prints")
    benchmark: Names = key([], "names in configs/benchmark, or YAML files like those; without any, format says it")
    train_on_dev: Names = key([], "benchmarks whose development text becomes training text")
    format: str = key("columns", "family of format of INPUT", choices=("columns", "triples"))
    input: str = key("", "file or folder to read", foreign=True)
    source: str = key("corpus", "name of the data set, for a file that is no benchmark")
    split: str = key("train", "split that the file becomes, for a file that is no benchmark")
    language: str = key("en", "language of the text")
    schema: str = key("", "triples: library with their relations", kinds=("schema",))
    separator: str = key("\t", "columns: what stands between columns")
    token_column: int = key(0, "columns: index of the token", least=None)
    tag_column: int = key(-1, "columns: index of the tag", least=None)
    scheme: str = key("BIO", "columns: tagging scheme", choices=("BIO", "IO", "IOB1", "BILOU", "BMES"))
    joiner: str = key(" ", "columns: what stands between tokens in the text; empty for characters")
    list: bool = key(False, "print the benchmarks that are known, and stop")
