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
    compare: str = key(
        "", "predictions of another system, tested against the first by paired bootstrap", kinds=("predictions",)
    )
    profile: list[str] = key(
        [],
        "columns by the rules that papers used, with their numbers; not comparable with strict",
        choices=("knowcoder-paper", "gollie", "uniner", "iepile"),
    )
    coarse: str = key("", "JSON object of class and coarser class, for a column that compares the latter", foreign=True)
    head_words: str = key("", "spaCy pipeline such as en_core_web_sm, for a column that compares head words")
    seed: int = key(1, "seed of the bootstrap")
