"""What the benchmarks share: the world that they work on, and times taken side by side."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

from knowcoder.corpus.sentence import LabelSet, Sentence
from knowcoder.schema.library import SchemaLibrary
from knowcoder.world.generate import generate_world


def world(sentences: int) -> tuple[list[Sentence], SchemaLibrary, dict[str, LabelSet]]:
    """The demonstration world: its sentences, its library, and the label set of its one source."""
    made = generate_world(1, sentences, test_sentences=0, dev_sentences=0)
    library = SchemaLibrary(tuple(made.entities), tuple(made.relations), tuple(made.events))
    labels = LabelSet(
        entities=library.names("entity"), relations=library.names("relation"), events=library.names("event")
    )
    return made.train, library, {"world": labels}


def side_by_side(works: dict[str, Callable[[], object]], rounds: int = 5) -> dict[str, float]:
    """Seconds of processor time of each work: the best of several rounds, in which they take turns."""
    best = dict.fromkeys(works, float("inf"))
    for _ in range(rounds):
        for name, work in works.items():
            gc.collect()
            start = time.process_time()
            work()
            best[name] = min(best[name], time.process_time() - start)
    return best


def show(seconds: dict[str, float], count: int, of: str, unit: str) -> None:
    """Print rates, and each as a ratio to the rate of ``of``."""
    for name, spent in seconds.items():
        print(f"{name:<40} {count / spent:>12,.0f} {unit}/s   {seconds[of] / spent:6.3f} of '{of}'")
