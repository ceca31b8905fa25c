"""What a knowledge graph says of its classes and properties, and the concepts that follow from it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from knowcoder.schema.concepts import EntityType, RelationType
from knowcoder.schema.source import SchemaSource, finish
from knowcoder.schema.taxonomy import Parents, break_cycles, choose_parent, parents_of


@dataclass(slots=True)
class Knowledge:
    """Statements about classes and properties; ids as Wikidata has them.

    Attributes:
        subclasses: (class, superclass): Wikidata's P279.
        subproperties: (property, superproperty): P1647.
        properties: properties whose value is an item: the relations.
        heads: property -> classes that its subject must be an instance of; ``tails`` likewise for its value.
        facts: entity -> classes it is an instance of: P31.
    """

    subclasses: list[tuple[str, str]] = field(default_factory=list)
    subproperties: list[tuple[str, str]] = field(default_factory=list)
    properties: set[str] = field(default_factory=set)
    labels: dict[str, str] = field(default_factory=dict)
    descriptions: dict[str, str] = field(default_factory=dict)
    aliases: dict[str, list[str]] = field(default_factory=dict)
    heads: dict[str, list[str]] = field(default_factory=dict)
    tails: dict[str, list[str]] = field(default_factory=dict)
    facts: dict[str, list[str]] = field(default_factory=dict)


def schema_of(knowledge: Knowledge, source: SchemaSource) -> SchemaSource:
    """Classes as entity types and item-valued properties as relation types, each with one parent.

    A class is what has a superclass or a subclass. Of several parents the one with the most instances becomes
    the class's parent; the others stay as data. Cycles are broken, and what was left out is counted.
    """
    instances = Counter(kind for kinds in knowledge.facts.values() for kind in kinds)
    given = parents_of(knowledge.subclasses)
    source.counts["classes with several parents"] = sum(len(own) > 1 for own in given.values())
    parents = _acyclic(given, "subclass cycle", source)
    for id in _by_number({*parents, *(parent for found in parents.values() for parent in found)}):
        own = parents.get(id, [])
        source.counts["classes without a label"] += id not in knowledge.labels
        source.counts["classes without a description"] += id not in knowledge.descriptions
        source.concepts.append(
            EntityType(
                id=id,
                name="",
                label=knowledge.labels.get(id, ""),
                description=knowledge.descriptions.get(id, ""),
                aliases=tuple(knowledge.aliases.get(id, ())),
                parent=(parent := choose_parent(own, instances)),
                parents=tuple(other for other in own if other != parent),
            )
        )
    above = _acyclic(parents_of(knowledge.subproperties), "subproperty cycle", source)
    for id in _by_number(knowledge.properties):
        own = [parent for parent in above.get(id, ()) if parent in knowledge.properties]
        source.concepts.append(
            RelationType(
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
        )
    source.facts = {entity: tuple(kinds) for entity, kinds in sorted(knowledge.facts.items())}
    return finish(source)


def _acyclic(parents: Parents, reason: str, source: SchemaSource) -> Parents:
    acyclic, removed = break_cycles(parents)
    for child, parent in removed:
        source.reject(reason, f"{child} -> {parent}")
    return acyclic


def _by_number(ids: Iterable[str]) -> list[str]:
    """Older ids first, so that the older of two concepts with one label keeps the plain name."""
    return sorted(ids, key=lambda id: (id[:1], int(id[1:]) if id[1:].isdecimal() else 0, id))
