"""Instructions as conversations: a text, then a question for each entity type and the list that answers it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

import msgspec

from knowcoder.config.corpus import DialogueKeys, EntityKeys, LayoutConfig, SpanKeys
from knowcoder.corpus.paths import items_at, value_at
from knowcoder.corpus.reading import Unusable
from knowcoder.corpus.records import Numbered


def layout_of_dialogue(layout: LayoutConfig) -> LayoutConfig:
    """The layout of the records that ``told_as_records`` makes."""
    return LayoutConfig(
        format="records",
        records=replace(layout.records, text="text"),
        spans=SpanKeys(),
        entities=EntityKeys(at="entities"),
    )


def told_as_records(records: Iterable[Numbered], keys: DialogueKeys) -> Iterator[Numbered]:
    """Conversations as a text with its entities; an ``Unusable`` stands for one that gives no text."""
    for line, record in records:
        yield line, record if isinstance(record, Unusable) else _told(record, keys)


def _told(record: Any, keys: DialogueKeys) -> Any:
    turns = [value_at(item.value, keys.said) for item in items_at(record, keys.turns)]
    said = [turn for turn in turns if isinstance(turn, str)]
    texts = [match for turn in said if (match := re.fullmatch(keys.text, turn))]
    if not texts:
        return Unusable("no turn gives the text", str(said)[:80])
    asked = [(match["type"], answer) for turn, answer in pairwise(said) if (match := re.fullmatch(keys.question, turn))]
    entities = [{"type": kind, **mention} for kind, answer in asked for mention in _mentions(answer)]
    return {"text": texts[0]["text"], "entities": entities}


def _mentions(answer: str) -> Iterator[dict[str, Any]]:
    try:
        yield from ({"text": mention} for mention in msgspec.json.decode(answer, type=list[str]))
    except (msgspec.DecodeError, msgspec.ValidationError):
        yield {"start": answer}  # no number, so it is rejected and shown
