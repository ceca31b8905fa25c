"""Shares are nested, draws depend on the seed alone, the sampled test set follows its published rule."""

from __future__ import annotations

from collections import Counter
from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowcoder.corpus.sampling import EVERY, few, sampled_test, share_names, shares
from knowcoder.corpus.sentence import Mention, Relation, Sentence
from knowcoder.errors import ConfigError
from knowcoder.schema.concepts import Task

ADA = Mention("Human", "Ada", 0, 3)
TYPES = st.sets(st.sampled_from("abc"), max_size=3)


def sentences_of(types: list[set[str]], source: str = "s", task: Task = "NER") -> list[Sentence]:
    found = []
    for number, names in enumerate(types):
        entities = tuple(Mention(name, "Ada", 0, 3) for name in sorted(names)) if task == "NER" else ()
        relations = tuple(Relation(name, ADA, ADA) for name in sorted(names)) if task == "RE" else ()
        about = {"id": f"{source}-{number}", "text": f"Ada {source} {number}", "source": source, "tasks": (task,)}
        found.append(Sentence(**about, entities=entities, relations=relations))  # type: ignore[arg-type]
    return found


@given(st.lists(st.integers(0, 60), min_size=1, max_size=3), st.integers(0, 9))
def test_shares_are_nested_sized_and_in_order(sizes: list[int], seed: int) -> None:
    whole = [s for source, size in enumerate(sizes) for s in sentences_of([set()] * size, str(source))]
    percents = [50, 1, 10, 5]
    found = shares(whole, percents, seed)
    assert list(found) == ["train-50", "train-1", "train-10", "train-5"]
    for percent, part in zip(percents, found.values(), strict=True):
        assert Counter(s.source for s in part) == Counter(
            {str(source): ceil(size * percent / 100) for source, size in enumerate(sizes) if size}
        )
        assert part == [s for s in whole if s in part]
    ids = {name: {s.id for s in part} for name, part in found.items()}
    assert ids["train-1"] <= ids["train-5"] <= ids["train-10"] <= ids["train-50"]
    assert found == shares(whole, percents, seed)


def test_a_share_is_exact_whatever_its_digits() -> None:
    whole = sentences_of([set()] * 100)
    assert [len(part) for part in shares(whole, [7, 14, 29, 57, 0.5], 1).values()] == [7, 14, 29, 57, 1]
    assert share_names([0.5, 10.0]) == ["train-0.5", "train-10"]
    for wrong in (0, 100, -1):
        with pytest.raises(ConfigError, match="above 0 and below 100"):
            share_names([wrong])


def test_a_few_are_the_first_of_each_source_or_any() -> None:
    whole = sentences_of([set()] * 30, "a") + sentences_of([set()] * 3, "b")
    assert [s.id for s in few(whole, 4)] == ["a-0", "a-1", "a-2", "a-3", "b-0", "b-1", "b-2"]
    drawn = few(whole, 4, seed=1)
    assert Counter(s.source for s in drawn) == {"a": 4, "b": 3}
    assert drawn == few(whole, 4, seed=1) != few(whole, 4, seed=2)


@given(st.lists(TYPES, max_size=80), st.sampled_from(["NER", "RE"]), st.integers(0, 9))
def test_of_every_type_at_least_its_part_is_drawn(types: list[set[str]], task: Task, seed: int) -> None:
    whole = sentences_of(types, task=task)
    drawn = sampled_test(whole, seed)
    assert drawn == [s for s in whole if s in drawn] == sampled_test(whole, seed)
    have, got = (Counter(t for s in part for t in s.classes(task) or [""]) for part in (whole, drawn))
    least = {kind: ceil(count / EVERY[task]) for kind, count in have.items()}
    assert all(got[kind] >= count for kind, count in least.items())
    assert len(drawn) <= sum(least.values())
    assert len({s.text for s in drawn}) == len(drawn)


def test_the_published_rule_for_one_type_at_a_time() -> None:
    types = [{"a"}] * 15 + [{"b"}] * 14 + [set()] * 29
    assert Counter(t for s in sampled_test(sentences_of(types), 42) for t in s.classes("NER") or [""]) == {
        "a": 2,
        "b": 1,
        "": 3,
    }
    assert len(sampled_test(sentences_of(types, task="RE"), 42)) == 4 + 4 + 8


def test_texts_that_stand_twice_are_drawn_once_and_events_whole() -> None:
    twice = [Sentence(id=str(n), text="Ada", source="s", tasks=("NER",)) for n in range(40)]
    assert len(sampled_test(twice, 1)) == 1
    events = [Sentence(id=str(n), text="Ada", source="s", tasks=("NER", "ED", "EAE")) for n in range(40)]
    assert sampled_test(events, 1) == events
