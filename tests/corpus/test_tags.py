"""Tags spell spans and back; what is not legal is repaired and counted."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowcoder.corpus.tags import BadTag, Span, decode_tags

SPELLING: dict[str, tuple[str, str, str, str]] = {  # first, middle, last, only token of an entity
    "BIO": ("B", "I", "I", "B"),
    "BILOU": ("B", "I", "L", "U"),
    "BMES": ("B", "M", "E", "S"),
}


@st.composite
def spans_of_a_sentence(draw: st.DrawFn) -> tuple[int, list[Span]]:
    spans, position = [], 0
    for _ in range(draw(st.integers(0, 5))):
        position += draw(st.integers(0, 2))
        end = position + draw(st.integers(1, 4))
        spans.append((draw(st.sampled_from(["per", "org", "a-b"])), position, end))
        position = end
    return position + draw(st.integers(0, 2)), spans


def spell(length: int, spans: list[Span], scheme: str) -> list[str]:
    first, middle, last, only = SPELLING[scheme]
    tags = ["O"] * length
    for kind, start, end in spans:
        prefixes = [only] if end - start == 1 else [first, *[middle] * (end - start - 2), last]
        tags[start:end] = [f"{prefix}-{kind}" for prefix in prefixes]
    return tags


@pytest.mark.parametrize("scheme", ["BIO", "BILOU", "BMES"])
@given(sentence=spans_of_a_sentence())
def test_tags_round_trip(scheme: str, sentence: tuple[int, list[Span]]) -> None:
    length, spans = sentence
    assert decode_tags(spell(length, spans, scheme), scheme) == (spans, 0)


@pytest.mark.parametrize("scheme", ["BIO", "IO", "IOB1", "BILOU", "BMES"])
@given(data=st.data())
def test_any_legal_prefixes_give_disjoint_spans(scheme: str, data: st.DataObject) -> None:
    prefixes = {"BIO": "BI", "IO": "I", "IOB1": "BI", "BILOU": "BILU", "BMES": "BMES"}[scheme]
    tag = st.sampled_from(["O", *(f"{prefix}-{kind}" for prefix in prefixes for kind in "xy")])
    tags = data.draw(st.lists(tag, max_size=12))
    spans, _ = decode_tags(tags, scheme)
    covered = [index for _, start, end in spans for index in range(start, end)]
    assert covered == [index for index, tag in enumerate(tags) if tag != "O"]
    assert all(tags[index].endswith(f"-{kind}") for kind, start, end in spans for index in range(start, end))


@pytest.mark.parametrize(
    ("scheme", "tags", "spans", "repaired"),
    [
        ("BIO", "I-x I-x O I-y", [("x", 0, 2), ("y", 3, 4)], 2),
        ("BIO", "B-x I-y", [("x", 0, 1), ("y", 1, 2)], 1),
        ("IOB1", "I-x I-x B-x I-y", [("x", 0, 2), ("x", 2, 3), ("y", 3, 4)], 0),
        ("IO", "x x O y", [("x", 0, 2), ("y", 3, 4)], 0),
        ("BILOU", "B-x I-x O L-y", [("x", 0, 2), ("y", 3, 4)], 2),
        ("BMES", "S-x B-x E-x B-y", [("x", 0, 1), ("x", 1, 3), ("y", 3, 4)], 1),
        ("BIOES", "S-x B-x E-x _ - O", [("x", 0, 1), ("x", 1, 3)], 0),
        ("brackets", "(x* *) * (y)", [("x", 0, 2), ("y", 3, 4)], 0),
    ],
)
def test_illegal_tags_are_repaired_and_counted(scheme: str, tags: str, spans: list[Span], repaired: int) -> None:
    assert decode_tags(tags.split(), scheme) == (spans, repaired)


def test_a_tag_of_another_scheme_is_named() -> None:
    with pytest.raises(BadTag, match="tag is not BIO") as caught:
        decode_tags(["O", "B-x", "E-x"], "BIO")
    assert (caught.value.index, caught.value.value) == (2, "E-x")
