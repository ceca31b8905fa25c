"""Makes the demonstration world: its schema library, and sentences with exact annotations.

Held out are names (every proper word of a ``dev`` or ``test`` name is new) and templates; ``Sentence.group``
says which of the four cells (``GROUPS``) a sentence of dev or test belongs to.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace

from knowcoder.corpus.sentence import Mention, Sentence
from knowcoder.schema.concepts import EntityType, EventType, RelationType
from knowcoder.world.facts import ENTITY_TYPES, EVENT_ROLES, EVENT_ROWS, RELATION_TYPES
from knowcoder.world.names import Split
from knowcoder.world.writer import GROUPS, Writer

_EXAMPLES = 4


@dataclass(frozen=True, slots=True)
class World:
    """The schema and the annotated sentences of the demonstration world."""

    entities: list[EntityType]
    relations: list[RelationType]
    events: list[EventType]
    train: list[Sentence]
    dev: list[Sentence]
    test: list[Sentence]


def generate_world(
    seed: int, sentences: int, test_sentences: int = 800, dev_sentences: int = 200, scrambled: float = 0.5
) -> World:
    """Makes a world; the same arguments make the same world.

    Args:
        seed: of names and sentences.
        sentences: number of training sentences.
        test_sentences: number of test sentences, rounded down to a multiple of the four cells.
        dev_sentences: likewise for dev.
        scrambled: share of training names made of random letters, from which only copying can be learnt.
    """
    writer = Writer(seed, scrambled)
    train = [writer.write("train", f"train-{i}", "") for i in range(sentences)]
    dev = _held_out(writer, "dev", dev_sentences)
    test = _held_out(writer, "test", test_sentences)
    natural = {name.rpartition("|")[2] for pool in writer.natural.values() for name in pool}
    return World(
        _with_examples(train, natural), _relations_with_examples(train, natural), _events(train), train, dev, test
    )


def _held_out(writer: Writer, split: Split, number: int) -> list[Sentence]:
    groups = GROUPS * (number // len(GROUPS))
    return [writer.write(split, f"{split}-{i}", group) for i, group in enumerate(groups)]


def _with_examples(train: list[Sentence], natural: set[str]) -> list[EntityType]:
    found: dict[str, dict[str, None]] = {}
    for sentence in train:
        for mention in sentence.entities:
            examples = found.setdefault(mention.type, {})
            if len(examples) < _EXAMPLES and _is_natural(mention, natural):
                examples[mention.text] = None
    return [replace(entity, examples=tuple(found.get(entity.name, ()))) for entity in ENTITY_TYPES]


def _relations_with_examples(train: list[Sentence], natural: set[str]) -> list[RelationType]:
    found: dict[str, dict[tuple[str, str], None]] = {}
    for sentence in train:
        for relation in sentence.relations:
            examples = found.setdefault(relation.type, {})
            if len(examples) < _EXAMPLES and all(_is_natural(m, natural) for m in (relation.head, relation.tail)):
                examples[relation.head.text, relation.tail.text] = None
    return [replace(relation, examples=tuple(found.get(relation.name, ()))) for relation in RELATION_TYPES]


def _events(train: list[Sentence]) -> list[EventType]:
    counts: dict[str, Counter[str]] = {}
    for sentence in train:
        for event in sentence.events:
            if event.trigger is not None:
                counts.setdefault(event.type, Counter())[event.trigger.text.lower()] += 1
    return [
        EventType(
            id=id_,
            name=name,
            label=id_.replace("_", " "),
            description=description,
            roles=EVENT_ROLES[id_],
            examples=tuple(word for word, _ in counts.get(name, Counter()).most_common(_EXAMPLES)),
        )
        for id_, name, description, _ in EVENT_ROWS
    ]


def _is_natural(mention: Mention, natural: set[str]) -> bool:
    """Whether a name is not made of random letters; one that opens a sentence may have got its capital there."""
    return mention.text in natural or mention.text[0].lower() + mention.text[1:] in natural
