"""A taxonomy from "subclass of" edges: cycles broken, one of several parents chosen."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

Parents = dict[str, list[str]]
"""Child id -> ids of its parents."""


def parents_of(edges: Iterable[tuple[str, str]]) -> Parents:
    """Collect (child, parent) edges; edges said twice and edges from a class to itself are left out."""
    parents: Parents = {}
    for child, parent in edges:
        found = parents.setdefault(child, [])
        if child != parent and parent not in found:  # few: a list is smaller than a set
            found.append(parent)
    return {child: sorted(found) for child, found in sorted(parents.items())}


def break_cycles(parents: Mapping[str, Iterable[str]]) -> tuple[Parents, list[tuple[str, str]]]:
    """Leave out the back edges of a depth-first walk, after which no class is its own ancestor.

    The walk goes in the order of the ids, so the same edges are removed whatever the order of the input.

    Returns:
        The acyclic parents, and the (child, parent) edges left out.
    """
    acyclic: Parents = {}
    removed: list[tuple[str, str]] = []
    done: set[str] = set()
    for root in sorted(parents):
        if root in done:
            continue
        path = [root]
        on_path = {root}
        pending = [iter(sorted(parents[root]))]
        acyclic[root] = []
        while path:
            child = path[-1]
            parent = next(pending[-1], None)
            if parent is None:
                done.add(child)
                on_path.discard(child)
                path.pop()
                pending.pop()
            elif parent in on_path:
                removed.append((child, parent))
            else:
                acyclic[child].append(parent)
                if parent not in done:
                    path.append(parent)
                    on_path.add(parent)
                    pending.append(iter(sorted(parents.get(parent, ()))))
                    acyclic[parent] = []
    return acyclic, removed


def choose_parent(parents: Iterable[str], instances: Mapping[str, int]) -> str | None:
    """The parent with the most instances (KnowCoder, section 2.2); among equals the first id."""
    return min(parents, key=lambda parent: (-instances.get(parent, 0), parent), default=None)
