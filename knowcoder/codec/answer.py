"""From annotations to the code that a model is trained to write: ``results = [...]``."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TypeVar

from knowcoder.corpus.sentence import Annotations, Event, Mention, Relation
from knowcoder.errors import DataError
from knowcoder.schema.concepts import EventType, RelationType, Task
from knowcoder.schema.library import SchemaLibrary
from knowcoder.schema.naming import published_name
from knowcoder.schema.quoting import INDENT, quote
from knowcoder.schema.render import Renderer, Style, renderer

T = TypeVar("T")


def build_answer(
    task: Task, annotations: Annotations, class_names: Collection[str], library: SchemaLibrary, style: Style
) -> str:
    """The answer that names every annotation of the given classes, without a newline at its end.

    The clean dialect names them in order of appearance in the text (where offsets are unknown, in the order
    given); the released dialect keeps the order given and quotes mentions raw.

    Raises:
        DataError: an event has an argument whose role its type does not declare.
    """
    writer = _writer(library, style)
    offered = frozenset(class_names)
    objects: list[str]
    if task == "NER":
        objects = [writer.mention(found) for found in _of(annotations.entities, offered, _start, style)]
    elif task == "RE":
        objects = [writer.relation(found) for found in _of(annotations.relations, offered, _head_start, style)]
    else:
        events = _of(annotations.events, offered, _event_start, style)
        objects = [writer.event(found, arguments=task == "EAE") for found in events]
    if not objects:
        return "results = []"
    if style.dialect == "released":
        return "results = [\n\t" + ",\n\t".join(objects) + "\n]"
    return f"results = [\n{INDENT}" + f",\n{INDENT}".join(objects) + ",\n]"


def argument_names(
    task: Task, annotations: Annotations, class_names: Collection[str], library: SchemaLibrary, style: Style
) -> list[str]:
    """Names of the entity classes that ``build_answer`` wraps arguments in, each once, in order of appearance."""
    writer = _writer(library, style)
    offered = frozenset(class_names)
    used: dict[str, None] = {}
    if task == "RE":
        for relation in _of(annotations.relations, offered, _head_start, style):
            used.update(dict.fromkeys(writer.argument_class(*slot) for slot in writer.slots(relation)))
    elif task == "EAE":
        for event in _of(annotations.events, offered, _event_start, style):
            for filled in writer.fillers(event).values():
                used.update(dict.fromkeys(writer.argument_class(*slot) for slot in filled))
    return list(used)


def _writer(library: SchemaLibrary, style: Style) -> _Writer:
    """The writer of a library in a style, made once: samples are written by the million."""
    key = ("writer", style)
    found: _Writer | None = library.memo.get(key)
    if found is None:
        found = library.memo[key] = _Writer(library, style)
    return found


Slot = tuple[Mention, tuple[str, ...]]
"""A mention, and the ids of the types that its place is hinted with."""


class _Writer:
    """Writes single objects in one style."""

    def __init__(self, library: SchemaLibrary, style: Style) -> None:
        self.library = library
        self.released = style.dialect == "released"
        self.renderer: Renderer = renderer(library, style)

    def quote(self, text: str) -> str:
        return f'"{text}"' if self.released else quote(text)

    def mention(self, mention: Mention) -> str:
        return f"{mention.type}({self.quote(mention.text)})"

    def argument(self, slot: Slot) -> str:
        return f"{self.argument_class(*slot)}({self.quote(slot[0].text)})"

    def argument_class(self, mention: Mention, types: tuple[str, ...]) -> str:
        return self.renderer.argument_class(mention.type, types)

    def relation(self, relation: Relation) -> str:
        head, tail = self.slots(relation)
        return f"{relation.type}({self.argument(head)}, {self.argument(tail)})"

    def slots(self, relation: Relation) -> tuple[Slot, Slot]:
        concept = self.library.by_name(relation.type)
        if not isinstance(concept, RelationType):
            raise DataError(f"{relation.type!r} is no relation of the schema library; a relation is annotated by it")
        return (relation.head, concept.head), (relation.tail, concept.tail)

    def event(self, event: Event, arguments: bool) -> str:
        parts: list[str] = []
        equals = " = " if self.released else "="
        if event.trigger is not None:
            named = f"trigger{equals}" if self.released and arguments else ""
            parts.append(named + self.quote(event.trigger.text))
        if arguments:
            for role, slots in self.fillers(event).items():
                name = published_name(role) if self.released else role
                parts.append(f"{name}{equals}[{', '.join(map(self.argument, slots))}]")
        return f"{event.type}({', '.join(parts)})"

    def fillers(self, event: Event) -> dict[str, list[Slot]]:
        """Role -> its fillers, in the order in which the type declares its roles."""
        concept = self.library.by_name(event.type)
        if not isinstance(concept, EventType):
            raise DataError(f"{event.type!r} is no event of the schema library; an event is annotated by it")
        found: dict[str, list[Slot]] = {role.name: [] for role in concept.roles}
        types = {role.name: role.types for role in concept.roles}
        for argument in event.arguments:
            if argument.role not in found:
                raise DataError(
                    f"event {event.type!r}: the role {argument.role!r} of {argument.mention.text!r} is not declared; "
                    "add it to the event's roles in the schema library or take it out of the annotations"
                )
            found[argument.role].append((argument.mention, types[argument.role]))
        return {role: slots for role, slots in found.items() if slots}


def _of(
    items: Iterable[T], offered: Collection[str], key: Callable[[T], tuple[int | None, int | None]], style: Style
) -> Sequence[T]:
    """The items of the offered classes, in order of appearance; one without an offset stays behind the one before."""
    kept = [item for item in items if item.type in offered]  # type: ignore[attr-defined]
    if style.dialect == "released":
        return kept
    if len(kept) < 2:
        return kept
    places: list[tuple[int, int]] = []
    place = (-1, -1)
    for item in kept:
        first, second = key(item)
        if first is not None:
            place = (first, -1 if second is None else second)
        places.append(place)
    return [kept[number] for number in sorted(range(len(kept)), key=places.__getitem__)]


def _start(mention: Mention) -> tuple[int | None, int | None]:
    return mention.start, mention.end


def _head_start(relation: Relation) -> tuple[int | None, int | None]:
    return relation.head.start, relation.tail.start


def _event_start(event: Event) -> tuple[int | None, int | None]:
    return (event.trigger.start, event.trigger.end) if event.trigger is not None else (None, None)
