"""Taxonomies: no cycle survives, nothing but cycles is cut, the order of the edges does not matter."""

from __future__ import annotations

from graphlib import CycleError, TopologicalSorter

from hypothesis import given
from hypothesis import strategies as st

from knowcoder.schema.taxonomy import break_cycles, choose_parent, parents_of

EDGES = st.lists(st.tuples(*[st.sampled_from("abcdefg")] * 2), max_size=20)


@given(EDGES)
def test_breaking_cycles(edges: list[tuple[str, str]]) -> None:
    parents = parents_of(edges)
    acyclic, removed = break_cycles(parents)
    list(TopologicalSorter(acyclic).static_order())  # raises CycleError on a cycle
    kept = [(child, parent) for child, found in acyclic.items() for parent in found]
    assert sorted(kept + removed) == sorted((child, parent) for child, found in parents.items() for parent in found)
    assert break_cycles(parents_of(reversed(edges))) == (acyclic, removed)


@given(EDGES)
def test_nothing_is_cut_without_a_cycle(edges: list[tuple[str, str]]) -> None:
    try:
        list(TopologicalSorter(parents_of(edges)).static_order())
    except CycleError:
        return
    assert break_cycles(parents_of(edges))[1] == []


def test_a_deep_taxonomy_is_no_deep_recursion() -> None:
    edges = [(f"{n:06}", f"{n + 1:06}") for n in range(20_000)]
    assert break_cycles(parents_of([*edges, ("020000", "000000")]))[1] == [("020000", "000000")]


def test_the_parent_with_the_most_instances_is_chosen() -> None:
    assert choose_parent(["Q1", "Q2", "Q3"], {"Q2": 5, "Q3": 5}) == "Q2"
    assert choose_parent([], {}) is None
