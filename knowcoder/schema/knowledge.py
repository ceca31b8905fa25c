"""What a knowledge graph says of its classes and properties, and the concepts that follow from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from knowcoder.schema.concepts import EntityType, EventType, RelationType, Role
from knowcoder.schema.facts import Fact
from knowcoder.schema.naming import class_name, role_name
from knowcoder.schema.source import SchemaSource, finish
from knowcoder.schema.taxonomy import Parents, break_cycles, choose_parent, parents_of

# Qualifiers that say nothing of an event's parts: of, follows, followed by, point in time, country (KnowCoder, App. H).
_NO_ROLES = frozenset({"P642", "P155", "P156", "P585", "P17"})


@dataclass(slots=True)
class Knowledge:
    """Statements about classes and properties; ids as Wikidata has them.

    Attributes:
        subclasses: (class, superclass): Wikidata's P279.
        classes: classes that are types though no edge names them.
        subproperties: (property, superproperty): P1647.
        properties: properties whose value is an item: the relations.
        heads: property -> classes that its subject must be an instance of; ``tails`` likewise for its value.
        qualifiers: property -> qualifying property -> statements that carry it.
        instances: class -> entities that are an instance of it, besides those of ``facts``.
        facts: entity -> classes it is an instance of: P31.
    """

    subclasses: list[tuple[str, str]] = field(default_factory=list)
    classes: set[str] = field(default_factory=set)
    subproperties: list[tuple[str, str]] = field(default_factory=list)
    properties: set[str] = field(default_factory=set)
    labels: dict[str, str] = field(default_factory=dict)
    descriptions: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, list[str]] = field(default_factory=dict)
    heads: dict[str, list[str]] = field(default_factory=dict)
    tails: dict[str, list[str]] = field(default_factory=dict)
    qualifiers: dict[str, Counter[str]] = field(default_factory=dict)
    instances: Counter[str] = field(default_factory=Counter)
    facts: dict[str, list[str]] = field(default_factory=dict)


def schema_of(knowledge: Knowledge, source: SchemaSource) -> SchemaSource:
    """Classes as entity types, item-valued properties as relation types, those with qualifiers as event types too.

    A class is what has a superclass or a subclass. Of several parents the one with the most instances becomes
    the class's parent; the others stay as data. Cycles are broken, and what was left out is counted.
    """
    source.concepts += [*_entities(knowledge, source), *_relations(knowledge, source), *_events(knowledge)]
    source.facts = [Fact(id, kinds, _names(id, knowledge)) for id, kinds in sorted(knowledge.facts.items())]
    return finish(source)


def _names(id: str, knowledge: Knowledge) -> list[str]:
    label, aliases = knowledge.labels.get(id), knowledge.aliases.get(id, [])
    return [label, *aliases] if label else aliases


def event_id(property: str) -> str:
    """The id of the event type that a property is, besides being a relation type."""
    return f"{property}_event"


def _entities(knowledge: Knowledge, source: SchemaSource) -> Iterator[EntityType]:
    instances = knowledge.instances + Counter(kind for kinds in knowledge.facts.values() for kind in kinds)
    given = parents_of(knowledge.subclasses)
    source.counts["classes with several parents"] = sum(len(own) > 1 for own in given.values())
    parents = _acyclic(given, "subclass cycle", source)
    for id in by_number({*knowledge.classes, *parents, *(parent for found in parents.values() for parent in found)}):
        own = parents.get(id, [])
        source.counts["classes without a label"] += id not in knowledge.labels
        source.counts["classes without a description"] += id not in knowledge.descriptions
        yield EntityType(
            id=id,
            name="",
            label=knowledge.labels.get(id, ""),
            description=knowledge.descriptions.get(id, ""),
            aliases=tuple(knowledge.aliases.get(id, ())),
            parent=(parent := choose_parent(own, instances)),
            parents=tuple(other for other in own if other != parent),
        )


def _relations(knowledge: Knowledge, source: SchemaSource) -> Iterator[RelationType]:
    above = _acyclic(parents_of(knowledge.subproperties), "subproperty cycle", source)
    for id in by_number(knowledge.properties):
        own = [parent for parent in above.get(id, ()) if parent in knowledge.properties]
        yield RelationType(
            id=id,
            name="",
            label=knowledge.labels.get(id, ""),
            description=knowledge.descriptions.get(id, ""),
            aliases=tuple(knowledge.aliases.get(id, ())),
            parent=(parent := choose_parent(own, {})),
            parents=tuple(other for other in own if other != parent),
            head=tuple(knowledge.heads.get(id, ())),
            tail=tuple(knowledge.tails.get(id, ())),
        )


def _events(knowledge: Knowledge) -> Iterator[EventType]:
    """The relations whose statements carry qualifiers (KnowCoder, App. H), which are the roles, the frequent first."""
    taken: set[str] = set()
    for id in by_number(knowledge.properties & knowledge.qualifiers.keys()):
        roles = [role for role in knowledge.qualifiers[id] if role not in _NO_ROLES]
        if not roles:
            continue
        label = knowledge.labels.get(id, "")
        name = class_name(f"{label or id} event", event_id(id), taken)
        taken.add(name)
        yield EventType(
            id=event_id(id),
            name=name,
            label=label,
            description=knowledge.descriptions.get(id, ""),
            aliases=tuple(knowledge.aliases.get(id, ())),
            roles=_roles(roles, id, knowledge),
        )


def _roles(qualifiers: Iterable[str], event: str, knowledge: Knowledge) -> tuple[Role, ...]:
    statements = knowledge.qualifiers[event]
    taken: set[str] = set()
    roles = []
    for id in sorted(by_number(qualifiers), key=lambda id: -statements[id]):
        name = role_name(knowledge.labels.get(id, id), taken)
        taken.add(name)
        types, description = tuple(knowledge.tails.get(id, ())), knowledge.descriptions.get(id, "")
        roles.append(Role(name=name, types=types, description=description))
    return tuple(roles)


def _acyclic(parents: Parents, reason: str, source: SchemaSource) -> Parents:
    acyclic, removed = break_cycles(parents)
    for child, parent in removed:
        source.reject(reason, f"{child} -> {parent}", *source.places.get((child, parent), ()))
    return acyclic


def by_number(ids: Iterable[str]) -> list[str]:
    """Older ids first, so that the older of two concepts with one label keeps the plain name."""
    return sorted(ids, key=lambda id: (id[:1], int(id[1:]) if id[1:].isdecimal() else 0, id))
