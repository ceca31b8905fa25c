"""How much of gold the schema library gives away: gold items that stand as examples in the docstrings of classes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from knowcoder.schema.concepts import TASKS, Task
from knowcoder.schema.library import SchemaLibrary
from knowcoder.score.match import Example


@dataclass(frozen=True, slots=True)
class Shown:
    """Gold items of a task, and how many of them are examples of their class in the library."""

    gold: int
    shown: int

    def __str__(self) -> str:
        return f"{self.shown:,} of {self.gold:,}" + (f" ({self.shown / self.gold:.1%})" if self.gold else "")


def shown_as_examples(examples: Iterable[Example], library: SchemaLibrary) -> dict[Task, Shown]:
    """By task, the scored gold that stands, letter for letter, as an example of its class.

    Entities are looked up by their text, relations by head and tail, event detection by the trigger. An argument
    counts where it is an example of its own class or of one that its role hints.
    """
    listed: dict[str, frozenset[object]] = {type.name: frozenset(type.examples) for type in library if type.examples}
    hinted = {
        (event.name, role.name): [library.by_id(id).name for id in role.types]
        for event in library.events
        for role in event.roles
    }
    counts: dict[Task, list[int]] = {}
    for example in examples:
        count = counts.setdefault(example.task, [0, 0])
        for classes, item in _items(example, hinted):
            count[0] += 1
            count[1] += any(item in listed.get(name, ()) for name in classes)
    return {task: Shown(*counts[task]) for task in TASKS if task in counts}


def _items(example: Example, hinted: Mapping[tuple[str, str], list[str]]) -> Iterator[tuple[list[str], object]]:
    """The classes of each gold item, and what it would look like among their examples."""
    for entity in example.gold.entities:
        yield [entity.type], entity.text
    for relation in example.gold.relations:
        yield [relation.type], (relation.head.text, relation.tail.text)
    for event in example.gold.events:
        if example.task == "EAE":
            for argument in event.arguments:
                classes = [argument.mention.type, *hinted.get((event.type, argument.role), ())]
                yield classes, argument.mention.text
        elif event.trigger:
            yield [event.type], event.trigger.text
