"""From Python source to types: our own rendering, a user's classes, and the published class definitions.

Source text is parsed, never run. Base classes decide what a class is; where they do not (the published
definitions inherit from classes that are defined nowhere), its fields and constructor do.
"""

from __future__ import annotations

import ast
import keyword
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

from knowcoder.errors import DataError
from knowcoder.schema import rules
from knowcoder.schema.concepts import Role
from knowcoder.schema.definition import BASES, Definition, concepts_of, is_slot, source_of
from knowcoder.schema.docstring import read_docstring
from knowcoder.schema.json_pieces import JsonFile
from knowcoder.schema.library import SchemaLibrary
from knowcoder.schema.naming import python_name
from knowcoder.schema.source import SchemaSource, library_of

_LISTS = frozenset({"list", "List"})
_GENERIC = _LISTS | {"Optional", "Union"}
_TEXTS = frozenset({"str", "int", "float", "bool", "None"})


def read_python(source: str, where: str = "source") -> SchemaLibrary:
    """Types of the classes that a Python text defines; ids are the class names.

    A parent or type hint that the text does not define becomes a type without a description.

    Raises:
        DataError: the text is not Python, or its classes do not make a library.
    """
    return library_of(concepts_of(definitions_of(source, where)))


def read_python_files(path: str | Path) -> SchemaSource:
    """Types of the classes in a Python file, in all ``*.py`` of a folder, or in JSON of the published form.

    That is an object whose values are class definitions; a folder is searched for it where it has no ``*.py``.

    Raises:
        DataError: there is no such file, one is not Python, or a class is defined twice.
    """
    root = Path(path)
    files = [root]
    if root.is_dir():
        files = sorted(root.rglob("*.py")) or sorted(root.glob("*.json"))
    if not files or not all(file.is_file() for file in files):
        raise DataError(f"{root}: no Python file here; give a file or a folder with *.py, or JSON of class definitions")
    return source_of(found for file in files for found in _definitions_in(file))


def _definitions_in(file: Path) -> Iterator[Definition]:
    if file.suffix != ".json":
        yield from definitions_of(_text(file), str(file))
        return
    document = JsonFile(file)
    for piece in document.members(document.whole).values():
        yield from definitions_of(document.parse(piece, str), str(file), piece.line)


def _text(file: Path) -> str:
    data = file.read_bytes()
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = 1 + data.count(b"\n", 0, error.start)
        raise DataError(f"{file}:{line}: not UTF-8 ({error.reason}); save the file as UTF-8") from error


def definitions_of(source: str, file: str, line: int = 0) -> list[Definition]:
    """The class definitions of a Python text; ``line`` is where it stands in the file, if it is a part of it.

    Raises:
        DataError: the text is not Python, or a class or type hint cannot be understood.
    """
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        # The published definitions have parameters that are keywords, such as ``from``.
        source = _without_keyword_names(source)
        try:
            tree = ast.parse(source)
        except (SyntaxError, ValueError) as error:
            at = line or getattr(error, "lineno", None) or 1
            raise DataError(f"{file}:{at}: not Python ({error}); correct the file") from error
    lines = re.split(r"\r\n|\r|\n", source)  # as Python counts them
    return [
        _definition(node, lines, file, line or node.lineno)
        for node in tree.body
        if isinstance(node, ast.ClassDef) and not _is_base(node)
    ]


def _is_base(node: ast.ClassDef) -> bool:
    return node.name in BASES and not node.bases


def _without_keyword_names(source: str) -> str:
    """Give keywords that stand as names in published constructors the name that Python takes."""
    words = "|".join(keyword.kwlist)
    source = re.sub(rf"(?m)^(\s*)({words})(: List\[)", r"\1\2_\3", source)
    return re.sub(rf"(?m)^(\s*)self\.({words}) = \2$", r"\1self.\2_ = \2_", source)


def _definition(node: ast.ClassDef, lines: Sequence[str], file: str, line: int) -> Definition:
    bases = tuple(filter(None, map(_last_name, node.bases)))
    if not bases:
        raise DataError(f"{file}:{line}: class {node.name!r} inherits from nothing; let it inherit from Entity")
    found = Definition(node.name, bases, file, line, read_docstring(ast.get_docstring(node, clean=False) or ""))
    descriptions = role_descriptions(node)
    for statement in node.body:
        try:
            if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                name = statement.target.id
                add_field(found, name, statement.annotation, descriptions.get(name, ""))
            elif isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
                _read_constructor(found, statement, lines)
        except DataError as error:
            at = line - node.lineno + statement.lineno
            raise DataError(f"{file}:{at}: class {node.name!r}: {error}") from error
    found.rules = rules_in(node, file)
    return found


def role_descriptions(node: ast.ClassDef) -> dict[str, str]:
    """The texts that stand below the fields of a class, by field."""
    return {
        field.target.id: text
        for field, below in pairwise(node.body)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name) and (text := _text_of(below))
    }


def rules_in(node: ast.ClassDef, file: str) -> tuple[str, ...]:
    """The rules that the methods of a class call.

    Raises:
        DataError: a rule is not registered.
    """
    methods = (statement for statement in node.body if isinstance(statement, ast.FunctionDef))
    return tuple(rule for method in methods if (rule := _rule(method, file)))


def add_field(found: Definition, name: str, annotation: ast.expr, description: str = "") -> None:
    """Take a field as it is annotated, if it says something of the schema.

    Raises:
        DataError: the annotation is no type hint.
    """
    try:
        annotation = _unquoted(annotation)
        is_list = _is_list(annotation)
        if is_slot(name, is_list):
            found.add_slot(name, list(_types(annotation)), is_list, description)
    except DataError as error:
        raise DataError(f"{name}: {error}") from error


def _read_constructor(found: Definition, function: ast.FunctionDef, lines: Sequence[str]) -> None:
    found.complete = True
    for argument in [*function.args.args, *function.args.kwonlyargs]:
        if argument.annotation is not None:
            add_field(found, argument.arg, argument.annotation)
        if argument.arg == "trigger" and not found.docstring.examples:
            _, _, found.docstring.examples = lines[argument.lineno - 1].partition("# Examples: ")
    for statement in function.body:
        if isinstance(statement, ast.Assign) and _last_name(statement.targets[0]) == "arg_names":
            for value in statement.value.elts if isinstance(statement.value, ast.List) else []:
                name = python_name(_text_of(value))
                found.roles.setdefault(name, Role(name=name))
                found.untyped.add(name)


def _rule(function: ast.FunctionDef, file: str) -> str:
    """The rule that a method calls, ``return rules.cut_at(mention, after, "such as")``; empty where it calls none."""
    match function.body[-1]:
        case ast.Return(ast.Call(ast.Attribute(ast.Name("rules"), name), [_, _, *told])):
            rule = ":".join([name, *map(_text_of, told)])
            try:
                rules.check(rule)
            except DataError as error:
                raise DataError(f"{file}:{function.lineno}: {error}") from error
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
    return isinstance(annotation, ast.Subscript) and _last_name(annotation.value) in _LISTS


def _unquoted(annotation: ast.expr) -> ast.expr:
    """What a hint in quotes says; it is parsed, never evaluated."""
    text = _text_of(annotation)
    if not text:
        return annotation
    try:
        return _unquoted(ast.parse(text.strip(), mode="eval").body)
    except (SyntaxError, ValueError):
        raise DataError(f"{text!r} is no type hint; write City, City | Town or list[City]") from None


def _types(annotation: ast.expr) -> Iterator[str]:
    """Class names of a hint: through lists, unions and quotes; ``None`` and ``str`` are none."""
    annotation = _unquoted(annotation)
    match annotation:
        case ast.Name(name) | ast.Attribute(attr=name):
            if name not in _TEXTS:
                yield "Entity" if name in ("Any", "object") else name
        case ast.Constant(None):
            return
        case ast.BinOp(left, ast.BitOr(), right):
            yield from _types(left)
            yield from _types(right)
        case ast.Subscript(value, inner) if _last_name(value) in _GENERIC:
            for item in inner.elts if isinstance(inner, ast.Tuple) else [inner]:
                yield from _types(item)
        case _:
            raise DataError(f"{ast.unparse(annotation)!r} is no type hint; write City, City | Town or list[City]")
