"""From Python source to types: our own rendering, a user's classes, and the published class definitions.

Source text is parsed, never run. Base classes decide what a class is; where they do not (the published
definitions inherit from classes that are defined nowhere), its fields and constructor do.
"""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path

from knowcoder.errors import DataError
from knowcoder.schema import rules
from knowcoder.schema.concepts import Concept, EntityType, EventType, RelationType, Role
from knowcoder.schema.library import Kind, SchemaLibrary
from knowcoder.schema.naming import python_name

_BASES: dict[str, Kind] = {"Entity": "entity", "Relation": "relation", "Event": "event"}
_HEADS, _TAILS = ("head", "head_entity"), ("tail", "tail_entity")
_QUOTED = r'"(?:[^"\\]|\\.)*"'
_ITEM = re.compile(rf"{_QUOTED}(?=, |\Z)|.*?(?=, |\Z)", re.S)
_PAIR = re.compile(rf"\(({_QUOTED}|.*?), ({_QUOTED}|.*?)\)(?:, (?=\()|\Z)", re.S)


@dataclass(slots=True)
class _Class:
    """What a class definition says, by names."""

    name: str
    base: str
    where: str
    description: str = ""
    examples: str = ""
    path: tuple[str, ...] = ()
    published: bool = False
    head: tuple[str, ...] = ()
    tail: tuple[str, ...] = ()
    roles: tuple[tuple[str, tuple[str, ...], str], ...] = ()
    looks_like: Kind = "entity"
    rules: tuple[str, ...] = ()


def read_python(source: str, where: str = "source") -> SchemaLibrary:
    """Types of the classes that a Python text defines; ids are the class names.

    A parent or type hint that the text does not define becomes a type without a description.

    Raises:
        DataError: the text is not Python, or its classes do not make a library.
    """
    return _library(_classes_of_source(source, where))


def read_python_files(path: str | Path) -> SchemaLibrary:
    """Types of the classes in a Python file, or in all ``*.py`` of a folder.

    Raises:
        DataError: there is no such file, or one is not Python.
    """
    root = Path(path)
    files = sorted(root.rglob("*.py")) if root.is_dir() else [root]
    if not files or not all(file.is_file() for file in files):
        raise DataError(f"{root}: no Python file here; give a file or a folder with *.py")
    return _library([found for file in files for found in _classes_of_source(file.read_text("utf-8"), str(file))])


def read_docstring(docstring: str) -> tuple[str, tuple[str, ...]]:
    """Description and examples of an entity's or event's docstring."""
    found = _Class("", "", "")
    _read_docstring(found, docstring)
    return found.description, _items(found.examples, found.published)


def _library(classes: Sequence[_Class]) -> SchemaLibrary:
    by_name: dict[str, _Class] = {}
    for item in classes:
        if item.name in by_name:
            raise DataError(f"{item.where}: the class {item.name!r} is defined twice; rename or remove one")
        by_name[item.name] = item
    kinds: dict[str, Kind] = {item.name: _kind(item, by_name) for item in classes}
    for item in classes:
        for parent, child in zip(_parents(item), (item.name, *_parents(item)), strict=False):
            kinds.setdefault(parent, kinds[child])
            by_name.setdefault(parent, _Class(parent, _BASE_OF[kinds[parent]], item.where))
        for hint in (*item.head, *item.tail, *(type for role in item.roles for type in role[1])):
            kinds.setdefault(hint, "entity")
            by_name.setdefault(hint, _Class(hint, "Entity", item.where))
    defined = {item.name for item in classes}
    for item in classes:  # a path names the parents of what it leads through, as far as they are not defined
        path = _parents(item)
        for child, parent in pairwise(path):
            if child not in defined:
                by_name[child].base = parent
    concepts = [replace(_concept(item, kinds[name]), rules=item.rules) for name, item in by_name.items()]
    return SchemaLibrary(
        tuple(concept for concept in concepts if isinstance(concept, EntityType)),
        tuple(concept for concept in concepts if isinstance(concept, RelationType)),
        tuple(concept for concept in concepts if isinstance(concept, EventType)),
    )


_BASE_OF: dict[Kind, str] = {kind: base for base, kind in _BASES.items()}


def _parents(item: _Class) -> tuple[str, ...]:
    """Ancestors that a class names, nearest first: the path in its docstring, then its base."""
    named = (*item.path, item.base)
    return tuple(name for name in named if name not in _BASES and name != item.name)


def _kind(item: _Class, by_name: dict[str, _Class]) -> Kind:
    seen: set[str] = set()
    while item.base not in _BASES and item.base in by_name and item.name not in seen:
        seen.add(item.name)
        item = by_name[item.base]
    return _BASES.get(item.base, item.looks_like)


def _concept(item: _Class, kind: Kind) -> Concept:
    parent = next(iter(_parents(item)), None)
    if kind == "relation":
        return RelationType(
            id=item.name,
            name=item.name,
            description=item.description,
            parent=parent,
            examples=_pairs(item.examples, item.published),
            head=item.head,
            tail=item.tail,
        )
    examples = _items(item.examples, item.published)
    if kind == "entity":
        return EntityType(id=item.name, name=item.name, description=item.description, parent=parent, examples=examples)
    return EventType(
        id=item.name,
        name=item.name,
        description=item.description,
        parent=parent,
        examples=examples,
        roles=tuple(Role(name=name, types=types, description=text) for name, types, text in item.roles),
    )


# --- source text


def _classes_of_source(source: str, where: str) -> list[_Class]:
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        # The published definitions have parameters that are keywords, such as ``from``.
        source = _without_keyword_names(source)
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError) as error:
            line = getattr(error, "lineno", None) or 1
            raise DataError(f"{where}:{line}: not Python ({error}); correct the file") from error
    lines = re.split(r"\r\n|\r|\n", source)  # as Python counts them
    return [
        _class_in_source(node, lines, where)
        for node in tree.body
        if isinstance(node, ast.ClassDef) and not _is_base(node)
    ]


def _is_base(node: ast.ClassDef) -> bool:
    return node.name in _BASES and not node.bases


def _without_keyword_names(source: str) -> str:
    """Give keywords that stand as names in published constructors the name that Python takes."""
    words = "|".join(keyword.kwlist)
    source = re.sub(rf"(?m)^(\s*)({words})(: List\[)", r"\1\2_\3", source)
    return re.sub(rf"(?m)^(\s*)self\.({words}) = \2$", r"\1self.\2_ = \2_", source)


def _class_in_source(node: ast.ClassDef, lines: Sequence[str], where: str) -> _Class:
    bases = [_last_name(base) for base in node.bases]
    place = f"{where}:{node.lineno}"
    if not bases or not bases[0]:
        raise DataError(f"{place}: class {node.name!r} inherits from nothing; let it inherit from Entity or another")
    found = _Class(node.name, bases[0], place)
    _read_docstring(found, ast.get_docstring(node, clean=False) or "")
    body = node.body
    for number, statement in enumerate(body):
        if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
            following = body[number + 1] if number + 1 < len(body) else None
            _add_field(found, statement.target.id, statement.annotation, _text_of(following))
        elif isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
            _read_constructor(found, statement, lines)
        elif isinstance(statement, ast.FunctionDef) and (rule := _rule(statement, where)):
            found.rules += (rule,)
    return found


def _add_field(found: _Class, name: str, annotation: ast.expr, description: str = "") -> None:
    types = tuple(type for type in _types(annotation) if type != "Entity")
    if _is_list(annotation):
        found.roles += ((name, types, description),)
        found.looks_like = "event"
    elif name in _HEADS:
        found.head, found.looks_like = types, "relation"
    elif name in _TAILS:
        found.tail, found.looks_like = types, "relation"
    elif name == "trigger":
        found.looks_like = "event"


def _read_constructor(found: _Class, function: ast.FunctionDef, lines: Sequence[str]) -> None:
    for argument in [*function.args.args, *function.args.kwonlyargs]:
        if argument.annotation is not None:
            _add_field(found, argument.arg, argument.annotation)
        if argument.arg == "trigger" and not found.examples:
            _, _, found.examples = lines[argument.lineno - 1].partition("# Examples: ")
    for statement in function.body:
        if isinstance(statement, ast.Assign) and _last_name(statement.targets[0]) == "arg_names":
            values = statement.value.elts if isinstance(statement.value, ast.List) else []
            found.roles += tuple((python_name(_text_of(value)), (), "") for value in values)


def _rule(function: ast.FunctionDef, where: str) -> str:
    """The rule that a method calls, ``return rules.cut_at(mention, after, "such as")``; empty where it calls none."""
    match function.body[-1]:
        case ast.Return(ast.Call(ast.Attribute(ast.Name("rules"), name), [_, _, *told])):
            rule = ":".join([name, *map(_text_of, told)])
            try:
                rules.check(rule)
            except DataError as error:
                raise DataError(f"{where}:{function.lineno}: {error}") from error
            return rule
    return ""


def _last_name(node: ast.expr) -> str:
    """``Human`` of ``Human``, ``"Human"`` and ``people.Human``."""
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else _text_of(node)


def _text_of(node: ast.AST | None) -> str:
    """The string that a node is, or empty."""
    if isinstance(node, ast.Expr):
        node = node.value
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""


def _is_list(annotation: ast.expr) -> bool:
    return isinstance(annotation, ast.Subscript) and _last_name(annotation.value) in ("list", "List")


def _types(annotation: ast.expr) -> Iterator[str]:
    """Class names of an annotation: through lists, unions and quotes; ``None`` and ``str`` are none."""
    if isinstance(annotation, ast.BinOp):
        yield from _types(annotation.left)
        yield from _types(annotation.right)
    elif isinstance(annotation, ast.Subscript):
        inner = annotation.slice
        for item in inner.elts if isinstance(inner, ast.Tuple) else [inner]:
            yield from _types(item)
    elif (text := _text_of(annotation)) and not text.isidentifier():
        yield from _types(_parsed(text))
    elif (name := _last_name(annotation)) and name != "str":
        yield name


def _parsed(annotation: str) -> ast.expr:
    try:
        return ast.parse(annotation, mode="eval").body
    except (SyntaxError, ValueError):
        raise DataError(f"{annotation!r} is no type hint; write class names, | and list[...]") from None


# --- docstrings


def _read_docstring(found: _Class, docstring: str) -> None:
    """Split a docstring into description, path to the parent and examples; ours, a user's or a published one."""
    lines = [line.strip() for line in docstring.split("\n")]
    first = next((line for line in lines if line), "")
    found.published = bool(lines) and not lines[0] and first.startswith("Description:")
    # Our rendering has the description on the first line and everything else below it.
    marks = [number for number, line in enumerate(lines) if number and line.startswith("Examples:")]
    if marks:
        found.examples = " ".join(lines[marks[-1] :])[len("Examples:") :].strip()
        if found.published and found.examples.endswith(","):
            found.examples += " "
        lines[marks[-1] :] = []
    for number, line in enumerate(lines):
        if number and line.startswith("Parents: "):
            found.path = tuple(line[len("Parents: ") :].split(", "))
            lines[number] = ""
    text = " ".join(line for line in lines if line)
    if not marks:
        text, _, examples = text.partition("Examples:")
        found.examples, text = examples.strip(), text.strip()
    found.description = text.removeprefix("Description:").strip() if found.published else text


def _items(text: str, published: bool) -> tuple[str, ...]:
    if published:
        return tuple(text.removesuffix(", ").split(", ")) if text else ()
    found: list[str] = []
    position = 0
    while text and position <= len(text):
        item = _ITEM.match(text, position)
        if item is None:
            break
        found.append(_unquoted(item[0]))
        position = item.end() + len(", ")
    return tuple(found)


def _pairs(text: str, published: bool) -> tuple[tuple[str, str], ...]:
    pairs = [(pair[1], pair[2]) for pair in _PAIR.finditer(text)]
    return tuple(pairs if published else [(_unquoted(head), _unquoted(tail)) for head, tail in pairs])


def _unquoted(text: str) -> str:
    if not re.fullmatch(_QUOTED, text, re.S):
        return text
    try:
        return str(ast.literal_eval(text))
    except (SyntaxError, ValueError):  # quotes that somebody wrote, not those that we put around a comma
        return text
