"""Offsets for mentions known by text."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from knowcoder.corpus.alignment import align, occurrences
from knowcoder.corpus.sentence import Annotations, Argument, Event, Mention, Relation


@given(st.text("abc ,", max_size=20), st.text("abc ,", min_size=1, max_size=3))
def test_occurrences_spell_the_piece_and_are_found_when_there(text, piece) -> None:
    found = occurrences(text, piece)
    assert all(text[start : start + len(piece)] == piece for start in found)
    assert bool(found) == (piece in text)
    assert all(later - earlier >= len(piece) for earlier, later in pairwise(found))


def test_whole_words_come_before_parts_of_words() -> None:
    assert occurrences("a cart with art", "art") == [12]
    assert occurrences("a cart", "art") == [3]
    assert occurrences("东京大学在东京", "东京") == [0, 5]


def _starts(*mentions: Mention, text: str) -> list[int | None]:
    return [mention.start for mention in align(Annotations(entities=mentions), text).entities]


def test_the_kth_equal_answer_takes_the_kth_occurrence() -> None:
    person, place = Mention("Human", "Paris"), Mention("City", "Paris")
    assert _starts(person, place, text="Paris left Paris") == [0, 11]
    assert _starts(person, person, person, text="Paris left Paris") == [0, 11, 0]
    assert _starts(person, place, text="Paris left") == [0, 0]
    assert _starts(Mention("Human", "Rome"), Mention("Human", ""), text="Paris") == [None, None]


def test_known_offsets_stay_and_are_taken() -> None:
    assert _starts(Mention("Human", "Bo", 0, 2), Mention("Human", "Bo"), text="Bo and Bo") == [0, 7]


def test_relations_and_arguments_share_a_mention() -> None:
    ana, oslo, rome = Mention("Human", "Ana"), Mention("City", "Oslo"), Mention("City", "Rome")
    found = align(Annotations(relations=(Relation("In", ana, oslo), Relation("In", ana, rome))), "Ana: Oslo, Rome; Ana")
    assert [(r.head.start, r.tail.start) for r in found.relations] == [(0, 5), (0, 11)]
    event = Event("Met", Mention("Met", "met"), (Argument("who", ana), Argument("who", ana)))
    found = align(Annotations(events=(event, event)), "Ana met Ana, who met Bo")
    assert [e.trigger and e.trigger.start for e in found.events] == [4, 17]
    assert [[a.mention.start for a in e.arguments] for e in found.events] == [[0, 8], [0, 8]]
