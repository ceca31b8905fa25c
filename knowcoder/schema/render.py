"""Types as Python class definitions: what a user would write with our base classes (the clean dialect)."""

from __future__ import annotations

import re
from collections.abc import Collection, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count, zip_longest
from typing import Literal, TypeAlias, cast

from knowcoder.errors import DataError
from knowcoder.schema.concepts import Concept, EntityType, EventType, RelationType
from knowcoder.schema.library import SchemaLibrary, hints, kind_of

BASES = {"entity": "Entity", "relation": "Relation", "event": "Event"}
_ROOTS: dict[type, str] = {EntityType: "Entity", RelationType: "Relation", EventType: "Event"}
MODULES = {"entity": "Entities", "relation": "Relations", "event": "Events"}  # as in the published library
INDENT = "    "

# What a string in double quotes cannot hold as it is; surrogates cannot be encoded in a source file.
_SPECIAL = re.compile(r'[\x00-\x1f\x7f"\\\ud800-\udfff]')
_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
# An example that must be quoted so that a list of examples can be read back.
_NOT_PLAIN = re.compile(r'^"|^\s|\s$|^$|, |[^\S ]|[\x00-\x1f\x7f\ud800-\udfff]')

Pair: TypeAlias = tuple[str, str]


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


def escape(text: str) -> str:
    """Text as it stands between double quotes in Python; each escaped character by its shortest form."""
    return _SPECIAL.sub(_escaped, text)


def quote(text: str) -> str:
    """Text as a Python string literal in double quotes."""
    return f'"{escape(text)}"'


def one_line(text: str) -> str:
    """Text with every run of white space as one space: descriptions are single lines."""
    if text.isprintable() and "  " not in text and text[:1] != " " and text[-1:] != " ":
        return text  # no other white space is printable
    return " ".join(text.split())


def library_source(library: SchemaLibrary) -> str:
    """A whole library as a Python module, with every example; ``python_source`` reads it back."""
    most = max((len(concept.examples) for concept in library), default=0)
    return definitions([concept.name for concept in library], library, Style(examples=most, methods=True)) + "\n"


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


class Renderer:
    """Writes classes of one library in one style, and remembers what it wrote."""

    def __init__(self, library: SchemaLibrary, style: Style, roles: bool = True) -> None:
        self.library, self.style, self.roles = library, style, roles
        self._hinted = style.hints and roles
        self._chains: dict[str, tuple[str, ...]] = {}
        self._helpers: dict[str, tuple[str, ...]] = {}
        self._codes: dict[tuple[str, str], str] = {}
        self._arguments: dict[tuple[str, tuple[str, ...]], str] = {}

    def definitions(self, names: Sequence[str]) -> str:
        """See ``definitions``."""
        if not names:
            return ""
        bases, imported, blocks = self.parts(names)
        imports = [f"from knowcoder import {', '.join(bases)}", *self.rule_imports(names)]
        imports += import_lines(imported, self.library)
        return "\n\n".join(["\n".join(imports), *blocks])

    def parts(self, names: Sequence[str]) -> tuple[list[str], list[str], list[str]]:
        """Base classes, names of the types to import, and blocks of code, from which definitions are put together."""
        offered = {name: self.library.by_name(name) for name in names}
        extra: list[str] = []
        if self._hinted:
            helpers = (helper for name, concept in offered.items() for helper in self._helpers_of(name, concept))
            extra = [name for name in dict.fromkeys(helpers) if name not in offered]
        imported: list[str] = []
        if self.style.parents == "import":
            parents = [chain[0] for name in offered if (chain := self.chain(name))]
            imported = [name for name in dict.fromkeys(extra + parents) if name not in offered]
            extra = []
        elif self.style.parents == "define":
            # From the root down, so that lines of one family stand together.
            above = (ancestor for name in [*extra, *offered] for ancestor in reversed(self.chain(name)))
            extra = [name for name in dict.fromkeys([*above, *extra]) if name not in offered]
        printed = offered
        if extra or imported:
            printed = {name: self.library.by_name(name) for name in extra} | offered
            printed |= {name: self.library.by_name(name) for name in imported}
        blocks: list[str] = []
        lines: list[str] = []  # bare helper classes stand line by line, without blank lines
        for name, base in self._in_order(printed, frozenset(imported)).items():
            if name not in offered:
                lines.append(f"class {name}({base}): ...")
                continue
            if lines:
                blocks.append("\n".join(lines))
                lines.clear()
            blocks.append(self._codes.get((name, base)) or self.class_code(name, base))
        if lines:
            blocks.append("\n".join(lines))
        return self._bases(printed), imported, blocks

    def _in_order(self, printed: Mapping[str, Concept], imported: Collection[str]) -> dict[str, str]:
        """The classes to define with their bases: entities, relations, events, and each after its base."""
        order: dict[str, str] = {}
        given = set(map(type, printed.values()))
        for kind, root in _ROOTS.items():
            if kind not in given:
                continue
            for name, concept in printed.items():
                if type(concept) is not kind or name in order or name in imported:
                    continue
                base = self._nearest(name, concept, printed)
                if base is None:
                    order[name] = root
                    continue
                if base not in order:
                    for ancestor in reversed(self.chain(name)):
                        if ancestor in printed and ancestor not in order and ancestor not in imported:
                            order[ancestor] = self._nearest(ancestor, printed[ancestor], printed) or root
                order[name] = base
        return order

    def _nearest(self, name: str, concept: Concept, printed: Container[str]) -> str | None:
        """The nearest ancestor that is printed."""
        if concept.parent is None:
            return None
        chain = self._chains.get(name)
        if chain is None:
            if isinstance(concept, EntityType):
                parent = self.library.by_id(concept.parent).name
                if parent in printed:  # mostly so when a whole library is written, where the chain is not needed
                    return parent
            chain = self.chain(name)
        for ancestor in chain:
            if ancestor in printed:
                return ancestor
        return None

    def class_code(self, name: str, base: str) -> str:
        """The definition of one class that inherits from ``base``."""
        code = self._codes.get((name, base))
        if code is None:
            concept = self.library.by_name(name)
            said = self._docstring(concept, base)
            if not isinstance(concept, EntityType):
                said += "".join(f"\n{line}" for line in self._fields(concept))
            if concept.rules and self.style.methods:
                methods = "\n".join(self._methods(concept))
                said += f"\n{methods}" if said else methods
            code = self._codes[name, base] = f"class {name}({base}):{said or ' ...'}"
        return code

    def _helpers_of(self, name: str, concept: Concept) -> tuple[str, ...]:
        """Names of the entity classes that the type hints of a class name."""
        if isinstance(concept, EntityType):
            return ()
        found = self._helpers.get(name)
        if found is None:
            found = self._helpers[name] = tuple(self.library.by_id(id).name for id in hints(concept))
        return found

    def chain(self, name: str) -> tuple[str, ...]:
        """Names of the ancestors that a class may inherit from, nearest first, so that all type-checks.

        All above the farthest ancestor whose fields the class may not override, so the chain of an ancestor in
        the chain is within it.
        """
        found = self._chains.get(name)
        if found is None:
            concept = self.library.by_name(name)
            fitting: list[str] = []
            for id in reversed(self.library.ancestors(concept.id)):
                ancestor = self.library.by_id(id)
                if self._hinted and not self._narrows(concept, ancestor):
                    break
                fitting.append(ancestor.name)
            found = self._chains[name] = tuple(reversed(fitting))
        return found

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

    def _bases(self, printed: Mapping[str, Concept]) -> list[str]:
        """The base classes that types need."""
        types: set[type] = set(map(type, printed.values()))
        if RelationType in types or (EventType in types and self.roles):
            types.add(EntityType)  # answers may name a mention by the base class
        bases = [base for kind, base in _ROOTS.items() if kind in types]
        for base in bases:
            if base in printed:
                raise DataError(f"the class {base!r} hides the base class of the same name; rename it in the library")
        return bases

    def _docstring(self, concept: Concept, base: str) -> str:
        """The docstring with the line break before it, or nothing."""
        description = path = ""
        if self.style.descriptions:
            description = one_line(concept.description)
            path = self._path(concept, base)
        examples = list_examples(concept.examples[: self.style.examples])
        lines = f"\n{INDENT}Parents: {path}" if path else ""
        if examples or "Examples:" in description:  # an empty list says that the word belongs to the description
            lines += (
                f"\n{INDENT}Examples: {_in_docstring(examples, last=False)}" if examples else f"\n{INDENT}Examples:"
            )
        if lines:
            return f'\n{INDENT}"""{_in_docstring(description, last=False)}{lines}\n{INDENT}"""'
        return f'\n{INDENT}"""{_in_docstring(description)}"""' if description else ""

    def _path(self, concept: Concept, base: str) -> str:
        """The ancestors between a class and its base, nearest first."""
        if concept.parent is None or self.library.by_id(concept.parent).name == base:
            return ""
        ancestors = [self.library.by_id(id).name for id in self.library.ancestors(concept.id)]
        return ", ".join(ancestors[: ancestors.index(base)] if base in ancestors else ancestors)

    def _fields(self, concept: Concept) -> list[str]:
        if isinstance(concept, RelationType):
            slots = (("head", concept.head), ("tail", concept.tail))
            return [f"{INDENT}{slot}: {self._union(types)}" for slot, types in slots if types and self.style.hints]
        lines: list[str] = []
        if isinstance(concept, EventType) and self.roles:
            for role in concept.roles:
                lines.append(f"{INDENT}{role.name}: list[{self._union(role.types)}] = []")
                if role.description and self.style.descriptions:
                    lines.append(f'{INDENT}"""{_in_docstring(one_line(role.description))}"""')
        return lines

    def rule_imports(self, names: Iterable[str]) -> list[str]:
        """What the printed class methods of types call."""
        called = self.style.methods and any(self.library.by_name(name).rules for name in names)
        return ["from knowcoder.schema import rules"] if called else []

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
                "",
                f"{INDENT}@classmethod",
                f"{INDENT}def {name}(cls, mention: str, after: str) -> str | None:",
                f"{INDENT * 2}return rules.{function}({arguments})",
            ]
        return lines

    def _union(self, types: Iterable[str]) -> str:
        names = [self.library.by_id(id).name for id in types] if self.style.hints else []
        return " | ".join(names) or "Entity"

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
    return [f"from {module} import {', '.join(found)}" for module, found in by_module(names, library).items()]


def by_module(names: Iterable[str], library: SchemaLibrary) -> dict[str, list[str]]:
    """Names of types by the module of their kind."""
    found: dict[str, list[str]] = {module: [] for module in MODULES.values()}
    for name in names:
        found[MODULES[kind_of(library.by_name(name))]].append(name)
    return {module: listed for module, listed in found.items() if listed}


def list_examples(examples: Sequence[str] | Sequence[Pair]) -> str:
    """Examples on one line: ``Ada, London`` or ``(Ada, London), (Bo, Cork)``; quoted where a comma would mislead."""
    words = cast(Sequence[str], examples) if examples and isinstance(examples[0], str) else ()
    if words and _needs_no_quotes(line := ", ".join(words), len(words)):
        return line
    return ", ".join(
        _example(item) if isinstance(item, str) else f"({_example(item[0])}, {_example(item[1])})" for item in examples
    )


def _needs_no_quotes(line: str, count: int) -> bool:
    """Whether so many examples, already on one line, are surely plain: a look at all of them instead of at each."""
    return (
        line.isprintable()
        and '"' not in line
        and "  " not in line
        and " ," not in line
        and line.count(", ") == count - 1
        and line[:1] not in (" ", ",", "")
        and line[-1:] != " "
    )


def _example(text: str) -> str:
    return quote(text) if _NOT_PLAIN.search(text) else text


def _escaped(match: re.Match[str]) -> str:
    char = match[0]
    return _SHORT.get(char) or (f"\\x{ord(char):02x}" if ord(char) < 128 else f"\\u{ord(char):04x}")


def _in_docstring(text: str, last: bool = True) -> str:
    """Text for use between triple quotes; ``last`` if the closing quotes follow it at once."""
    if text.isprintable() and "\\" not in text and '"' not in text:
        return text
    text = re.sub(r"[\ud800-\udfff]", "\ufffd", text)  # half a character, which CPython takes in no docstring
    text = re.sub(r"[\x00-\x1f\x7f\\]", _escaped, text)
    if '"""' in text:
        return text.replace('"', '\\"')
    return text[:-1] + '\\"' if last and text.endswith('"') else text
