"""Rows of the published training data, and of other prompts and completions, as samples.

Three layouts are read: instruction rows with ``one-stage.zero-shot.prompt`` and ``one-stage.output`` (as in
sft/data/example_data), rows of phase 1 with ``text`` (as in pretrain/feeder.py), and ``prompt`` with ``completion``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from knowcoder.codec.released import TASK_SENTENCES, TRIGGERS
from knowcoder.samples.budget import Draft
from knowcoder.samples.sample import Sample

_TOLD = TRIGGERS.partition("{")[0]
NO_SAMPLE = "neither a prompt with its output nor a text"


def published_drafts(rows: Iterable[tuple[str, Mapping[str, Any]]], rejected: Counter[str]) -> Iterator[Draft]:
    """One draft per row, which cannot be shortened.

    Args:
        rows: (id, row).
        rejected: where rows are counted that hold no sample.
    """
    for id, row in rows:
        sample = _sample(id, row)
        if sample is None:
            rejected[NO_SAMPLE] += 1
        else:
            yield Draft((), lambda negatives, style, sample=sample: sample)  # type: ignore[misc]


def _sample(id: str, row: Mapping[str, Any]) -> Sample | None:
    staged = row.get("one-stage")
    prompt, completion = row.get("prompt"), row.get("completion")
    if isinstance(staged, Mapping):
        shot = staged.get("zero-shot")
        prompt, completion = shot.get("prompt") if isinstance(shot, Mapping) else None, staged.get("output")
    elif "text" in row:
        prompt, completion = "", row["text"]
    if not isinstance(prompt, str) or not isinstance(completion, str) or not completion:
        return None
    return Sample(
        prompt,
        completion,
        str(row.get("kind") or _kind(prompt)),
        str(row.get("id") or id),
        str(row.get("source") or ""),
    )


def _kind(prompt: str) -> str:
    """The task that a published prompt asks for; "text" where it asks for nothing."""
    if not prompt:
        return "text"
    if _TOLD in prompt:
        return "EAE"
    return next((task for task, asked in TASK_SENTENCES.items() if asked in prompt), "other")
