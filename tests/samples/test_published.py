"""Rows of the published training data become samples as they are."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowcoder.samples.published import NO_SAMPLE, published_drafts
from knowcoder.samples.sample import Sample
from knowcoder.schema.render import Style


def read(rows: list[dict[str, Any]]) -> tuple[list[Sample], Counter[str]]:
    rejected: Counter[str] = Counter()
    drafts = list(published_drafts(((str(number), row) for number, row in enumerate(rows)), rejected))
    return [draft.write((), Style()) for draft in drafts], rejected


def test_the_three_layouts_are_read() -> None:
    rows = [
        {"one-stage": {"zero-shot": {"prompt": "p"}, "output": "results = []"}, "two-stage": {}},
        {"text": "class City(Entity): ..."},
        {"prompt": "p", "completion": "c", "kind": "NER", "id": "train-0"},
    ]
    samples, rejected = read(rows)
    assert samples == [
        Sample("p", "results = []", "other", "0"),
        Sample("", "class City(Entity): ...", "text", "1"),
        Sample("p", "c", "NER", "train-0"),
    ]
    assert not rejected


@given(
    st.lists(
        st.dictionaries(
            st.sampled_from(["one-stage", "prompt", "completion", "text", "kind"]),
            st.one_of(
                st.none(),
                st.text(),
                st.integers(),
                st.dictionaries(st.sampled_from(["zero-shot", "output"]), st.text()),
            ),
        )
    )
)
def test_every_row_is_a_sample_or_counted(rows: list[dict[str, Any]]) -> None:
    samples, rejected = read(rows)
    assert len(samples) + rejected[NO_SAMPLE] == len(rows)
    assert all(isinstance(sample.prompt, str) and sample.completion for sample in samples)


def test_the_published_rows_keep_their_bytes_and_tasks(data_root: Path) -> None:
    path = data_root / "knowcoder_official/example_data/example_data.jsonl"
    if not path.exists():
        pytest.skip("no published rows: they are NOT IMPORTED")
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    samples, rejected = read(rows)
    assert [sample.prompt for sample in samples] == [row["one-stage"]["zero-shot"]["prompt"] for row in rows]
    assert [sample.completion for sample in samples] == [row["one-stage"]["output"] for row in rows]
    assert Counter(sample.kind for sample in samples) == {"NER": 1, "RE": 1, "ED": 5, "EAE": 2}
    assert not rejected
