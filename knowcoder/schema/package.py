"""A whole library as an importable Python package: a module per kind, as the published library is laid out."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from knowcoder.schema.library import KINDS, Kind, SchemaLibrary, hints
from knowcoder.schema.render import BASES, MODULES, whole_renderer

PACKAGE = "schema_pys"


def write_package(library: SchemaLibrary, directory: str | Path) -> Path:
    """Write ``schema_pys/{Entities,Relations,Events}.py`` into a folder; ``python_source`` reads it back.

    ``from schema_pys.Entities import City`` gives a class; the modules import from each other.

    Returns:
        The folder of the package.

    Raises:
        DataError: a type hides a base class that is needed beside it.
    """
    folder = Path(directory) / PACKAGE
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "__init__.py", '"""What can be extracted: a class for every type of a schema library."""\n')
    for kind in KINDS:
        _write(folder / f"{MODULES[kind]}.py", module_source(library, kind))
    return folder


def module_source(library: SchemaLibrary, kind: Kind) -> str:
    """All types of one kind as a module of the package, with every example."""
    docstring = f'"""The {MODULES[kind].lower()} of a schema library."""\n'
    concepts = library.of_kind(kind)
    if not concepts:
        return docstring
    render = whole_renderer(library)
    hinted = {library.ids[id].name for concept in concepts for id in hints(concept)}
    names = hinted.union(library.names(kind))
    imports = ["\n".join([render.heading([BASES[kind]], names), *render.rule_import(concepts)])]
    if hinted:
        imports.append(_import(MODULES["entity"], hinted))
    return "\n\n".join([docstring + "\n" + "\n\n".join(imports), *render.everything(kind)]) + "\n"


def _import(module: str, names: Iterable[str]) -> str:
    """A line for each name: a library hints thousands of types."""
    return f"from .{module} import (\n" + "".join(f"    {name},\n" for name in sorted(names)) + ")"


def _write(file: Path, text: str) -> None:
    partial = file.with_name(file.name + ".partial")
    partial.write_text(text, "utf-8")
    os.replace(partial, file)
