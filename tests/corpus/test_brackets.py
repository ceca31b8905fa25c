"""Brackets, the entity column of CoNLL 2012, say the same spans as BIO."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowcoder.corpus.tags import BadTag, decode_tags

LENGTHS = st.lists(st.tuples(st.sampled_from(["", "PERSON", "GPE"]), st.integers(1, 3)), max_size=6)


@given(LENGTHS)
def test_brackets_say_the_spans(pieces: list[tuple[str, int]]) -> None:
    brackets: list[str] = []
    spans = []
    for label, length in pieces:
        if label:
            spans.append((label, len(brackets), len(brackets) + length))
        own = ["*"] * length
        if label:
            own[0] = f"({label}*"
            own[-1] = own[-1].removesuffix("*") + ")" if length == 1 else "*)"
        brackets += own
    assert decode_tags(brackets, "brackets") == (spans, 0)


@pytest.mark.parametrize("tags", [["(A*", "(B*", "*)"], ["B-A"], ["((A*"]])
def test_what_is_no_bracket_is_refused(tags: list[str]) -> None:
    with pytest.raises(BadTag, match="tag is not brackets"):
        decode_tags(tags, "brackets")
