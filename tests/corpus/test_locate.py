"""Searching for names: a place holds the name, equal mentions take places in turn."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from knowcoder.corpus.alignment import align
from knowcoder.corpus.locate import Locator, alignment_of
from knowcoder.corpus.search import as_written, fold, normalised
from knowcoder.corpus.sentence import Annotations, Argument, Event, Mention, Relation

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


def test_every_mention_of_an_answer_has_a_status() -> None:
    text = "Ada met Ada; Érdi left."
    ada, erdi, rome = (Mention("Human", name) for name in ("Ada", "erdi", "Rome"))
    met, left = Mention("Met", "met"), Mention("Left", "left", 18, 22)
    found = Annotations(
        (ada, Mention("Human", "Érdi")),
        (Relation("Knows", erdi, rome),),
        (Event("Met", met, (Argument("who", ada),)), Event("Left", left)),
    )
    aligned = align(found, text)
    expected = ("ambiguous", "exact", "normalised", "not found", "exact", "ambiguous", "exact")
    assert alignment_of(aligned, text) == expected
    told = (Mention("Human", "Ada", 0, 3), Mention("Human", "Rome"))  # what is told without a place is sought
    assert alignment_of(aligned, text, told) == ("exact", "exact", "normalised", "not found", "exact", "exact", "exact")


@given(st.lists(st.builds(Mention, st.just("T"), TEXT), max_size=4), TEXT)
def test_what_has_offsets_is_exact_or_ambiguous(mentions: list[Mention], text: str) -> None:
    found = align(Annotations(tuple(mentions)), text)
    for mention, status in zip(found.mentions(), alignment_of(found, text), strict=True):
        assert (mention.start is not None) == (status in ("exact", "ambiguous"))
        assert (status == "exact") <= (text.count(mention.text) >= 1)
