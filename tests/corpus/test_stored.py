"""A sequence on disk is a list: whatever is added, read, and read while more is added."""

from __future__ import annotations

import tracemalloc
from itertools import islice

from hypothesis import given, settings
from hypothesis import strategies as st

from knowcoder.artefact import Reject
from knowcoder.corpus.sentence import Mention, Sentence
from knowcoder.corpus.stored import Stored

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
SENTENCES = st.builds(
    Sentence, id=TEXTS, text=TEXTS, entities=st.lists(st.builds(Mention, TEXTS, TEXTS), max_size=2).map(tuple)
)


@settings(max_examples=40)
@given(st.lists(SENTENCES), st.lists(SENTENCES), st.integers(-9, 9), st.slices(6))
def test_it_holds_what_a_list_holds(first: list[Sentence], more: list[Sentence], place: int, part: slice) -> None:
    stored = Stored(Sentence, first)
    assert stored == first
    for sentence in more:
        stored.append(sentence)
        assert stored[-1] == sentence
    whole = first + more
    assert list(stored) == whole
    assert (len(stored), bool(stored)) == (len(whole), bool(whole))
    assert stored[part] == whole[part]
    if -len(whole) <= place < len(whole):
        assert stored[place] == whole[place]
    assert (stored == first) == (not more)
    assert stored == Stored(Sentence, whole)


def test_it_can_be_gone_over_several_times_at_once_and_while_it_grows() -> None:
    stored = Stored(Reject, (Reject("file", line, "why") for line in range(2000)))
    pairs = list(zip(stored, islice(stored, 700, None), strict=False))
    assert all(later.line == earlier.line + 700 for earlier, later in pairs)
    for reject in stored:
        if reject.line % 500 == 0:
            stored.append(reject)
    assert [reject.line for reject in stored[2000:]] == [0, 500, 1000, 1500]


def test_memory_does_not_grow_with_what_it_holds() -> None:
    peaks = []
    for count in (5_000, 15_000):
        tracemalloc.start()
        stored = Stored(Sentence, (Sentence(id=str(number), text="word " * 80) for number in range(count)))
        assert sum(1 for _ in stored) == count
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] - peaks[0] < 10_000 * 40  # of 480 bytes each
