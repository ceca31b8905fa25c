"""What reading a library back from its Python code must give."""

from __future__ import annotations

import re
from dataclasses import replace

from knowcoder.schema.concepts import Concept, RelationType
from knowcoder.schema.library import SchemaLibrary
from knowcoder.schema.quoting import one_line


def with_names_as_ids(library: SchemaLibrary) -> SchemaLibrary:
    """What Python code can hold of a library: descriptions are single lines, and there is no half a character."""

    def name(id: str) -> str:
        return library.by_id(id).name

    def text(description: str) -> str:
        return re.sub("[\ud800-\udfff]", "\ufffd", one_line(description))

    def renamed(concept: Concept) -> Concept:
        parent = None if concept.parent is None else name(concept.parent)
        changed = replace(
            concept,
            id=concept.name,
            label="",
            description=text(concept.description),
            aliases=(),
            parent=parent,
            parents=(),
            described_by="",
        )
        if isinstance(changed, RelationType):
            return replace(changed, head=tuple(map(name, changed.head)), tail=tuple(map(name, changed.tail)))
        roles = [
            replace(role, types=tuple(map(name, role.types)), description=text(role.description))
            for role in getattr(changed, "roles", ())
        ]
        return replace(changed, roles=tuple(roles)) if roles else changed

    kinds = ([renamed(concept) for concept in library.of_kind(kind)] for kind in ("entity", "relation", "event"))
    return SchemaLibrary(*map(tuple, kinds))  # type: ignore[arg-type]


def by_name(library: SchemaLibrary) -> dict[str, Concept]:
    return {concept.name: concept for concept in library}
