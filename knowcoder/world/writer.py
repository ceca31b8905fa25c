"""Writes the sentences of the demonstration world from templates and names, with exact offsets."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from knowcoder.corpus.sentence import Argument, Event, Mention, Relation, Sentence
from knowcoder.schema.concepts import TASKS
from knowcoder.world.facts import ENTITY_TYPES, EVENT_ROLES, EVENT_ROWS, RELATION_TYPES, descendants
from knowcoder.world.names import NAMING, Namer, Split, with_article
from knowcoder.world.templates import Family, Key, Noun, Slot, Template
from knowcoder.world.templates_events import event_families
from knowcoder.world.templates_plain import PREFIXES, SUFFIXES, description_families, empty_family, no_event_family
from knowcoder.world.templates_relations import multi_family, relation_families

GROUPS = (
    "seen names, seen templates",
    "seen names, unseen templates",
    "unseen names, seen templates",
    "unseen names, unseen templates",
)
"""The four cells of dev and test."""

_ENTITY_NAME = {entity.id: entity.name for entity in ENTITY_TYPES}
_RELATION_NAME = {relation.id: relation.name for relation in RELATION_TYPES}
_EVENT_NAME = {row[0]: row[1] for row in EVENT_ROWS}
_ROLES = {event: frozenset(role.name for role in roles) for event, roles in EVENT_ROLES.items()}

# A sentence's plan, and how often: topics of its clauses.
_PLANS: dict[tuple[str, ...], float] = {
    ("relation",): 0.37,
    ("multi",): 0.05,
    ("relation", "relation"): 0.06,
    ("relation", "event"): 0.06,
    ("event",): 0.24,
    ("event", "no event"): 0.02,
    ("description",): 0.12,
    ("no event",): 0.05,
    ("empty",): 0.03,
}
_JOINTS = (", and ", ", while ", "; ", ", but ", "; moreover, ")
_PREFIX_SHARE = 0.15
_SUFFIX_SHARE = 0.25
_SHORT = 7  # words; shorter clauses are always extended
_ATTEMPTS = 1000
# Not said of a "place": a country does not lie in a country, and settlements are frequent without it.
_NEVER_FINER = {"place": {"country", "settlement", "city", "village"}}

_Families = dict[str, dict[str, Family]]
_T = TypeVar("_T")


class _RetryError(Exception):
    """A draft cannot be finished: another one is tried."""


@dataclass(slots=True)
class _Draft:
    """Text in the making, with spans: mentions are (type id, start, end) and are referred to by index."""

    text: str = ""
    mentions: list[tuple[str, int, int]] = field(default_factory=list)
    relations: list[tuple[str, int, int]] = field(default_factory=list)
    events: list[tuple[str, int, int, list[tuple[str, int]]]] = field(default_factory=list)

    def mention(self, type_id: str, before: str, name: str, after: str) -> int:
        start = len(self.text) + len(before)
        self.text += before + name + after
        self.mentions.append((type_id, start, start + len(name)))
        return len(self.mentions) - 1

    def sentence(self, id_: str, group: str) -> Sentence:
        text = self.text[0].upper() + self.text[1:] + "."
        found = [Mention(_ENTITY_NAME[type_id], text[a:b], a, b) for type_id, a, b in self.mentions]
        if any(text.count(mention.text) > 1 for mention in found):
            raise _RetryError  # offsets could not be told from the text
        events = tuple(
            Event(
                _EVENT_NAME[event],
                Mention(_EVENT_NAME[event], text[a:b], a, b),
                tuple(Argument(role, found[index]) for role, index in arguments),
            )
            for event, a, b, arguments in self.events
        )
        relations = tuple(
            Relation(_RELATION_NAME[name], found[head], found[tail]) for name, head, tail in self.relations
        )
        return Sentence(
            id=id_,
            text=text,
            source="world",
            tasks=TASKS,
            entities=tuple(found),
            relations=relations,
            events=events,
            group=group,
        )


class Writer:
    """Writes sentences one after the other; no two of them have the same text.

    Attributes:
        natural: training names, by pool, that are not made of random letters, in the order of their first use.
    """

    def __init__(self, seed: int, scrambled: float) -> None:
        self.natural: dict[str, dict[str, None]] = {}
        self._rng = random.Random(f"sentences {seed}")
        self._scrambled = scrambled
        owners: dict[str, Split] = {}
        sizes: dict[Split, int] = {"train": 3000, "dev": 400, "test": 800}
        self._namers = {split: Namer(split, seed, size, owners) for split, size in sizes.items()}
        self._families: _Families = {
            "relation": relation_families(),
            "event": event_families(),
            "multi": {"": multi_family()},
            "description": description_families(),
            "no event": {"": no_event_family()},
            "empty": {"": empty_family()},
        }
        self._decks: dict[tuple[str, str], Iterator[str]] = {}
        self._texts: set[str] = set()
        self._counts: Counter[str] = Counter()  # mentions by type, to keep the types balanced
        self._drawn: list[tuple[str, str]] = []  # pool and name, of the sentence in the making

    def write(self, split: Split, id_: str, group: str) -> Sentence:
        """One new sentence of a split and, for dev and test, of a cell.

        Raises:
            RuntimeError: no new sentence can be found (far too many are asked for).
        """
        for _ in range(_ATTEMPTS):
            try:
                sentence = self._draft(split, group).sentence(id_, group)
            except _RetryError:
                continue
            if sentence.text not in self._texts:
                self._texts.add(sentence.text)
                for pool, name in self._drawn:
                    self.natural.setdefault(pool, {})[name] = None
                return sentence
        raise RuntimeError(f"the demonstration world is exhausted at {id_} ({group or 'training'})")

    def _draft(self, split: Split, group: str) -> _Draft:
        rng = self._rng
        self._drawn = []
        (plan,) = rng.choices(list(_PLANS), list(_PLANS.values()))
        templates = [self._template(topic, split, group) for topic in plan]
        draft = _Draft()
        if len(templates) == 1 and isinstance(templates[0].pieces[0], Slot) and rng.random() < _PREFIX_SHARE:
            draft.text = rng.choice(PREFIXES) + " "
        for number, template in enumerate(templates):
            draft.text += rng.choice(_JOINTS) if number else ""
            self._clause(draft, template, split, group)
        if len(templates) == 1 and (draft.text.count(" ") < _SHORT - 1 or rng.random() < _SUFFIX_SHARE):
            draft.text += rng.choice(_part(SUFFIXES[0], SUFFIXES[1], split, group))
        return draft

    def _template(self, topic: str, split: Split, group: str) -> Template:
        families = self._families[topic]
        family = families[self._deal(topic, tuple(families), f"{split} {group}")]
        return self._rng.choice(_part(family.train, family.held_out, split, group))

    def _deal(self, topic: str, names: Sequence[str], hand: str) -> str:
        """The families of a topic in random order, each once before any comes again."""
        if (topic, hand) not in self._decks:
            self._decks[topic, hand] = self._deck(names)
        return next(self._decks[topic, hand])

    def _deck(self, names: Sequence[str]) -> Iterator[str]:
        while True:
            yield from self._rng.sample(names, len(names))

    def _clause(self, draft: _Draft, template: Template, split: Split, group: str) -> None:
        types = {slot.name: self._finer(slot) for slot in template.slots}
        nouns = {name: self._rng.choice(NAMING[type_id].nouns or ("",)) for name, type_id in types.items()}
        self._counts.update(types.values())
        index: dict[str, int] = {}
        trigger = (0, 0)
        for number, piece in enumerate(template.pieces):
            if isinstance(piece, Slot):
                following = template.pieces[number + 1 : number + 2]
                words = self._words(piece, types[piece.name], nouns[piece.name], _apposable(following), split, group)
                index[piece.name] = draft.mention(types[piece.name], *words)
            elif isinstance(piece, Noun):
                draft.text += with_article(nouns[piece.slot]) if piece.article else nouns[piece.slot]
            elif isinstance(piece, Key):
                trigger = (len(draft.text), len(draft.text) + len(piece.text)) if piece.trigger else trigger
                draft.text += piece.text
            else:
                draft.text += piece
        draft.relations += [(relation, index[head], index[tail]) for relation, head, tail in template.relations]
        if template.event:
            arguments = [(role, i) for role, i in index.items() if role in _ROLES[template.event]]
            draft.events.append((template.event, *trigger, arguments))

    def _finer(self, slot: Slot) -> str:
        """The gold type of a mention: what the clause tells, or something finer that is said in addition."""
        finer = [t for t in descendants(slot.type) if t not in _NEVER_FINER.get(slot.type, ())]
        if slot.mode in ("!", "=") or not finer:
            return slot.type
        if slot.mode == "?":
            return self._rarest([t for t in (slot.type, *finer) if NAMING[t].nouns])
        if self._rng.random() < (0.6 if len(finer) == 1 else 0.35):
            return slot.type
        return self._rarest(finer)

    def _rarest(self, types: Sequence[str]) -> str:
        """One of the types, by preference one that has been rare so far."""
        (type_id,) = self._rng.choices(types, [1 / (1 + self._counts[t]) for t in types])
        return type_id

    def _words(
        self, slot: Slot, type_id: str, noun: str, apposable: bool, split: Split, group: str
    ) -> tuple[str, str, str]:
        """What stands before the name, the name, and what stands after it."""
        rng, naming = self._rng, NAMING[type_id]
        scrambled = split == "train" and rng.random() < self._scrambled
        if slot.mode in ("!", "?"):
            return "", self._plain_name(naming.plain, scrambled, split, group), ""
        forms = {
            "plain": 0.5 * (type_id == slot.type and slot.mode != "+"),
            "cue": 0.35 * bool(naming.cues and not scrambled),
        }
        forms["noun"] = 0.2 * bool(noun)
        (form,) = rng.choices(list(forms), list(forms.values()))
        if form == "cue":
            article, _, name = self._natural_name(f"cue:{type_id}", split, group).rpartition("|")
            return article, name, ""
        name = self._plain_name(naming.plain, scrambled, split, group)
        if form == "plain":
            return "the " * naming.article, name, ""
        frame = rng.choice([frame for frame in naming.frames if apposable or "{A}" not in frame])
        before, after = frame.replace("{N}", noun).replace("{A}", with_article(noun)).split("{X}")
        return before, name, after

    def _plain_name(self, kind: str, scrambled: bool, split: Split, group: str) -> str:
        if scrambled:
            return self._namers["train"].scrambled(self._rng)
        return self._natural_name(f"plain:{kind}", split, group)

    def _natural_name(self, pool: str, split: Split, group: str) -> str:
        if split == "train":
            name = self._rng.choice(self._namers["train"].pool(pool))
            self._drawn.append((pool, name))
            return name
        if group.startswith("unseen names"):
            return self._rng.choice(self._namers[split].pool(pool))
        if pool not in self.natural:
            raise _RetryError
        return self._rng.choice(tuple(self.natural[pool]))


def _part(train: Sequence[_T], held_out: Sequence[_T], split: Split, group: str) -> Sequence[_T]:
    """The templates that a split and cell may use; the first quarter of the held-out ones belongs to dev."""
    if not group.endswith("unseen templates"):
        return train
    dev = max(1, len(held_out) // 4)
    return held_out[:dev] if split == "dev" else held_out[dev:]


def _apposable(following: Sequence[object]) -> bool:
    """Whether an apposition between commas ("Marit Kessel, a physicist,") reads well before what follows."""
    return bool(following) and str(following[0]).startswith(" ") and not str(following[0]).startswith((" and", " for"))
