"""Find where a name from elsewhere stands in a text: as written, or up to case, accents, punctuation, date format."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from knowcoder.corpus.alignment import is_whole, places

Range = tuple[int, int]
"""Start, and end, exclusive."""

_DATE = re.compile(r"(\d\d?) (\w*) (\d{4})")
_SUFFIX = re.compile(r"\s*\([^()]*\)$")


def bare(name: str) -> str:
    """A name without its bracketed part: ``Mercury (planet)`` -> ``Mercury``."""
    return _SUFFIX.sub("", name.strip()) or name.strip()


def as_written(name: str, text: str) -> Iterator[Range]:
    """Yield where a name stands in a text as written, then where it does without a bracketed suffix.

    "Mercury (planet)" is also sought as "Mercury". A match does not run through a word; scripts without spaces have no
    borders of words.
    """
    for form in dict.fromkeys((name.strip(), bare(name))):
        for start in places(text, form):
            if is_whole(text, start, start + len(form)):
                yield start, start + len(form)


def normalised(name: str, folded: str) -> Iterator[Range]:
    """Yield where a name stands in a folded text up to spacing and punctuation; dates in all ways of writing them."""
    for form in (name.strip(), bare(name), *_dates(name.strip())):
        words = re.findall(r"[^\W_]+", fold(form))
        if words:
            for match in re.finditer(r"[\W_]*".join(words), folded):
                if is_whole(folded, *match.span()):
                    yield match.span()


def fold(text: str) -> str:
    """Lower case without accents, character for character, so that offsets stay what they are."""
    if text.isascii():
        return text.lower()
    return "".join(_fold_character(character) for character in text)


def _fold_character(character: str) -> str:
    folded = unicodedata.normalize("NFD", character)[0].lower()
    return folded if len(folded) == 1 else character


def _dates(name: str) -> Iterator[str]:
    """Other spellings of "06 July 1975", and of "00 July 1975" and "00  1975", which are months and years in Wikidata.

    The first of January also stands for a year alone.
    """
    if match := _DATE.fullmatch(name):
        day, month, year = match[1].lstrip("0"), match[2], match[3]
        if day and month:
            yield f"{day} {month} {year}"
            yield f"{month} {day}, {year}"
        elif month:
            yield f"{month} {year}"
        if not month or (day, month) == ("1", "January"):
            yield year
