"""Long texts are asked piece by piece, and what is found gets the offsets of the whole text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from msgspec.structs import replace

from knowcoder.corpus.sentence import Annotations, Mention

Cut = Literal["whole", "sentence", "window"]
# The end of a sentence, with the quotes and brackets that close behind it. A full stop before a small letter is none.
_END = re.compile("[.!?…]+[\"'”’)\\]]*(?=\\s+[^\\sa-z])|[。！？]+[”’」』）]*|\n")


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a text, and where it begins."""

    text: str
    start: int = 0


def cut(text: str, how: Cut, window: int) -> list[Piece]:
    """The pieces of a text, without the white space around them; at least one, however short the text is.

    Args:
        how: the whole text; sentence by sentence; or as many whole sentences as a window has room for.
        window: characters of a piece at most; a longer sentence is cut, between words where it has any.
    """
    if how == "whole":
        return [Piece(text)]
    ranges = list(_sentences(text))
    if how == "window":
        ranges = list(_filled([part for found in ranges for part in _shortened(text, *found, window)], window))
    return [Piece(text[start:end], start) for start, end in ranges] or [Piece(text)]


def _sentences(text: str) -> Iterator[tuple[int, int]]:
    begin = 0
    for end in [*(match.end() for match in _END.finditer(text)), len(text)]:
        yield from _visible(text, begin, end)
        begin = end


def _visible(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    """The range without white space around it, if anything is left."""
    part = text[start:end]
    if part.strip():
        yield start + len(part) - len(part.lstrip()), start + len(part.rstrip())


def _shortened(text: str, start: int, end: int, window: int) -> Iterator[tuple[int, int]]:
    while end - start > window:
        space = next((place for place in range(start + window, start, -1) if text[place].isspace()), start + window)
        yield from _visible(text, start, space)
        start = space
    yield from _visible(text, start, end)


def _filled(ranges: list[tuple[int, int]], window: int) -> Iterator[tuple[int, int]]:
    """Neighbours put together as long as they fit."""
    whole: tuple[int, int] | None = None
    for start, end in ranges:
        if whole and end - whole[0] <= window:
            whole = (whole[0], end)
            continue
        if whole:
            yield whole
        whole = (start, end)
    if whole:
        yield whole


def triggers_in(piece: Piece, triggers: tuple[Mention, ...]) -> tuple[Mention, ...]:
    """The triggers that stand in a piece, with offsets into it; one without offsets stands wherever its text does."""
    end = piece.start + len(piece.text)
    return tuple(
        _moved(trigger, -piece.start)
        for trigger in triggers
        if (
            trigger.text in piece.text
            if trigger.start is None or trigger.end is None
            else piece.start <= trigger.start and trigger.end <= end
        )
    )


def moved(annotations: Annotations, by: int) -> Annotations:
    """Annotations of a piece that begins at ``by``, with the offsets of the whole text."""
    return annotations.mapped(lambda mention: _moved(mention, by)) if by else annotations


def _moved(mention: Mention, by: int) -> Mention:
    if mention.start is None or mention.end is None:
        return mention
    return replace(mention, start=mention.start + by, end=mention.end + by)
