"""Which classes an entity has: its id or its name leads to what it is an instance of (KnowCoder, appendix H)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from knowcoder import jsonl
from knowcoder.config.corpus import NamesKeys
from knowcoder.corpus.paths import value_at
from knowcoder.corpus.reading import Unusable
from knowcoder.corpus.search import bare
from knowcoder.corpus.sentence import Mention
from knowcoder.errors import DataError
from knowcoder.schema.concepts import RelationType
from knowcoder.schema.facts import DISAMBIGUATION, read_facts
from knowcoder.schema.library import SchemaLibrary

_ID = re.compile(r"Q[1-9][0-9]*")

Classes = tuple[str, ...] | None
"""Of an entity; None for a page that only tells things of one name apart."""


class Linker:
    """Knows what entities are that a corpus names.

    The corpus is read twice. While the linker knows nothing it remembers what it is asked for, so that of a hundred
    million entities ``load`` holds only those.
    """

    def __init__(self, library: SchemaLibrary) -> None:
        self.library = library
        self.ready = False
        self._sought: set[str] = set()
        self._ids: dict[str, Classes] = {}
        self._names: dict[str, Classes] = {}

    def load(self, facts: str | Path, keys: NamesKeys) -> None:
        """Learn what the entities are that were asked for.

        What a file of names says comes first, then main names, then aliases. Of several entities of one name the
        first counts that has a class of the library.

        Raises:
            DataError: a line is malformed; names file and line.
        """
        given = self._given(keys)
        wanted = self._sought.union(given.values())
        known = {concept.id: concept.name for concept in self.library.entities}
        main: dict[str, Classes] = {}
        other: dict[str, Classes] = {}
        for fact in read_facts(facts):
            if fact.id not in wanted and self._sought.isdisjoint(fact.names):
                continue
            types = dict.fromkeys(known[type] for type in fact.types if type in known)
            classes = None if DISAMBIGUATION in fact.types else tuple(types)
            if fact.id in wanted:
                self._ids[fact.id] = classes
            for place, name in enumerate(fact.names):
                if name in self._sought:
                    _take(other if place else main, name, classes)
        for name, classes in other.items():
            _take(main, name, classes)
        self._names = main | {name: self._ids[id] for name, id in given.items() if id in self._ids}
        self.ready = True

    def _given(self, keys: NamesKeys) -> dict[str, str]:
        """Name -> id, as a file of names has it."""
        found: dict[str, str] = {}
        aliases: dict[str, str] = {}
        for id, name, *others in _read_names(keys) if keys.file else ():
            if name in self._sought:
                found.setdefault(name, id)
            for alias in self._sought.intersection(others):
                aliases.setdefault(alias, id)
        return aliases | found

    def typed(self, mention: Mention, name: str, id: str, hints: Sequence[str] = ()) -> list[Mention]:
        """A mention with every class that its entity has; none where it is not known.

        Args:
            name: what the data call the entity, which need not be how the text does.
            id: its id, where the data say one; an entity with an id is known by that alone.
            hints: ids of classes; the first class that is one of them or below goes first.

        Raises:
            Unusable: the name is that of a page that tells things apart.
        """
        if not self.ready:
            self._sought.update((id, name, bare(name)))
            return []
        known = self._ids.get(id, ()) if _ID.fullmatch(id) else self._names.get(name, self._names.get(bare(name), ()))
        if known is None:
            raise Unusable("a disambiguation page", name)
        fitting = [each for each in known if self._below(each, hints)][:1]
        return [replace(mention, type=each) for each in dict.fromkeys((*fitting, *known))]

    def hints(self, relation: str) -> tuple[Sequence[str], Sequence[str]]:
        """Ids of the classes that the head and the tail of a relation may have."""
        concept = self.library.by_name(relation) if relation in self.library else None
        return (concept.head, concept.tail) if isinstance(concept, RelationType) else ((), ())

    def _below(self, name: str, hints: Sequence[str]) -> bool:
        id = self.library.by_name(name).id
        return not {id, *self.library.ancestors(id)}.isdisjoint(hints)


def _take(names: dict[str, Classes], name: str, classes: Classes) -> None:
    if name not in names or (classes and not names[name]):
        names[name] = classes


def _read_names(keys: NamesKeys) -> Iterator[list[str]]:
    """The id of each entity, its name and its other names."""
    for number, line in enumerate(jsonl.read(keys.file, dict[str, Any]), 1):
        id, name, aliases = (value_at(line, path) for path in (keys.id, keys.name, keys.aliases))
        names = [*(name if isinstance(name, list) else [name]), *(aliases if isinstance(aliases, list) else [])]
        if not isinstance(id, str) or not all(isinstance(each, str) for each in names):
            raise DataError(f"{keys.file}:{number}: no text at {keys.id} or {keys.name}; see names.id and names.name")
        yield [id, *names]
