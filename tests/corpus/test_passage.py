"""The texts of a record: tokens stand where they are said to, pieces of a cut text keep their offsets."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowcoder.config.corpus import RecordKeys
from knowcoder.corpus.passage import passages_of
from knowcoder.corpus.reading import Unusable

TOKENS = st.lists(st.text("ab.", min_size=1, max_size=3), min_size=1, max_size=4)


@given(st.lists(TOKENS, min_size=1, max_size=4), st.sampled_from([" ", ""]), st.booleans())
def test_tokens_stand_at_their_offsets(sentences: list[list[str]], join: str, whole: bool) -> None:
    passages, firsts = passages_of({"s": sentences}, RecordKeys(sentences="s", join=join, whole=whole))
    assert len(passages) == (1 if whole else len(sentences))
    placed = [passage.text[slice(*place)] for passage in passages for place in passage.tokens]
    assert placed == [token for sentence in sentences for token in sentence]
    assert firsts == [sum(map(len, sentences[:number])) for number in range(len(sentences))]


@given(st.text("aB.! \n", max_size=20), st.sampled_from(["lines", "sentences"]))
def test_a_cut_loses_only_white_space(text: str, cut: str) -> None:
    passages, _ = passages_of({"t": text}, RecordKeys(text="t", cut=cut))
    assert all(text[p.first : p.first + len(p.text)] == p.text == p.text.strip() for p in passages)
    assert "".join("".join(p.text.split()) for p in passages) == "".join(text.split())


def test_tags_mark_pieces_of_the_text() -> None:
    (passage,), _ = passages_of({"t": "<e1>Ada</e1> met <e2>Bo <x>B</x></e2>."}, RecordKeys(text="t", markup="ids"))
    assert passage.text == "Ada met Bo B."
    assert passage.marked == [("e1", (0, 3)), ("e2", (8, 12)), ("x", (11, 12))]


@pytest.mark.parametrize(
    ("record", "keys", "reason"),
    [
        ({}, RecordKeys(text="t"), "text missing"),
        ({"k": [1]}, RecordKeys(tokens="k"), "tokens missing"),
        ({"k": ["b", "a"], "t": "a b"}, RecordKeys(tokens="k", text="t"), "token is not in the text"),
        ({"s": [[3, 4]]}, RecordKeys(sentences="s"), "tokens malformed"),
        ({"s": [[[["a", 0, 1]], "b"]]}, RecordKeys(sentences="s"), "token is not at its offset"),
        ({"t": "<a>b"}, RecordKeys(text="t", markup="ids"), "tag without an end"),
        ({"t": "b</a>"}, RecordKeys(text="t", markup="ids"), "tag ends that did not begin"),
    ],
)
def test_what_gives_no_text_says_why(record: object, keys: RecordKeys, reason: str) -> None:
    with pytest.raises(Unusable) as told:
        passages_of(record, keys)
    assert told.value.reason == reason
