"""What a library looks like: how many types of which kind and depth, and where one type stands."""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Sequence

from knowcoder.errors import DataError
from knowcoder.schema.concepts import Concept, EventType, RelationType
from knowcoder.schema.library import KINDS, SchemaLibrary, kind_of

_NAMED = 10  # types of a list that are named; the rest is counted


def found(library: SchemaLibrary, text: str) -> tuple[Concept, ...]:
    """Every type of a name, id, label or alias.

    Raises:
        DataError: there is none; the message names those that are spelled alike.
    """
    concepts = library.find(text)
    if not concepts:
        words = {word: concept.name for concept in library for word in (concept.name, concept.label, concept.id)}
        near = dict.fromkeys(words[word] for word in difflib.get_close_matches(text, words, 3, 0.7))
        remedy = f"did you mean {', '.join(near)}?" if near else "stats=true says what the library holds"
        raise DataError(f"no type has the name, id, label or alias {text!r}; {remedy}")
    return concepts


def place_of(concept: Concept, library: SchemaLibrary) -> str:
    """Where a type stands: the path from its root, its words, how many stand beside it, and what is below."""
    path = [library.by_id(id).name for id in reversed(library.ancestors(concept.id))]
    lines = [f"{' > '.join([*path, concept.name])}    id {concept.id}, {kind_of(concept)}"]
    if concept.label or concept.aliases:
        lines.append(f"label: {concept.label or 'none'}; aliases: {', '.join(concept.aliases) or 'none'}")
    beside = len(library.children(concept.parent, kind_of(concept))) - 1
    above = "without a parent" if concept.parent is None else f"under {path[-1]}"
    lines.append(f"beside it: {beside:,} types {above}")
    children = [library.by_id(id).name for id in library.children(concept.id)]
    more = f" and {len(children) - _NAMED:,} more" if len(children) > _NAMED else ""
    below = (
        f": {', '.join(children[:_NAMED])}{more}; {len(library.descendants(concept.id)):,} in all" if children else ""
    )
    lines.append(f"below it: {len(children):,} types{below}")
    if concept.parents:
        lines.append(f"further parents: {', '.join(library.by_id(id).name for id in concept.parents)}")
    return "\n".join(lines)


def statistics(library: SchemaLibrary) -> str:
    """A table of a library's types by kind and depth, with and without description."""
    lines: list[str] = []
    for kind in KINDS:
        concepts = library.of_kind(kind)
        if not concepts:
            continue
        described = sum(bool(concept.description) for concept in concepts)
        lines.append(
            f"{kind} types: {len(concepts):,}; {described:,} with a description, {len(concepts) - described:,} "
            f"without; {sum(bool(concept.examples) for concept in concepts):,} with examples; {_hinted(concepts)}"
        )
        depths = [(len(library.ancestors(concept.id)), bool(concept.description)) for concept in concepts]
        tally = Counter(depths)
        lines.append(f"{'depth':>7}{'types':>10}{'described':>12}{'not':>10}")
        for depth in range(max(depth for depth, _ in depths) + 1):
            with_text, without = tally[depth, True], tally[depth, False]
            lines.append(f"{depth:>7}{with_text + without:>10,}{with_text:>12,}{without:>10,}")
    return "\n".join(lines)


def _hinted(concepts: Sequence[Concept]) -> str:
    """How many types say what they relate to."""
    relations = [concept for concept in concepts if isinstance(concept, RelationType)]
    events = [concept for concept in concepts if isinstance(concept, EventType)]
    if relations:
        heads, tails = sum(bool(one.head) for one in relations), sum(bool(one.tail) for one in relations)
        return f"{heads:,} with head types, {tails:,} with tail types"
    if events:
        roles = [role for event in events for role in event.roles]
        return f"{len(roles):,} roles, {sum(bool(role.types) for role in roles):,} with types"
    return f"{sum(bool(concept.aliases) for concept in concepts):,} with aliases"
