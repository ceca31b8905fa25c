"""``knowcoder.json`` in a model folder: the language that the model was trained to read and write."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from knowcoder import jsonl
from knowcoder.schema.render import Style

MODEL_CARD = "knowcoder.json"
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelCard:
    """How a model wants to be asked.

    Attributes:
        style: how schemas and answers are written.
        wrapper: what stands around a prompt (a ``WrapperKind``).
        tagged: whether the instruction names the data set that a sentence is from.
        max_length: tokens of the longest sample trained, prompt and answer; None where it is not known.
    """

    style: Style = field(default_factory=Style)
    wrapper: Literal["plain", "published", "chat"] = "plain"
    tagged: bool = False
    max_length: int | None = None

    @classmethod
    def load(cls, folder: str | Path) -> ModelCard:
        """Read a model folder's card; the defaults, with a warning, where it has none.

        Raises:
            DataError: the file is malformed.
        """
        path = Path(folder) / MODEL_CARD
        if not path.exists():
            _logger.warning("%s: no %s, so the default style and wrapper are taken", folder, MODEL_CARD)
            return cls()
        card: ModelCard = jsonl.read_json(path, cls)
        return card

    def save(self, folder: str | Path) -> None:
        """Write the card into a model folder."""
        jsonl.write_json(Path(folder) / MODEL_CARD, self)
