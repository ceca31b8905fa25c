"""BRAT standoff: a text file, and beside it a file of entities, relations and events with character offsets."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

from knowcoder.config.corpus import EntityKeys, EventKeys, LayoutConfig, RelationKeys, SpanKeys
from knowcoder.corpus.reading import Unusable
from knowcoder.errors import DataError


def layout_of_brat(layout: LayoutConfig) -> LayoutConfig:
    """The layout of the records that ``read_document`` makes.

    Their lists are called as BRAT's lines begin: ``T``, ``R`` and ``E``. Relations and events count as annotated where
    ``relations.at`` and ``events.at`` say so.
    """
    return LayoutConfig(
        format="records",
        records=replace(layout.records, text="text"),
        spans=SpanKeys(),
        entities=EntityKeys(at="T"),
        relations=RelationKeys(at=layout.relations.at),
        events=EventKeys(at=layout.events.at, filler="filler"),
    )


def read_document(path: Path) -> dict[str, Any]:
    """The record of an ``.ann`` file and of the ``.txt`` file beside it.

    Raises:
        DataError: a file is missing or is not UTF-8, or a line of a kind that is read is malformed.
    """
    try:
        with open(path.with_suffix(".txt"), encoding="utf-8", newline="") as file:
            text = file.read()
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: {error}; BRAT needs NAME.txt and NAME.ann in UTF-8") from error
    entities: dict[str, dict[str, Any]] = {}
    relations, events = [], []
    for number, line in enumerate(lines, 1):
        try:
            id, _, said = line.rstrip("\r").partition("\t")
            if id in entities:
                raise ValueError(f"{id} stands twice")
            if id[:1] == "T":
                entities[id] = {"id": id, **_entity(said, text)}
            elif id[:1] == "R":
                kind, *arguments = said.split()
                relations.append({"type": kind, **dict(zip(("head", "tail"), map(_filler, arguments), strict=True))})
            elif id[:1] == "E":
                events.append(_event(said))
        except ValueError as error:
            raise DataError(f"{path}:{number}: {error}; the line is {line!r}") from error
    triggers = {event["trigger"] for event in events}
    for event in events:
        event["trigger"] = entities.get(event["trigger"], Unusable("trigger of no entity", event["trigger"]))
        event["arguments"] = [{**argument, "filler": _no_event(argument["filler"])} for argument in event["arguments"]]
    return {
        "text": text,
        "T": [entity for id, entity in entities.items() if id not in triggers],
        "R": relations,
        "E": events,
    }


def _entity(said: str, text: str) -> dict[str, Any]:
    """Type and offsets, of several pieces where they are parted by ``;``."""
    described, _, mention = said.partition("\t")
    kind, _, offsets = described.partition(" ")
    pieces = [tuple(map(int, piece.split())) for piece in offsets.split(";")]
    (start, end), *more = pieces
    if more:
        return {"type": kind, "start": [start for start, _ in pieces], "end": [end for _, end in pieces]}
    if text[start:end].split() == mention.split():  # a line break in the text is a space in the annotation
        return {"type": kind, "start": start, "end": end}
    return {"type": kind, "start": start, "end": end, "text": mention}


def _event(said: str) -> dict[str, Any]:
    """``Type:T1 Role:T2 Role2:T3``: a number at the end of a role tells it from an equal one."""
    (kind, trigger), *arguments = (part.split(":", 1) for part in said.split())
    roles = Counter(role for role, _ in arguments)
    named = [(role if (plain := role.rstrip("0123456789")) not in roles else plain, id) for role, id in arguments]
    return {"type": kind, "trigger": trigger, "arguments": [{"role": role, "filler": id} for role, id in named]}


def _filler(argument: str) -> str:
    return argument.partition(":")[2]


def _no_event(id: str) -> str | Unusable:
    return Unusable("event within an event", id) if id.startswith("E") else id
