"""Types as Python class definitions: what a user would write with our base classes (the clean dialect)."""

from __future__ import annotations

import sys
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, count, groupby, zip_longest
from operator import attrgetter
from typing import Literal

from knowcoder.errors import DataError
from knowcoder.schema.concepts import Concept, EntityType, EventType, RelationType
from knowcoder.schema.library import KINDS, Kind, SchemaLibrary, hints, kind_of
from knowcoder.schema.quoting import INDENT, docstring, in_docstring, one_line, quote

BASES: dict[Kind, str] = {"entity": "Entity", "relation": "Relation", "event": "Event"}
_RANKS = {base: rank for rank, base in enumerate(BASES.values())}
MODULES = {"entity": "Entities", "relation": "Relations", "event": "Events"}  # as in the published library


@dataclass(frozen=True, slots=True)
class Style:
    """How a schema is written; a model is asked in the style in which it was trained.

    Attributes:
        dialect: ``clean`` is valid typed Python; ``released`` reproduces the published bytes.
        descriptions: print descriptions, and the path to the parent where it is not printed.
        examples: examples per class, at most.
        parents: where a parent is not printed, ``nearest`` inherits from the nearest ancestor that is,
            ``define`` prints the ancestors and ``import`` imports the parent. The released dialect always
            names the parent, printed or not.
        hints: print the types of heads, tails and roles; otherwise all are ``Entity``.
        methods: print the rules of a type as class methods; no published prompt has them.
    """

    dialect: Literal["clean", "released"] = "clean"
    descriptions: bool = True
    examples: int = 10
    parents: Literal["nearest", "define", "import"] = "nearest"
    hints: bool = True
    methods: bool = False


def library_source(library: SchemaLibrary) -> str:
    """A whole library as a Python module, with every example; ``python_source`` reads it back."""
    kinds = [kind for kind in KINDS if library.of_kind(kind)]
    if not kinds:
        return "\n"
    render = whole_renderer(library)
    called = render.rule_import(chain.from_iterable(map(library.of_kind, kinds)))
    blocks = ["\n".join([render.heading([BASES[kind] for kind in kinds], library), *called])]
    for kind in kinds:
        blocks += render.everything(kind)
    blocks[-1] += "\n"
    return "\n\n".join(blocks)


def whole_renderer(library: SchemaLibrary) -> Renderer:
    """The renderer that leaves nothing out that Python code can say."""
    return renderer(library, Style(examples=sys.maxsize, methods=True))


def definitions(names: Sequence[str], library: SchemaLibrary, style: Style, roles: bool = True) -> str:
    """Class definitions of the named types, after the imports and the entity classes that their hints need.

    Classes stand in the order given, entities before relations before events, and a class after its parent.
    ``roles=False`` leaves out the roles of events (event detection does not ask for them).

    Raises:
        DataError: a name is not in the library, or hides a base class that is needed beside it.
    """
    return renderer(library, style, roles).definitions(names)


def renderer(library: SchemaLibrary, style: Style, roles: bool = True) -> Renderer:
    """The renderer of a library in a style, made once: samples are written by the million."""
    key = ("renderer", style, roles)
    found: Renderer | None = library.memo.get(key)
    if found is None:
        found = library.memo[key] = Renderer(library, style, roles)
    return found


@dataclass(slots=True)
class _Class:
    """What is remembered of a class that a prompt has shown.

    Attributes:
        root: the base class of its kind.
        chain: names of the ancestors that it may inherit from, nearest first.
        shown: those of the chain that a prompt has shown too.
        helpers: the entity classes that its type hints name.
        codes: its definition, by base.
        bare: its definition as a helper, without a body, where no ancestor is shown beside it.
    """

    concept: Concept
    name: str
    root: str
    chain: tuple[str, ...]
    shown: tuple[str, ...]
    helpers: dict[str, _Class]
    codes: dict[str, str]
    bare: str


class Renderer:
    """Writes classes of one library in one style, and remembers what it wrote for prompts."""

    def __init__(self, library: SchemaLibrary, style: Style, roles: bool = True) -> None:
        self.library, self.style, self.roles = library, style, roles
        self._ids = library.ids
        self._hinted = style.hints and roles
        self._described, self._most = style.descriptions, style.examples
        self._classes: dict[str, _Class] = {}
        self._below: dict[str, list[_Class]] = {}  # what was shown, by the ancestors that were not yet
        self._bases: dict[str, Concept | None] = {}
        self._unions: dict[tuple[str, ...], str] = {}
        self._arguments: dict[tuple[str, tuple[str, ...]], str] = {}

    def definitions(self, names: Sequence[str]) -> str:
        """See ``definitions``."""
        if not names:
            return ""
        known = self._classes
        offered = {name: known.get(name) or self._class(name) for name in names}
        extra, imported = self._needed(offered)
        printed = {**extra, **imported, **offered} if extra or imported else offered
        roots = {found.root for found in offered.values()}
        imports = [self.heading(roots, printed)]
        if self.style.methods:
            imports += self.rule_import([found.concept for found in offered.values()])
        if imported:
            imports += import_lines(imported, self.library)
        blocks = ["\n".join(imports)]
        classes = [*extra.values(), *offered.values()]
        if len(roots) == 1 and self.style.parents != "define":
            codes = self._in_order(classes, printed, extra, imported)
            lines = [*codes.values()]
            blocks += ["\n".join(lines[: len(extra)]), *lines[len(extra) :]] if extra else lines
            return "\n\n".join(blocks)
        classes.sort(key=lambda found: _RANKS[found.root])
        codes = self._in_order(classes, printed, extra, imported)
        for bare, group in groupby(codes, extra.__contains__):
            block = [codes[name] for name in group]
            blocks += ["\n".join(block)] if bare else block  # helpers stand line by line, without blank lines
        return "\n\n".join(blocks)

    def everything(self, kind: Kind) -> list[str]:
        """The definitions of all types of a kind, each after its parent."""
        class_code, root = self.class_code, BASES[kind]
        narrowed = kind != "entity" and self._hinted
        blocks: list[str] = []
        for concept, parent in self.library.families(kind):
            base = root if parent is None else parent.name
            path = ""
            if narrowed and (above := self._base(concept)) is not parent:
                base = root if above is None else above.name
                path = self._path(concept, base)
            blocks.append(class_code(concept, base, path))
        return blocks

    def class_code(self, concept: Concept, base: str, path: str) -> str:
        """The definition of one class that inherits from ``base``; ``path`` names the ancestors between the two."""
        description = concept.description if self._described else ""
        examples = concept.examples
        if len(examples) > self._most:
            examples = examples[: self._most]
        words = listed = ""
        text = f" {description} "
        if examples and type(concept) is not RelationType:
            words, listed = " ".join(examples), ", ".join(examples)  # type: ignore[arg-type]
            text = f" {description} {words} "
        members = "" if type(concept) is EntityType and not concept.rules else self._members(concept)
        # One look at all the text: thirty thousand types are written at once, and hardly one needs more care.
        if text.isprintable() and not (path or '"' in text or "\\" in text or "  " in text or "," in words):
            if listed:
                return f'class {concept.name}({base}):\n    """{description}\n    Examples: {listed}\n    """{members}'
            if not examples and ":" not in description:
                return f'class {concept.name}({base}):\n    """{description}"""{members}'
        body = docstring(description, examples, path) + members
        if body.startswith("\n\n"):  # a blank line is for what follows something
            body = body[1:]
        return f"class {concept.name}({base}):{body or ' ...'}"

    def heading(self, roots: Collection[str], names: Container[str]) -> str:
        """The import of the base classes that types need; ``roots`` are those of their kinds.

        Raises:
            DataError: one of the names hides a base class.
        """
        bases = [base for base in BASES.values() if base in roots]
        if "Entity" not in roots and ("Relation" in roots or self.roles):
            bases.insert(0, "Entity")  # answers may name a mention by the base class
        for base in bases:
            if base in names:
                raise DataError(f"the class {base!r} hides the base class of the same name; rename it in the library")
        return f"from knowcoder import {', '.join(bases)}"

    def rule_import(self, concepts: Iterable[Concept]) -> list[str]:
        """The import of what the printed class methods of types call."""
        called = self.style.methods and any(map(attrgetter("rules"), concepts))
        return ["from knowcoder.schema import rules"] if called else []

    def _class(self, name: str) -> _Class:
        """What is remembered of a class, found out once."""
        known = self._classes
        if name in known:
            return known[name]
        concept = self.library.by_name(name)
        root = BASES[kind_of(concept)]
        chain: list[str] = []
        above = self._base(concept)
        while above is not None:
            chain.append(above.name)
            above = self._base(above)
        hinted = [self._ids[id].name for id in hints(concept)] if self._hinted else []
        helpers = {hint: self._class(hint) for hint in hinted}
        bare = f"class {name}({root}): ..."
        found = known[name] = _Class(concept, name, root, tuple(chain), (), helpers, {}, bare)
        for ancestor in chain:
            if ancestor not in known:
                self._below.setdefault(ancestor, []).append(found)
        for below in (found, *self._below.pop(name, ())):
            below.shown = tuple([ancestor for ancestor in below.chain if ancestor in known])
        return found

    def _code(self, found: _Class, base: str) -> str:
        code = found.codes[base] = self.class_code(found.concept, base, self._path(found.concept, base))
        return code

    def _needed(self, offered: Mapping[str, _Class]) -> tuple[dict[str, _Class], dict[str, _Class]]:
        """The classes to define and the classes to import beside those that are offered."""
        extra: dict[str, _Class] = {}
        for found in offered.values():
            if found.helpers:
                extra |= found.helpers
        if self.style.parents == "import":
            extra |= {name: self._class(name) for found in offered.values() for name in found.chain[:1]}
        elif self.style.parents == "define":
            # From the root down, so that lines of one family stand together.
            family = [*(found for name, found in extra.items() if name not in offered), *offered.values()]
            extra = {name: self._class(name) for found in family for name in reversed(found.chain)} | extra
        if not extra.keys().isdisjoint(offered):
            extra = {name: found for name, found in extra.items() if name not in offered}
        return ({}, extra) if self.style.parents == "import" else (extra, {})

    def _in_order(
        self,
        classes: Iterable[_Class],
        printed: Mapping[str, _Class],
        extra: Container[str],
        imported: Container[str],
    ) -> dict[str, str]:
        """The definitions of classes by name, each after that of its base."""
        order: dict[str, str] = {}
        pending = [*classes]
        pending.reverse()
        while pending:
            found = pending.pop()
            name = found.name
            base = found.root
            for ancestor in found.shown:
                if ancestor in printed:
                    base = ancestor
                    break
            if base is not found.root and base not in order and base not in imported:
                pending += found, printed[base]
            elif name not in extra:
                order[name] = found.codes.get(base) or self._code(found, base)
            else:
                order[name] = found.bare if base is found.root else f"class {name}({base}): ..."
        return order

    def _base(self, concept: Concept) -> Concept | None:
        """The nearest ancestor that a class may inherit from so that all type-checks; None if that is none.

        An ancestor's own base is one that the class may inherit from as well, for to narrow is transitive.
        """
        if concept.parent is None:
            return None
        if type(concept) is EntityType or not self._hinted:
            return self._ids[concept.parent]
        if concept.id not in self._bases:
            family = [concept]  # upwards, to an ancestor of which it is known: no recursion, however deep
            while (parent := family[-1].parent) is not None and parent not in self._bases:
                family.append(self._ids[parent])
            for one in reversed(family):
                base = None if one.parent is None else self._ids[one.parent]
                while base is not None and not self._narrows(one, base):
                    base = self._bases[base.id]
                self._bases[one.id] = base
        return self._bases[concept.id]

    def argument_class(self, type_name: str, types: tuple[str, ...]) -> str:
        """The class by which an answer names a mention in a slot whose hints are ``types`` (ids).

        Its own class if the slot hints it, else its nearest ancestor that the slot hints, else ``Entity``.
        """
        if not types or not self.style.hints or type_name not in self.library:
            return "Entity"
        found = self._arguments.get((type_name, types))
        if found is None:
            id = self.library.by_name(type_name).id
            fitting = (near for near in (id, *self.library.ancestors(id)) if near in types)
            nearest = next(fitting, None)
            found = "Entity" if nearest is None else self.library.by_id(nearest).name
            self._arguments[type_name, types] = found
        return found

    def _path(self, concept: Concept, base: str) -> str:
        """The ancestors between a class and its base, nearest first."""
        if not self._described or concept.parent is None or self._ids[concept.parent].name == base:
            return ""
        ancestors = [self._ids[id].name for id in self.library.ancestors(concept.id)]
        return ", ".join(ancestors[: ancestors.index(base)] if base in ancestors else ancestors)

    def _members(self, concept: Concept) -> str:
        """Fields and methods of a class, each line with the line break before it."""
        lines: list[str] = []
        if isinstance(concept, RelationType) and self.style.hints:
            for slot, types in (("head", concept.head), ("tail", concept.tail)):
                if types:
                    lines.append(f"\n{INDENT}{slot}: {self._union(types)}")
        elif isinstance(concept, EventType) and self.roles:
            for role in concept.roles:
                lines.append(f"\n{INDENT}{role.name}: list[{self._union(role.types)}] = []")
                if role.description and self._described:
                    lines.append(f'\n{INDENT}"""{in_docstring(one_line(role.description))}"""')
        if concept.rules and self.style.methods:
            lines += self._methods(concept)
        return "".join(lines)

    def _union(self, types: tuple[str, ...]) -> str:
        found = self._unions.get(types)
        if found is None:
            names = [self._ids[id].name for id in types] if self.style.hints else []
            found = self._unions[types] = " | ".join(names) or "Entity"
        return found

    def _methods(self, concept: Concept) -> list[str]:
        events = self.library.events if isinstance(concept, EventType) else ()
        taken = {role.name for event in events for role in event.roles}  # a role is a field, which may be inherited
        lines: list[str] = []
        for rule in concept.rules:
            function, _, told = rule.partition(":")
            name = next(n for i in count(1) if (n := f"{function}{i if i > 1 else ''}") not in taken)
            taken.add(name)
            arguments = ", ".join(["mention", "after", *([quote(told)] if told else [])])
            lines += [
                f"\n\n{INDENT}@classmethod",
                f"\n{INDENT}def {name}(cls, mention: str, after: str) -> str | None:",
                f"\n{INDENT * 2}return rules.{function}({arguments})",
            ]
        return lines

    def _narrows(self, concept: Concept, ancestor: Concept) -> bool:
        """Whether the fields of a class may override those of an ancestor."""
        if isinstance(concept, RelationType) and isinstance(ancestor, RelationType):
            slots = ((concept.head, ancestor.head), (concept.tail, ancestor.tail))
            return all(self._covers(wide, narrow) for narrow, wide in slots)
        if isinstance(concept, EventType) and isinstance(ancestor, EventType):
            # Fields are inherited, the ancestor's first: a class cannot do without a role of its base.
            pairs = zip_longest(ancestor.roles, concept.roles[: len(ancestor.roles)])
            return all(own and (own.name, set(own.types)) == (role.name, set(role.types)) for role, own in pairs)
        return True

    def _covers(self, wide: tuple[str, ...], narrow: tuple[str, ...]) -> bool:
        """Whether every type of the narrow union is, or inherits from, one of the wide union; empty is Entity."""
        if not wide:
            return True
        return bool(narrow) and all(
            type_id in wide or not set(wide).isdisjoint(self.library.ancestors(type_id)) for type_id in narrow
        )


def import_lines(names: Iterable[str], library: SchemaLibrary) -> list[str]:
    """``from Entities import City, Human`` lines for types that are not defined where they are used."""
    found: dict[str, list[str]] = {module: [] for module in MODULES.values()}
    for name in names:
        found[MODULES[kind_of(library.by_name(name))]].append(name)
    return [f"from {module} import {', '.join(listed)}" for module, listed in found.items() if listed]
