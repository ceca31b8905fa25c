"""What class definitions say, by names, and the concepts that follow: from source text and from live classes alike."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from knowcoder.errors import DataError
from knowcoder.schema.concepts import Concept, EntityType, EventType, RelationType, Role
from knowcoder.schema.docstring import Docstring
from knowcoder.schema.library import KINDS, Kind
from knowcoder.schema.naming import class_name
from knowcoder.schema.source import Renamed, SchemaSource, finish

BASES: dict[str, Kind] = {"Entity": "entity", "Relation": "relation", "Event": "event"}
_UNDEFINED = (
    "a class that is named but not defined; define it, or leave the type without description that stands for it"
)
_HEADS, _TAILS = ("head", "head_entity"), ("tail", "tail_entity")


@dataclass(slots=True, eq=False)
class Definition:
    """A class as it is defined.

    Attributes:
        bases: names of the classes it inherits from.
        untyped: roles of which only the name is given.
        complete: it has a constructor, which names all its slots, so it inherits none.
        looks_like: the kind that its own slots show.
    """

    name: str
    bases: tuple[str, ...]
    file: str
    line: int
    docstring: Docstring = field(default_factory=Docstring)
    head: tuple[str, ...] | None = None
    tail: tuple[str, ...] | None = None
    roles: dict[str, Role] = field(default_factory=dict)
    rules: tuple[str, ...] = ()
    untyped: set[str] = field(default_factory=set)
    complete: bool = False
    looks_like: Kind | None = None

    def add_slot(self, name: str, types: Sequence[str], is_list: bool, description: str = "") -> None:
        """Take an annotated field: a head, a tail, or a role, which is a list. Any entity includes all others."""
        hinted = () if "Entity" in types else tuple(dict.fromkeys(types))
        if is_list:
            self.roles[name] = Role(name=name, types=hinted, description=description)
            self.looks_like = "event"
        elif name in _HEADS:
            self.head, self.looks_like = hinted, "relation"
        elif name in _TAILS:
            self.tail, self.looks_like = hinted, "relation"
        elif name == "trigger":
            self.looks_like = "event"

    def unite(self, other: Definition) -> None:
        """Take what another definition of the same class says beyond this one."""
        for name, role in other.roles.items():
            if name in self.untyped or name not in self.roles:
                self.roles[name] = role
        self.untyped &= other.untyped
        self.head = other.head if self.head is None else self.head
        self.tail = other.tail if self.tail is None else self.tail
        if not self.docstring.description:
            self.docstring.description = other.docstring.description

    def hints(self) -> Iterator[str]:
        """Names of the classes that the slots name."""
        yield from self.head or ()
        yield from self.tail or ()
        for role in self.roles.values():
            yield from role.types


def is_slot(name: str, is_list: bool) -> bool:
    """Whether an annotated field says something of the schema."""
    return is_list or name in _HEADS or name in _TAILS or name == "trigger"


def source_of(definitions: Iterable[Definition]) -> SchemaSource:
    """The finished schema of definitions; ids are class names.

    Raises:
        DataError: a class is defined twice, or the classes do not fit together.
    """
    made = _Concepts(definitions)
    for item, concept in made.concepts:
        made.source.add(concept, item.file, item.line)
    return finish(made.source)


def concepts_of(definitions: Iterable[Definition]) -> list[Concept]:
    """The concepts of definitions as they stand, unchecked.

    Raises:
        DataError: a class is defined twice.
    """
    return [concept for _, concept in _Concepts(definitions).concepts]


class _Concepts:
    """Definitions on their way to concepts: which kind each is, what it inherits, what its names mean."""

    def __init__(self, definitions: Iterable[Definition]) -> None:
        self.source = SchemaSource([])
        self._named: dict[str, list[Definition]] = {}
        self._kinds: dict[Definition, Kind] = {}
        self._ids: dict[tuple[Kind, str], str] = {}
        given = list(definitions)
        for item in given:
            self._named.setdefault(item.name, []).append(item)
        for item in given:
            self._kinds[item] = self._kind(item)
        given = list(self._without_doubles(given))
        for item in given:
            self._inherit(item, ())
        undefined = self._undefined(given)
        everything = [*given, *undefined]
        for kind in KINDS:
            for item in everything:
                if self._kinds[item] == kind:
                    self._identify(item, kind)
        self.concepts = [(item, self._concept(item)) for item in everything]

    def _base(self, item: Definition) -> Definition | None:
        """The definition of the first base that has one; that of its own file stands before a base class of ours."""
        for name in item.bases:
            known = [other for other in self._named.get(name, ()) if other is not item]
            near = [other for other in known if other.file == item.file]
            if near:
                return near[0]
            if name in BASES:
                return None
            if known:
                return next((other for other in known if other.looks_like == item.looks_like), known[0])
        return None

    def _kind(self, item: Definition) -> Kind:
        seen: set[Definition] = set()
        while (base := self._base(item)) is not None and base not in seen:
            seen.add(base)
            item = base
        named = next((BASES[name] for name in item.bases if name in BASES), None)
        return named or item.looks_like or _kind_of_file(item.file) or "entity"

    def _without_doubles(self, given: Iterable[Definition]) -> Iterator[Definition]:
        """Collections of published definitions define an event once for detection and once for its arguments."""
        seen: dict[tuple[Kind, str], Definition] = {}
        for item in given:
            first = seen.setdefault((self._kinds[item], item.name), item)
            if first is item:
                yield item
                continue
            if first.file == item.file or not item.file.endswith(".json"):
                raise DataError(
                    f"{item.file}:{item.line}: the class {item.name!r} is defined twice, first at "
                    f"{first.file}:{first.line}; rename or remove one"
                )
            self._named[item.name].remove(item)
            first.unite(item)
            self.source.read += 1
            self.source.counts["united"] += 1

    def _inherit(self, item: Definition, below: tuple[Definition, ...]) -> None:
        base = self._base(item)
        if item.complete or base is None or base in below:
            return
        self._inherit(base, (*below, item))
        item.head = base.head if item.head is None else item.head
        item.tail = base.tail if item.tail is None else item.tail
        item.roles = base.roles | item.roles
        item.complete = True

    def _parents(self, item: Definition) -> tuple[str, ...]:
        """Ancestors that a class names, nearest first: the path in its docstring, then its base."""
        path = [name for name in item.docstring.path if name not in BASES or name in self._named]
        if (base := self._base(item)) is not None:
            path.append(base.name)
        elif not any(name in BASES for name in item.bases):
            path += item.bases[:1]
        return tuple(name for name in path if name != item.name)

    def _undefined(self, given: Sequence[Definition]) -> list[Definition]:
        """A definition for every class that is named only; paths say what those inherit from."""
        found: dict[tuple[Kind, str], Definition] = {}

        def define(kind: Kind, name: str, item: Definition) -> None:
            if name not in self._named and (kind, name) not in found:
                base = next(base for base, of_kind in BASES.items() if of_kind == kind)
                found[kind, name] = Definition(name, (base,), item.file, item.line)
                self._kinds[found[kind, name]] = kind
                self.source.read += 1
                self.source.reject(_UNDEFINED, f"{name}, which {item.name} names", item.file, item.line)

        for item in given:
            for parent in self._parents(item):
                define(self._kinds[item], parent, item)
            for hint in item.hints():
                define("entity", hint, item)
        for item in given:
            for child, parent in pairwise(self._parents(item)):
                if (self._kinds[item], child) in found:
                    found[self._kinds[item], child].bases = (parent,)
        for undefined in found.values():
            self._named.setdefault(undefined.name, []).append(undefined)
        return list(found.values())

    def _identify(self, item: Definition, kind: Kind) -> None:
        """The name is the id, unless another kind has it: a module of events may have a class of entities' name."""
        if (kind, item.name) in self._ids:
            return
        id = item.name
        if any((other, item.name) in self._ids for other in KINDS):
            id = class_name(f"{item.name} {kind}", item.name, self._named)
            self.source.renamed.append(Renamed(id, item.name, id))
        self._ids[kind, item.name] = id

    def _id(self, kind: Kind, name: str) -> str:
        return next(self._ids[key] for key in ((kind, name), *((other, name) for other in KINDS)) if key in self._ids)

    def _concept(self, item: Definition) -> Concept:
        kind, docstring = self._kinds[item], item.docstring
        named = self._parents(item)
        others = (name for name in item.bases if name in self._named and name not in (*named, item.name, *BASES))
        common: dict[str, Any] = {
            "id": self._id(kind, item.name),
            "name": self._id(kind, item.name),
            "description": docstring.description,
            "parent": self._id(kind, named[0]) if named else None,
            "parents": tuple(self._id(kind, name) for name in others),
            "rules": item.rules,
        }
        if kind == "relation":
            head, tail = self._types(item.head or ()), self._types(item.tail or ())
            return RelationType(examples=docstring.pairs(), head=head, tail=tail, **common)
        if kind == "entity":
            return EntityType(examples=docstring.items(), **common)
        roles = tuple(replace(role, types=self._types(role.types)) for role in item.roles.values())
        return EventType(examples=docstring.items(), roles=roles, **common)

    def _types(self, names: Iterable[str]) -> tuple[str, ...]:
        return tuple(self._id("entity", name) for name in names)


def _kind_of_file(file: str) -> Kind | None:
    """What the published library keeps in a module of this name."""
    stem = Path(file).stem.lower()
    return next((kind for kind in KINDS if stem.startswith(kind[:5])), None)
