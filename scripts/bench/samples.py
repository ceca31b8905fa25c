"""How fast training samples are built, beside the least that any builder must do: write the finished strings as JSON.

    python scripts/bench/samples.py

Following samples of the demonstration world, all four tasks, one process, without token counting.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

from measure import show, side_by_side, world

from knowcoder import jsonl
from knowcoder.samples.following import following_drafts
from knowcoder.samples.negatives import NegativeSampling
from knowcoder.samples.sample import Sample
from knowcoder.schema.concepts import TASKS
from knowcoder.schema.render import Style

SENTENCES = 4000


def main() -> None:
    sentences, library, labels = world(SENTENCES)

    def build() -> Iterator[Sample]:
        for draft in following_drafts(sentences, labels, library, TASKS, NegativeSampling(), seed=1):
            yield draft.write(draft.negatives, Style())

    finished = list(build())
    characters = sum(len(sample.prompt) + len(sample.completion) for sample in finished)
    print(f"{len(finished):,} samples of {characters / len(finished):,.0f} characters on average")
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "samples.jsonl"
        seconds = side_by_side(
            {
                "encode and write finished strings": lambda: jsonl.write(target, finished),
                "build samples": lambda: sum(1 for _ in build()),
                "build, encode and write": lambda: jsonl.write(target, build()),
            }
        )
    show(seconds, len(finished), "encode and write finished strings", "samples")


if __name__ == "__main__":
    main()
