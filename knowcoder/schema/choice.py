"""Which classes and properties of a knowledge graph become types, and what happens to the others' statements."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from knowcoder.errors import DataError
from knowcoder.schema.facts import DISAMBIGUATION, read_facts
from knowcoder.schema.knowledge import Knowledge, by_number
from knowcoder.schema.taxonomy import parents_of

_ID = re.compile(r"[QP][1-9][0-9]*")


@dataclass(frozen=True, slots=True)
class Choice:
    """What to keep; each field narrows, and the defaults keep every class that has a superclass or subclass.

    Attributes:
        ids: classes and properties.
        types: classes, as given facts name them.
        min_instances: that a class must have.
        min_role: statements of a property that must carry a qualifier before it is a role of the event.
    """

    ids: frozenset[str] | None = None
    types: frozenset[str] | None = None
    min_instances: int = 0
    min_role: int = 1


def read_ids(path: str | Path) -> frozenset[str]:
    """The ids in a file: the first word of each line; empty lines and what follows ``#`` are passed over.

    Raises:
        DataError: a word is no id of an item or property; names file and line.
    """
    found = set()
    with open(path, encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            words = line.partition("#")[0].split()
            if words and not _ID.fullmatch(words[0]):
                raise DataError(f"{path}:{number}: {words[0]!r} is no id; begin each line with one such as Q5 or P19")
            found.update(words[:1])
    return frozenset(found)


def types_in_facts(path: str | Path) -> frozenset[str]:
    """The classes that occur in a file of facts, or in the facts of a schema library.

    Raises:
        DataError: the file is missing or a line is no fact; names file and line.
    """
    return frozenset(type for fact in read_facts(path) for type in fact.types)


class Nearest:
    """The nearest kept classes at or above a class: itself where it is kept, else its first kept ancestors."""

    def __init__(self, parents: Mapping[str, Sequence[str]], kept: frozenset[str]) -> None:
        self.kept = kept
        self._parents = parents
        self._known: dict[str, tuple[str, ...]] = {}

    def __call__(self, id: str) -> tuple[str, ...]:
        if id in self.kept or id == DISAMBIGUATION:  # whoever types text must know those, chosen or not
            return (id,)
        if id not in self._known:
            self._known[id] = self.above(id)
        return self._known[id]

    def above(self, id: str) -> tuple[str, ...]:
        """The nearest kept classes above a class; itself is none of them, though it stand in a cycle."""
        found: set[str] = set()
        seen = {id}
        pending = [id]
        while pending:
            for parent in self._parents.get(pending.pop(), ()):
                if parent not in seen:
                    seen.add(parent)
                    if parent in self.kept:
                        found.add(parent)
                    else:
                        pending.append(parent)
        return tuple(by_number(found))

    def without_edges(self, ids: set[str]) -> set[str]:
        """Those that no edge of the graph names."""
        return ids.difference(self._parents, *self._parents.values())


def narrow(knowledge: Knowledge, choice: Choice) -> Nearest:
    """Leave in a graph what was chosen.

    "Subclass of" holds through classes that were left out, so a chosen class goes below its nearest chosen
    ancestors, and a class that a constraint names stands for those too.
    """
    parents = parents_of(knowledge.subclasses)
    nearest = Nearest(parents, _classes(knowledge, choice, parents))
    knowledge.classes = set(nearest.kept)
    knowledge.subclasses = [(id, parent) for id in nearest.kept for parent in nearest.above(id)]
    for slots in (knowledge.heads, knowledge.tails):
        for property, classes in slots.items():
            # One that has no chosen ancestor stays, to be reported as unknown.
            slots[property] = list(dict.fromkeys(kept for id in classes for kept in nearest(id) or (id,)))
    if choice.ids is not None:
        knowledge.properties &= choice.ids
    for roles in knowledge.qualifiers.values():
        for id in [id for id, statements in roles.items() if statements < choice.min_role]:
            del roles[id]
    return nearest


def _classes(knowledge: Knowledge, choice: Choice, parents: Mapping[str, Sequence[str]]) -> frozenset[str]:
    named = [given for given in (choice.ids, choice.types) if given is not None]
    if named:
        kept = {id for id in frozenset.intersection(*named) if id.startswith("Q")}
    else:
        kept = {*parents, *(id for found in parents.values() for id in found)}
        kept |= knowledge.instances.keys() if choice.min_instances else set()
    return frozenset(id for id in kept if knowledge.instances[id] >= choice.min_instances)
