"""``predictions.jsonl`` as it grows: a line for each (sentence, task), so that a killed run can go on."""

from __future__ import annotations

from pathlib import Path
from types import TracebackType
from typing import BinaryIO

import msgspec

from knowcoder import jsonl
from knowcoder.schema.concepts import Task
from knowcoder.score.prediction import Prediction

PREDICTIONS = "predictions.jsonl"


class Journal:
    """Appends predictions and knows those that are there already. A context manager.

    A line that a killed run left half-written is cut off. ``counts`` covers all lines, whichever run wrote them:
    predictions, those with problems, mentions that do not stand in the text, and generated tokens.
    """

    def __init__(self, directory: str | Path) -> None:
        self.path = Path(directory) / PREDICTIONS
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.done: set[tuple[str, Task]] = set()
        self.counts = {"predictions": 0, "with problems": 0, "mentions not in the text": 0, "tokens": 0}
        if self.path.exists():
            _cut_half_line(self.path)
            for line in jsonl.read(self.path, Prediction):
                self._count(line)
        self._encoder = msgspec.json.Encoder()
        self._file: BinaryIO | None = None

    def __enter__(self) -> Journal:
        self._file = open(self.path, "ab")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._file
        self._file.close()

    def write(self, prediction: Prediction) -> None:
        """Append one whole line."""
        assert self._file
        self._file.write(self._encoder.encode(prediction) + b"\n")
        self._file.flush()
        self._count(prediction)

    def _count(self, prediction: Prediction) -> None:
        self.done.add((prediction.id, prediction.task))
        self.counts["predictions"] += 1
        self.counts["with problems"] += bool(prediction.problems)
        self.counts["mentions not in the text"] += sum(m.start is None for m in prediction.annotations.mentions())
        self.counts["tokens"] += sum(answer.tokens for answer in prediction.answers)


def _cut_half_line(path: Path) -> None:
    data = path.read_bytes()
    if data and not data.endswith(b"\n"):
        with open(path, "r+b") as file:
            file.truncate(data.rfind(b"\n") + 1)
