"""Annotated text: a sentence with its entities, relations and events, and character offsets into it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec

from knowcoder.schema.concepts import Task


class Mention(msgspec.Struct, frozen=True, gc=False):
    """A piece of text of a type. ``start`` and ``end`` are character offsets, end exclusive; None where unknown.

    ``type`` is the class name in the schema library; ``"Entity"`` where only the text is known.
    """

    type: str
    text: str
    start: int | None = None
    end: int | None = None


class Relation(msgspec.Struct, frozen=True, gc=False):
    """A typed, directed pair of mentions."""

    type: str
    head: Mention
    tail: Mention


class Argument(msgspec.Struct, frozen=True, gc=False):
    """A mention that fills a role of an event."""

    role: str
    mention: Mention


class Event(msgspec.Struct, frozen=True, gc=False):
    """A typed event. ``trigger`` is a mention whose type is the event's, or None where no trigger is given."""

    type: str
    trigger: Mention | None = None
    arguments: tuple[Argument, ...] = ()


class Sentence(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """One annotated sentence.

    Attributes:
        id: unique within a corpus; predictions are matched to gold by it.
        source: the data set, and with it the label set, that the sentence belongs to.
        tasks: what has been annotated. No relation under a sentence without "RE" means "not known", not "none".
        group: a free label by which scores are broken down (the demonstration world: seen or unseen names
            and templates).
        translation_of: id of the sentence that this one translates.
    """

    id: str
    text: str
    source: str = ""
    tasks: tuple[Task, ...] = ()
    entities: tuple[Mention, ...] = ()
    relations: tuple[Relation, ...] = ()
    events: tuple[Event, ...] = ()
    language: str = "en"
    group: str = ""
    translation_of: str | None = None

    @property
    def annotations(self) -> Annotations:
        """All that is annotated in it."""
        return Annotations(self.entities, self.relations, self.events)

    def classes(self, task: Task) -> list[str]:
        """Names of the gold classes of a task, sorted."""
        found = self.entities if task == "NER" else self.relations if task == "RE" else self.events
        return sorted({item.type for item in found})

    @property
    def triggers(self) -> tuple[Mention, ...]:
        """Triggers of the gold events, which argument extraction is told."""
        return tuple(event.trigger for event in self.events if event.trigger is not None)


class LabelSet(msgspec.Struct, frozen=True, gc=False, kw_only=True):
    """The class names that every sentence of a source is offered, whatever it contains (never its gold)."""

    entities: tuple[str, ...] = ()
    relations: tuple[str, ...] = ()
    events: tuple[str, ...] = ()

    def of(self, task: Task) -> tuple[str, ...]:
        """The classes that a task asks for."""
        return self.entities if task == "NER" else self.relations if task == "RE" else self.events


class Annotations(msgspec.Struct, frozen=True, gc=False):
    """What a model or an annotator found in one sentence."""

    entities: tuple[Mention, ...] = ()
    relations: tuple[Relation, ...] = ()
    events: tuple[Event, ...] = ()

    def mentions(self) -> Iterator[Mention]:
        """All mentions, those of relations and events too."""
        yield from self.entities
        for relation in self.relations:
            yield from (relation.head, relation.tail)
        for event in self.events:
            if event.trigger:
                yield event.trigger
            yield from (argument.mention for argument in event.arguments)

    def mapped(self, change: Callable[[Mention], Mention]) -> Annotations:
        """The same with every mention changed."""
        return Annotations(
            tuple(map(change, self.entities)),
            tuple(Relation(r.type, change(r.head), change(r.tail)) for r in self.relations),
            tuple(
                Event(
                    event.type,
                    event.trigger and change(event.trigger),
                    tuple(Argument(argument.role, change(argument.mention)) for argument in event.arguments),
                )
                for event in self.events
            ),
        )

    def __add__(self, other: Annotations) -> Annotations:
        """What is in either, equal items as often as in both."""
        return Annotations(self.entities + other.entities, self.relations + other.relations, self.events + other.events)
