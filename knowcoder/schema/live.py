"""From users' own classes, already imported, to types: the same that their source would give.

Type hints are read as written: a hint in quotes is parsed, never evaluated. What Python does not keep of a class, the
descriptions below its fields and the rules that its methods call, is read from its module's file, where there is one.
"""

from __future__ import annotations

import ast
import inspect
import os
import sys
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from types import NoneType
from typing import Any, ForwardRef, TypeAlias, get_args, get_origin

from knowcoder.errors import DataError
from knowcoder.schema.classes import Entity, Event, Relation
from knowcoder.schema.definition import Definition, concepts_of
from knowcoder.schema.docstring import read_docstring
from knowcoder.schema.library import SchemaLibrary
from knowcoder.schema.python_source import add_field, role_descriptions, rules_in
from knowcoder.schema.source import library_of

LiveClass: TypeAlias = type[Entity] | type[Relation] | type[Event]

_BASES = (Entity, Relation, Event)


def read_classes(classes: Iterable[LiveClass]) -> tuple[SchemaLibrary, dict[str, LiveClass]]:
    """A library of classes, their ancestors and the classes that they hint, and the same classes by name.

    Raises:
        DataError: a hint names a class that is not known here, or two classes have the same name.
    """
    given: dict[str, LiveClass] = {}
    for cls in classes:
        _enter(given, cls)
    known: dict[str, LiveClass] = {}
    pending = list(given.values())
    definitions: list[Definition] = []
    for cls in pending:  # which grows on the way
        if known.get(cls.__name__) is cls:
            continue
        _enter(known, cls)
        pending += [base for base in cls.__bases__ if issubclass(base, _BASES) and base not in _BASES]
        definition, hinted = _definition(cls, given)
        definitions.append(definition)
        pending += hinted
    return library_of(concepts_of(definitions)), known


def _enter(classes: dict[str, LiveClass], cls: LiveClass) -> None:
    if classes.setdefault(cls.__name__, cls) is not cls:
        raise DataError(f"two classes are called {cls.__name__!r}; rename one")


def _definition(cls: LiveClass, given: Mapping[str, LiveClass]) -> tuple[Definition, list[type[Entity]]]:
    """What a class says, and the entity classes that its slots name."""
    bases = tuple(base.__name__ for base in cls.__bases__ if issubclass(base, _BASES))
    found = Definition(cls.__name__, bases, cls.__module__, 0, read_docstring(cls.__dict__.get("__doc__") or ""))
    hinted: list[type[Entity]] = []
    written = _written(cls)
    descriptions = {} if written is None else role_descriptions(written)
    for name, hint in inspect.get_annotations(cls).items():
        classes: dict[str, Any] = {}
        text = _as_text(hint, classes)
        before = set(found.hints())
        try:
            add_field(found, name, ast.Constant(text), descriptions.get(name, ""))
        except DataError as error:
            raise DataError(f"{cls.__name__}.{error}") from error
        for hinted_name in found.hints():
            if hinted_name not in before:
                hinted.append(classes.get(hinted_name) or _resolve(cls, name, hinted_name, given))
    if written is not None:
        found.rules = rules_in(written, cls.__module__)
    return found, hinted


def _as_text(hint: Any, classes: dict[str, Any]) -> str:
    """A type hint as it would be written; the entity classes in it are entered by name."""
    if isinstance(hint, str):
        return hint
    if isinstance(hint, ForwardRef):
        return hint.__forward_arg__
    if hint is None or hint is NoneType:
        return "None"
    inner = [_as_text(part, classes) for part in get_args(hint)]
    if get_origin(hint) is list:
        return f"list[{', '.join(inner)}]"
    if inner:
        return " | ".join(inner)
    name: str = getattr(hint, "__name__", "Any")
    if isinstance(hint, type) and issubclass(hint, _BASES):
        classes[name] = hint
    return name


def _resolve(cls: LiveClass, slot: str, name: str, given: Mapping[str, LiveClass]) -> Any:
    """The class that a hint names, looked for where a reader of the class would."""
    found = given.get(name) or getattr(sys.modules.get(cls.__module__), name, None)
    if found is None:
        raise DataError(f"{cls.__name__}.{slot}: the class {name!r} is not known here; give it among the classes")
    return found


def _written(cls: LiveClass) -> ast.ClassDef | None:
    """The definition of a class in its module's file."""
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    try:
        return _written_in(file, os.stat(file).st_mtime_ns).get(cls.__qualname__) if file else None
    except (OSError, SyntaxError, ValueError):  # an archive, an extension, a file that is gone
        return None


@cache
def _written_in(file: str, changed: int) -> dict[str, ast.ClassDef]:
    tree = ast.parse(Path(file).read_bytes())
    return {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
