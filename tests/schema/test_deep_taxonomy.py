"""A taxonomy may be as deep as it likes: nothing recurses along it."""

from __future__ import annotations

import sys

import pytest

from knowcoder.schema.concepts import EntityType, RelationType
from knowcoder.schema.library import SchemaLibrary
from knowcoder.schema.render import Style, definitions, library_source

DEPTH = 5000
LAST, FIRST = f"C{DEPTH - 1}", "C0"


def chain(kind: type[EntityType] | type[RelationType], children_first: bool) -> SchemaLibrary:
    types = [kind(id=f"C{n}", name=f"C{n}", parent=f"C{n - 1}" if n else None) for n in range(DEPTH)]
    if children_first:
        types.reverse()
    return SchemaLibrary(tuple(types)) if kind is EntityType else SchemaLibrary((), tuple(types))  # type: ignore[arg-type]


@pytest.mark.parametrize("kind", [EntityType, RelationType])
@pytest.mark.parametrize("children_first", [False, True])
def test_five_thousand_levels(kind: type[EntityType] | type[RelationType], children_first: bool) -> None:
    assert sys.getrecursionlimit() < DEPTH
    library = chain(kind, children_first)
    assert library.ancestors(LAST)[-1] == FIRST
    assert len(library.descendants(FIRST)) == DEPTH - 1
    assert len(library.subset([LAST])) == DEPTH
    source = library_source(library)
    compile(source, "rendered", "exec")
    places = [source.index(f"class C{n}(") for n in range(DEPTH)]
    assert places == sorted(places)
    both = definitions([LAST, FIRST], library, Style())
    assert f"class {LAST}({FIRST}):" in both
    assert f"Parents: C{DEPTH - 2}, " in both
    assert f"class {LAST}(C{DEPTH - 2}):" in definitions([LAST], library, Style(parents="import"))
