"""Find where a name from elsewhere stands in a text: as written, or up to case, accents, punctuation, date format."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from typing import Literal

Found = tuple[int, int, Literal["exact", "normalised"]]
"""Start, end (exclusive), how it was found."""

_DATE = re.compile(r"(\d\d?) (\w+) (\d{4})")
_SUFFIX = re.compile(r"\s*\([^()]*\)$")


def search(name: str, text: str) -> Iterator[Found]:
    """Yield where a name stands in a text, the best match first; a match begins and ends at word borders.

    First as written, then with a bracketed suffix removed ("Mercury (planet)"), then up to case, accents,
    spacing and punctuation, then, for dates, in the other ways of writing them.
    """
    name = name.strip()
    if not name:
        return
    bare = _SUFFIX.sub("", name) or name
    for form in dict.fromkeys((name, bare)):
        for match in re.finditer(_bordered(re.escape(form)), text):
            yield match.start(), match.end(), "exact"
    folded = fold(text)
    for form in (name, bare, *_dates(name)):
        words = re.findall(r"\w+", fold(form))
        if words:
            for match in re.finditer(_bordered(r"[\W_]*".join(words)), folded):
                yield match.start(), match.end(), "normalised"


def fold(text: str) -> str:
    """Lower case without accents, character for character, so that offsets stay what they are."""
    return "".join(_fold_character(character) for character in text)


def _fold_character(character: str) -> str:
    folded = unicodedata.normalize("NFD", character)[0].lower()
    return folded if len(folded) == 1 else character


def _bordered(pattern: str) -> str:
    return rf"(?<!\w){pattern}(?!\w)"


def _dates(name: str) -> Iterator[str]:
    """Other spellings of "06 July 1975"; the first of January also stands for a year alone, as in Wikidata."""
    if match := _DATE.fullmatch(name):
        day, month, year = match[1].lstrip("0"), match[2], match[3]
        yield f"{day} {month} {year}"
        yield f"{month} {day}, {year}"
        if (day, month) == ("1", "January"):
            yield year
