"""Searching for names: a place holds the name, equal mentions take places in turn."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from knowcoder.corpus.locate import Locator
from knowcoder.corpus.search import as_written, fold, normalised

TEXT = st.text(st.sampled_from("aAéb .-("), max_size=20)


def test_statuses() -> None:
    locator = Locator("Ada met Ada; Érdi left in July 1975.")
    assert locator.next("Ada", "x") == ((0, 3), "ambiguous")
    assert locator.next("Ada", "x") == ((8, 11), "ambiguous")
    assert locator.next("Ada", "x") is None
    assert locator.next("Ada", "y") == ((0, 3), "ambiguous")
    assert locator.next("erdi", "x") == ((13, 17), "normalised")
    assert locator.next("00 July 1975", "x") == ((26, 35), "normalised")
    assert locator.next("met (verb)", "x") == ((4, 7), "exact")
    assert locator.next("ad", "x") is None
    assert locator.apart_from("Ada", (0, 3)) == ((8, 11), "ambiguous")
    assert locator.nearest("Ada", 9) == (8, 11)


@given(TEXT, TEXT)
def test_a_place_as_written_holds_the_name(name: str, text: str) -> None:
    for start, end in as_written(name, text):
        assert text[start:end]
        assert text[start:end] in name


@given(TEXT)
def test_folding_keeps_offsets(text: str) -> None:
    assert len(fold(text)) == len(text)
    assert fold(fold(text)) == fold(text)


@given(st.text(max_size=12))
def test_a_name_with_a_letter_is_found_in_itself(name: str) -> None:
    if any(character.isalnum() for character in fold(name.strip())) and "(" not in name:
        assert next(normalised(name, fold(name)), None) is not None
