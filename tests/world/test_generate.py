"""The demonstration world: exact and consistent annotations, honest held-out cells, ambiguous triggers."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections import Counter, defaultdict
from itertools import pairwise

import pytest

from knowcoder.corpus.sentence import Mention, Sentence
from knowcoder.schema.concepts import TASKS
from knowcoder.world.facts import descendants
from knowcoder.world.generate import GROUPS, World, generate_world
from knowcoder.world.names import _PLAIN, NAMING

WORD = re.compile(r"[A-Za-z0-9']+")


@pytest.fixture(scope="module")
def world() -> World:
    return generate_world(3, 4000, 400, 80)


@pytest.fixture(scope="module")
def everything(world: World) -> list[Sentence]:
    return world.train + world.dev + world.test


def words(text: str) -> tuple[str, ...]:
    return tuple(WORD.findall(text.lower()))


def fits(world: World, type_name: str, ids: tuple[str, ...]) -> bool:
    id_of = {entity.name: entity.id for entity in world.entities}
    return any(id_of[type_name] in (id_, *descendants(id_)) for id_ in ids)


def test_schema_is_as_wide_as_promised(world: World) -> None:
    parents = {entity.id: entity.parent for entity in world.entities}
    assert len(world.entities) >= 44
    assert len(world.relations) == 20
    assert len(world.events) == 6
    assert all(2 <= len(event.roles) <= 5 for event in world.events)
    assert all(relation.head and relation.tail for relation in world.relations)

    def depth(id_: str) -> int:
        parent = parents[id_]
        return 1 if parent is None else 1 + depth(parent)

    assert max(map(depth, parents)) >= 3
    concepts = [*world.entities, *world.relations, *world.events]
    assert all(concept.description for concept in concepts)
    assert len({concept.name for concept in concepts}) == len({concept.id for concept in concepts}) == len(concepts)


def test_offsets_are_exact(everything: list[Sentence]) -> None:
    for sentence in everything:
        triggers = [event.trigger for event in sentence.events]
        for mention in (*sentence.entities, *(trigger for trigger in triggers if trigger)):
            assert sentence.text[mention.start : mention.end] == mention.text
        spans = sorted((m.start or 0, m.end or 0) for m in sentence.entities)
        assert all(a[1] <= b[0] for a, b in pairwise(spans))
        assert all(sentence.text.count(mention.text) == 1 for mention in sentence.entities)


def test_sentences_are_whole(everything: list[Sentence]) -> None:
    for sentence in everything:
        assert sentence.tasks == TASKS
        assert sentence.source == "world"
        assert sentence.text.isascii()
        assert sentence.text.endswith(".")
        assert sentence.text[0].isupper() or sentence.text[0].isdigit()
        assert not re.search(r"  | ,|,,|[{}<>\[\]|]|\bthe the\b", sentence.text), sentence.text
    assert len({sentence.id for sentence in everything}) == len(everything)
    assert len({sentence.text for sentence in everything}) == len(everything)


def test_relations_and_events_fit_the_schema(world: World, everything: list[Sentence]) -> None:
    relations = {relation.name: relation for relation in world.relations}
    roles = {event.name: {role.name: role.types for role in event.roles} for event in world.events}
    for sentence in everything:
        for relation in sentence.relations:
            assert {relation.head, relation.tail} <= set(sentence.entities)
            assert fits(world, relation.head.type, relations[relation.type].head), sentence
            assert fits(world, relation.tail.type, relations[relation.type].tail), sentence
        for event in sentence.events:
            assert event.trigger is not None
            assert event.trigger.type == event.type
            assert event.arguments
            for argument in event.arguments:
                assert argument.mention in sentence.entities
                assert fits(world, argument.mention.type, roles[event.type][argument.role]), sentence


def test_types_are_told_by_the_sentence(everything: list[Sentence]) -> None:
    """Sentences that differ in proper words only are annotated alike."""
    patterns = [p for naming in NAMING.values() for p in naming.cues] + [p for ps in _PLAIN.values() for p in ps]
    cues = {
        word for pattern in patterns for word in pattern.partition("|")[2].split() or pattern.split() if "{" not in word
    }
    endings = sorted(
        {p.rpartition("{s}")[2] for p in patterns if re.search(r"\{s\}[A-Za-z]+$", p)}, key=len, reverse=True
    )

    def mask(mention: Mention) -> str:
        parts = [word if word in cues else "X" for word in mention.text.split()]
        ending = next((e for e in endings if mention.text.endswith(e)), "")
        return " ".join(parts) + (ending if parts[-1] == "X" else "")

    seen: dict[str, tuple[str, ...]] = {}
    for sentence in everything:
        text = sentence.text
        for mention in reversed(sentence.entities):
            text = text[: mention.start] + mask(mention) + text[mention.end :]
        types = tuple(mention.type for mention in sentence.entities)
        assert seen.setdefault(text.lower(), types) == types, sentence.text


def test_types_are_balanced(world: World) -> None:
    relations = Counter(r.type for s in world.train for r in s.relations)
    events = Counter(e.type for s in world.train for e in s.events)
    assert len(relations) == 20
    assert max(relations.values()) < 2 * min(relations.values())
    assert max(events.values()) < 1.2 * min(events.values())
    assert {m.type for s in world.train for m in s.entities} == {entity.name for entity in world.entities}


def test_kinds_of_sentences(world: World) -> None:
    number = len(world.train)
    assert 0.48 < sum(bool(s.relations) for s in world.train) / number < 0.62
    assert 0.25 < sum(bool(s.events) for s in world.train) / number < 0.36
    assert sum(not s.relations and not s.events for s in world.train) / number > 0.1
    assert sum(not s.entities for s in world.train) > 0
    lengths = [len(s.text.split()) for s in world.train]
    assert sum(7 <= length <= 30 for length in lengths) / number > 0.9


def test_training_names_are_diverse(world: World) -> None:
    names = defaultdict(set)
    for sentence in world.train:
        for mention in sentence.entities:
            names[mention.type].add(mention.text)
    assert all(len(names[kind]) > 300 for kind in ("Human", "Country", "FootballClub", "Company", "Politician"))


def test_scrambled_is_a_share() -> None:
    def unpronounceable(share: float) -> float:
        found = [m.text for s in generate_world(1, 600, 0, 0, share).train for m in s.entities]
        return sum(bool(re.search(r"[bcdfgjklmnpqrtvwxz]{4}", text)) for text in found) / len(found)

    assert unpronounceable(0.0) < 0.1 < unpronounceable(0.5) < unpronounceable(1.0)


def test_cells_are_equally_large(world: World) -> None:
    assert {s.group for s in world.train} == {""}
    for split in (world.dev, world.test):
        assert Counter(s.group for s in split) == dict.fromkeys(GROUPS, len(split) // 4)


@pytest.mark.parametrize("split", ["dev", "test"])
def test_held_out_names_are_new(world: World, split: str) -> None:
    """No held-out name contains a training name or stands within one, as a sequence of words."""
    held_out = {"dev": world.dev, "test": world.test}[split]
    old = {words(m.text) for s in world.train for m in s.entities}
    other = world.dev if held_out is world.test else world.test
    old |= {words(m.text) for s in other if s.group.startswith("unseen names") for m in s.entities}
    inner = {name[i:j] for name in old for i in range(len(name)) for j in range(i + 1, len(name) + 1)}
    for sentence in held_out:
        if not sentence.group.startswith("unseen names"):
            continue
        for mention in sentence.entities:
            name = words(mention.text)
            assert name not in inner, mention
            assert not any(name[i:j] in old for i in range(len(name)) for j in range(i + 1, len(name) + 1)), mention


def test_seen_names_have_been_seen(world: World) -> None:
    old = {m.text.lower() for s in world.train for m in s.entities}
    new = [m for s in world.test if s.group.startswith("seen names") for m in s.entities if m.text.lower() not in old]
    assert not new


def test_examples_come_from_training(world: World) -> None:
    mentions = {(m.type, m.text) for s in world.train for m in s.entities}
    pairs = {(r.type, (r.head.text, r.tail.text)) for s in world.train for r in s.relations}
    triggers = {(e.type, e.trigger.text.lower()) for s in world.train for e in s.events if e.trigger}
    for concepts, found in ((world.entities, mentions), (world.relations, pairs), (world.events, triggers)):
        for concept in concepts:
            assert 1 <= len(set(concept.examples)) == len(concept.examples) <= 4, concept
            assert all((concept.name, example) in found for example in concept.examples)


def test_triggers_cannot_be_looked_up(world: World) -> None:
    """A dictionary that tags each known trigger with its most frequent type stays far from what context tells."""
    types: dict[str, Counter[str]] = defaultdict(Counter)
    for sentence in world.train:
        for event in sentence.events:
            assert event.trigger is not None
            types[event.trigger.text.lower()][event.type] += 1
    correct = predicted = gold = 0
    for sentence in world.test:
        expected = {(e.trigger.text.lower(), e.trigger.start): e.type for e in sentence.events if e.trigger}
        gold += len(expected)
        for match in WORD.finditer(sentence.text):
            word = match.group().lower()
            if word in types:
                predicted += 1
                correct += expected.get((word, match.start())) == types[word].most_common(1)[0][0]
        assert {word for word, _ in expected} <= set(types)
    assert 0.1 < 2 * correct / (predicted + gold) < 0.55
    assert sum(len(counts) > 1 for counts in types.values()) / len(types) > 0.8


def test_deterministic_in_the_seed() -> None:
    assert generate_world(5, 100, 16, 8) == generate_world(5, 100, 16, 8)
    assert generate_world(5, 100, 16, 8).train != generate_world(6, 100, 16, 8).train


def test_deterministic_under_any_hash_seed() -> None:
    code = (
        "import hashlib; from knowcoder.world.generate import generate_world as g;"
        "print(hashlib.sha256(repr(g(2, 200, 16, 8)).encode()).hexdigest())"
    )
    digests = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(digests) == 1
    assert digests != {""}
