"""Pieces hold all that is visible in a text, and offsets come back to the whole."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowcoder.corpus.sentence import Annotations, Argument, Event, Mention, Relation
from knowcoder.predict.pieces import Cut, Piece, cut, moved, triggers_in

TEXTS = st.text(alphabet="aB .!?\n\u3000。”x", max_size=60)


@given(TEXTS, st.sampled_from(["sentence", "window"]), st.integers(1, 12))
def test_every_visible_character_is_in_one_piece(text: str, how: Cut, window: int) -> None:
    end = 0
    for piece in cut(text, how, window):
        assert piece.start >= end
        assert not text[end : piece.start].strip()
        end = piece.start + len(piece.text)
        assert text[piece.start : end] == piece.text
        if how == "window" and text.strip():
            assert len(piece.text) <= window
    assert not text[end:].strip()


def test_sentences_end_where_a_reader_ends_them() -> None:
    text = 'Mr. X paid 3.5 e.g. today. "Why?" she asked. 他来了。好！\nEnd'
    found = [piece.text for piece in cut(text, "sentence", 0)]
    assert found == ["Mr.", "X paid 3.5 e.g. today.", '"Why?" she asked.', "他来了。", "好！", "End"]


def test_a_window_is_filled_with_whole_sentences_and_cuts_long_ones_between_words() -> None:
    assert [p.text for p in cut("One. Two. Three four five.", "window", 10)] == ["One. Two.", "Three four", "five."]
    assert [p.text for p in cut("abcdefghijkl", "window", 5)] == ["abcde", "fghij", "kl"]
    assert cut("One. Two.", "whole", 1) == [Piece("One. Two.")]


@given(st.integers(0, 50))
def test_moving_there_and_back_changes_nothing(by: int) -> None:
    a, b, lost = Mention("A", "x", 3, 4), Mention("B", "y", 7, 8), Mention("A", "z")
    found = Annotations((a, lost), (Relation("R", a, b),), (Event("E", b, (Argument("r", a),)), Event("E")))
    there = moved(found, by)
    assert there.entities[0].start == 3 + by
    assert there.entities[1] == lost
    assert moved(there, -by) == found


@pytest.mark.parametrize(("start", "expected"), [(0, None), (11, 0), (None, None)])
def test_triggers_belong_to_the_piece_where_they_stand(start: int | None, expected: int | None) -> None:
    piece = Piece("hit him.", 11)
    trigger = Mention("Attack", "hit", start, None if start is None else start + 3)
    found = triggers_in(piece, (trigger,))
    assert [t.start for t in found] == ([] if start == 0 else [expected])
