"""The rules of types (``schema/rules.py``) on what was found in a sentence."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec.structs import replace

from knowcoder.corpus.alignment import align
from knowcoder.corpus.sentence import Annotations, Argument, Event, Mention, Relation
from knowcoder.schema import rules
from knowcoder.schema.library import SchemaLibrary

Rules = Mapping[str, tuple[str, ...]]


def rules_of(library: SchemaLibrary) -> dict[str, tuple[str, ...]]:
    """Class name -> its rules, its own before those of its ancestors; only of classes that have any."""
    found = {}
    for concept in library:
        above = [rule for id in library.ancestors(concept.id) for rule in library.by_id(id).rules]
        if concept.rules or above:
            found[concept.name] = tuple(dict.fromkeys([*concept.rules, *above]))
    return found


def apply_rules(rules_of: Rules, text: str, annotations: Annotations) -> Annotations:
    """The annotations of a text, finished by the rules of their classes.

    Rules of an entity type finish every mention of that type, those of a relation its head and tail, those of an
    event its trigger. What loses its mention is left out: an argument, but also a whole relation or event.
    Offsets follow; a mention that the text does not contain is finished without what follows it.
    """
    if not rules_of:
        return annotations
    annotations = align(annotations, text)

    def finished(mention: Mention, type: str) -> Mention | None:
        return _finish(mention, text, dict.fromkeys((*rules_of.get(type, ()), *rules_of.get(mention.type, ()))))

    entities = [finished(mention, mention.type) for mention in annotations.entities]
    relations = [(r.type, finished(r.head, r.type), finished(r.tail, r.type)) for r in annotations.relations]
    events: list[Event] = []
    for event in annotations.events:
        trigger = finished(event.trigger, event.type) if event.trigger else None
        if trigger or not event.trigger:
            fillers = [(argument.role, finished(argument.mention, "")) for argument in event.arguments]
            events.append(Event(event.type, trigger, tuple(Argument(role, kept) for role, kept in fillers if kept)))
    return Annotations(
        tuple(mention for mention in entities if mention),
        tuple(Relation(type, head, tail) for type, head, tail in relations if head and tail),
        tuple(events),
    )


def _finish(mention: Mention, text: str, rules_in_order: Mapping[str, None]) -> Mention | None:
    for rule in rules_in_order:
        kept = rules.apply(rule, mention.text, "" if mention.end is None else text[mention.end :])
        if kept is None:
            return None
        end = None if mention.start is None else mention.start + len(kept)
        mention = replace(mention, text=kept, end=end)
    return mention
