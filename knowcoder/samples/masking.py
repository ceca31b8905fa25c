"""Names without meaning in the place of class names, so that a model must read the definitions.

Names are changed in the schema and the annotations, before anything is written: a word of a description, an example
or the sentence that happens to be a class name stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import count, islice

from msgspec import structs

from knowcoder.corpus.sentence import Annotations, Event, Mention
from knowcoder.samples.draw import Draw
from knowcoder.schema.library import SchemaLibrary


def masked_names(classes: Sequence[str], library: SchemaLibrary, draw: Draw) -> dict[str, str]:
    """``Label1``, ``Label2``, ... for the classes, numbered in random order, clear of the library's own names."""
    numbered = (f"Label{number}" for number in count(1))
    names = list(islice((name for name in numbered if name not in library), len(classes)))
    draw.shuffle(names)
    return dict(zip(classes, names, strict=True))


def masked_library(library: SchemaLibrary, names: dict[str, str]) -> SchemaLibrary:
    """The part of a library that the named classes need, with their masks as names."""
    part = library.subset(names)
    return SchemaLibrary(
        tuple(replace(concept, name=names.get(concept.name, concept.name)) for concept in part.entities),
        tuple(replace(concept, name=names.get(concept.name, concept.name)) for concept in part.relations),
        tuple(replace(concept, name=names.get(concept.name, concept.name)) for concept in part.events),
    )


def masked_annotations(annotations: Annotations, names: dict[str, str]) -> Annotations:
    """The annotations by their masks."""

    def mention(found: Mention) -> Mention:
        return structs.replace(found, type=names.get(found.type, found.type))

    def event(found: Event) -> Event:
        trigger = None if found.trigger is None else mention(found.trigger)
        arguments = tuple(structs.replace(argument, mention=mention(argument.mention)) for argument in found.arguments)
        return Event(names.get(found.type, found.type), trigger, arguments)

    return Annotations(
        tuple(map(mention, annotations.entities)),
        tuple(
            structs.replace(
                found, type=names.get(found.type, found.type), head=mention(found.head), tail=mention(found.tail)
            )
            for found in annotations.relations
        ),
        tuple(map(event, annotations.events)),
    )
