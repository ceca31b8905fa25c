"""One training sample: text in, text out. Tokens come later, in `pack`."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sample:
    """A bare prompt (empty in phase 1) and the completion that is trained.

    ``kind`` says what it teaches ("definition", "instance", or a task); ``id`` names where it came from, ``source``
    the data set of its sentence, where it has one.
    """

    prompt: str
    completion: str
    kind: str
    id: str
    source: str = ""
