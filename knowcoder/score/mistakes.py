"""What went wrong, item by item: the lines of ``errors.jsonl`` and the rows of the report's browser.

Every false positive and every false negative under ``strict`` stands in exactly one mistake. A wrong answer and
the gold item that it came close to share one; so the mistakes with a ``predicted`` item are the false positives,
and those with a ``gold`` item the false negatives.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from knowcoder.corpus.sentence import Annotations, Mention
from knowcoder.schema.concepts import Task
from knowcoder.score.match import COLUMNS, Example, pair

Kind = Literal[
    "boundary",  # right class, a span that overlaps the right one
    "type",  # right span, wrong class
    "wrong role",  # right argument in another role; head and tail exchanged
    "spurious",  # nothing like it in gold
    "missed",  # gold that no answer came close to
    "duplicate",  # right, but said before
    "unknown class",  # a class that was not offered
    "not in text",  # quotes what the sentence does not say
    "unparsable",  # part of an answer that could not be read
]
KINDS: tuple[Kind, ...] = (
    "boundary",
    "type",
    "wrong role",
    "spurious",
    "missed",
    "duplicate",
    "unknown class",
    "not in text",
    "unparsable",
)


@dataclass(frozen=True, slots=True)
class Part:
    """A mention and the part it plays: "mention", "trigger", "head", "tail", or a role."""

    part: str
    text: str
    start: int | None
    end: int | None


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to be found: an entity, a relation, a trigger, or (EAE) one argument with its event's trigger."""

    type: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One mistake in one sentence. ``detail`` is the parser's problem where it could not read an item."""

    id: str
    task: Task
    source: str
    group: str
    text: str
    kind: Kind
    gold: Item | None = None
    predicted: Item | None = None
    detail: str = ""


_UNKNOWN_CLASS = "unknown class: "


def find_mistakes(examples: Iterable[Example]) -> list[Mistake]:
    """The mistakes of all examples, in their order."""
    return [mistake for example in examples for mistake in _in_example(example)]


def count_mistakes(mistakes: Iterable[Mistake]) -> dict[Task, dict[Kind, int]]:
    """How many of each kind, by task."""
    counted = Counter((mistake.task, mistake.kind) for mistake in mistakes)
    tasks = sorted({task for task, _ in counted})
    return {task: {kind: counted[task, kind] for kind in KINDS if counted[task, kind]} for task in tasks}


def _in_example(example: Example) -> list[Mistake]:
    task, rule = example.task, COLUMNS[example.task]["strict"]
    gold_keys, keys = rule(example.gold), rule(example.predicted)
    partners = pair(gold_keys, keys, task)
    taken = {partner for partner in partners if partner >= 0}
    told = {f"{_UNKNOWN_CLASS}{name}" for name in example.not_offered}  # as items of their own
    found = [_mistake(example, _kind_of(p), detail=p) for p in example.problems if p not in told]
    if len(taken) == len(gold_keys) == len(keys):
        return found
    right = {gold_keys[place] for place in taken} | {keys[j] for j, partner in enumerate(partners) if partner >= 0}
    gold, predicted = items(example.gold, task), items(example.predicted, task)
    open_gold = [item for place, item in enumerate(gold) if place not in taken]
    wrong: list[Item] = []
    for item, key, partner in zip(predicted, keys, partners, strict=True):
        if partner >= 0:
            continue
        kind = _kind_alone(example, item, key in right)
        if kind:
            found.append(_mistake(example, kind, None, item))
        else:
            wrong.append(item)
    for kind, is_near in _NEAR:
        wrong, open_gold = _pair_near(example, kind, is_near, wrong, open_gold, found)
    found.extend(_mistake(example, "spurious", None, item) for item in wrong)
    found.extend(_mistake(example, "missed", item, None) for item in open_gold)
    return found


def _kind_of(problem: str) -> Kind:
    """The kind of a parser's problem, which begins with the parser's own kind."""
    return "unknown class" if problem.startswith(_UNKNOWN_CLASS) else "unparsable"


def _kind_alone(example: Example, item: Item, said_before: bool) -> Kind | None:
    """The kind of a wrong answer that no gold item explains, if it is of such a kind."""
    if item.type not in example.labels:
        return "unknown class"
    if any(part.text not in example.sentence.text for part in item.parts):
        return "not in text"
    return "duplicate" if said_before else None


def _pair_near(
    example: Example,
    kind: Kind,
    is_near: Callable[[Item, Item], bool],
    wrong: Sequence[Item],
    gold: Sequence[Item],
    found: list[Mistake],
) -> tuple[list[Item], list[Item]]:
    """Join wrong answers to the gold items that they are near to; returns what is left of both."""
    alone, left = [], list(gold)
    for item in wrong:
        place = next((i for i, other in enumerate(left) if is_near(item, other)), None)
        if place is None:
            alone.append(item)
        else:
            found.append(_mistake(example, kind, left.pop(place), item))
    return alone, left


def _mistake(
    example: Example, kind: Kind, gold: Item | None = None, predicted: Item | None = None, detail: str = ""
) -> Mistake:
    sentence = example.sentence
    return Mistake(
        id=sentence.id,
        task=example.task,
        source=sentence.source,
        group=sentence.group,
        text=sentence.text,
        kind=kind,
        gold=gold,
        predicted=predicted,
        detail=detail,
    )


# -- nearness: what a wrong answer and a gold item have in common --------------------------------------------------


def _is_wrong_type(one: Item, other: Item) -> bool:
    return one.type != other.type and _same_parts(one, other, _same_text)


def _is_wrong_role(one: Item, other: Item) -> bool:
    if one.type != other.type or len(one.parts) != len(other.parts):
        return False
    if _roles(one) == _roles(other):  # a relation the other way round
        exchanged = Item(other.type, (*other.parts[1:], *other.parts[:1]))
        same = zip(one.parts, exchanged.parts, strict=True)
        return _roles(one) == ["head", "tail"] and all(a.text == b.text for a, b in same)
    return all(a.text == b.text for a, b in zip(one.parts, other.parts, strict=True))


def _is_wrong_boundary(one: Item, other: Item) -> bool:
    return one.type == other.type and _same_parts(one, other, _overlap)


_NEAR: tuple[tuple[Kind, Callable[[Item, Item], bool]], ...] = (
    ("type", _is_wrong_type),
    ("wrong role", _is_wrong_role),
    ("boundary", _is_wrong_boundary),
)


def _roles(item: Item) -> list[str]:
    return [part.part for part in item.parts]


def _same_parts(one: Item, other: Item, are_same: Callable[[Part, Part], bool]) -> bool:
    if _roles(one) != _roles(other):
        return False
    return all(are_same(a, b) for a, b in zip(one.parts, other.parts, strict=True))


def _same_text(one: Part, other: Part) -> bool:
    return one.text == other.text


def _overlap(one: Part, other: Part) -> bool:
    if one.start is None or one.end is None or other.start is None or other.end is None:
        return one.text == other.text
    return one.text == other.text or (one.start < other.end and other.start < one.end)


# -- annotations as items ------------------------------------------------------------------------------------------


def items(annotations: Annotations, task: Task) -> list[Item]:
    """The annotations of one task as items, in the order of the task's strict keys."""
    if task == "NER":
        return [Item(entity.type, (_part("mention", entity),)) for entity in annotations.entities]
    if task == "RE":
        return [Item(r.type, (_part("head", r.head), _part("tail", r.tail))) for r in annotations.relations]
    if task == "ED":
        return [Item(event.type, _trigger(event.trigger)) for event in annotations.events]
    return [
        Item(event.type, (*_trigger(event.trigger), _part(argument.role, argument.mention)))
        for event in annotations.events
        for argument in event.arguments
    ]


def _trigger(mention: Mention | None) -> tuple[Part, ...]:
    return (_part("trigger", mention),) if mention else ()


def _part(part: str, mention: Mention) -> Part:
    return Part(part, mention.text, mention.start, mention.end)
