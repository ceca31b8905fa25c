"""Keys of `score`."""

from __future__ import annotations

from dataclasses import dataclass

from knowcoder.config.common import OutputConfig
from knowcoder.config.keys import MISSING, key


@dataclass
class ScoreConfig(OutputConfig):
    predictions: list[str] = key(
        MISSING, "predictions; the first is the headline, others stand beside it", kinds=("predictions",)
    )
    gold: str = key(MISSING, "annotated sentences", kinds=("corpus",))
    schema: str = key(MISSING, "schema library", kinds=("schema",))
    split: str = key("test", "split of the corpus")
    limit: int = key(0, "sentences that were predicted, 0 for all", unit="sentences")
    seed: int = key(1, "seed of the bootstrap")
