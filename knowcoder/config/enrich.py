"""Keys of `enrich`."""

from __future__ import annotations

from dataclasses import dataclass

from knowcoder.config.common import OutputConfig
from knowcoder.config.keys import MISSING, key


@dataclass
class EnrichConfig(OutputConfig):
    schema: str = key(MISSING, "library to enrich", kinds=("schema",))
    corpus: str = key(MISSING, "annotated sentences", kinds=("corpus",))
    exclude: list[str] = key([], "corpora whose dev and test mentions must not become examples", kinds=("corpus",))
    examples: int = key(10, "examples kept per type, at most", unit="examples")
