"""Rules that finish an answer: what a type's class methods do to its mentions (KnowCoder, section 2.1, appendix C).

A library names each rule, with what it is told, in one text: ``cut_at:such as``, ``append:star``,
``drop_pronouns``. In Python source a class method calls the rule::

    @classmethod
    def cut_at(cls, mention: str, after: str) -> str | None:
        return rules.cut_at(mention, after, "such as")

Source is read, never run: only the functions of this module finish answers. Each takes a mention and the text
that follows it in the sentence, and returns the mention to keep, which begins where the given one begins; None
leaves the mention out.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from knowcoder.errors import DataError

_NUMBER = re.compile(r"\d+([.,]\d+)?|one|two|three|four|five|six|seven|eight|nine|ten", re.I)
_PRONOUNS = re.compile(
    r"i|me|my|mine|myself|you|your|yours|yourself|yourselves|he|him|his|himself|she|her|hers|herself|it|its|itself|"
    r"we|us|our|ours|ourselves|they|them|their|theirs|themselves|who|whom|whose|which|that|this|these|those",
    re.I,
)


def cut_at(mention: str, after: str, phrase: str) -> str | None:
    """Keep what stands before a phrase: "ships such as ferries" -> "ships" at "such as"."""
    found = re.search(rf"(?<!\w){_spaced(phrase)}(?!\w)", mention, re.I)
    kept = mention[: found.start()].rstrip(" \t\r\n,;:(") if found else mention
    return kept if kept.strip() else mention


def append(mention: str, after: str, word: str) -> str | None:
    """Add a word that follows a bare number: "4" before " star hotel" -> "4 star" with "star"."""
    found = re.match(rf"[\s-]*{_spaced(word)}(?!\w)", after, re.I)
    return mention + found[0] if found and _NUMBER.fullmatch(mention) else mention


def drop_pronouns(mention: str, after: str) -> str | None:
    """Leave out English pronouns: "they" -> None."""
    return None if _PRONOUNS.fullmatch(mention) else mention


_TOLD: dict[str, Callable[[str, str, str], str | None]] = {"cut_at": cut_at, "append": append}
_PLAIN: dict[str, Callable[[str, str], str | None]] = {"drop_pronouns": drop_pronouns}


def apply(rule: str, mention: str, after: str) -> str | None:
    """What a rule of a library makes of a mention."""
    name, _, told = rule.partition(":")
    return _PLAIN[name](mention, after) if name in _PLAIN else _TOLD[name](mention, after, told)


def check(rule: str) -> None:
    """Raise where a text is not a rule.

    Raises:
        DataError: there is no such rule, or what it is told is missing or too much.
    """
    name, _, told = rule.partition(":")
    if name in _TOLD and told.strip() == told != "":
        return
    if rule not in _PLAIN:
        known = ", ".join([*(f"{name}:TEXT" for name in _TOLD), *_PLAIN])
        raise DataError(f"{rule!r} is no rule; the rules are {known}")


def _spaced(phrase: str) -> str:
    """A pattern of a phrase with any white space between its words."""
    return r"\s+".join(map(re.escape, phrase.split()))
