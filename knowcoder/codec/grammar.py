"""What may be decoded: a grammar, made from schema and sentence, that admits the sound answers and no others.

Under it an answer parses, names only classes that are offered, respects type hints and the roles of events, and
quotes only what stands in the sentence. The notation is that of llguidance: lark with ``%regex`` for substrings.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from knowcoder.corpus.sentence import Mention
from knowcoder.schema.concepts import EventType, RelationType, Task
from knowcoder.schema.library import SchemaLibrary
from knowcoder.schema.naming import published_name
from knowcoder.schema.quoting import escape, quote
from knowcoder.schema.render import Style

MAX_ITEMS = 32


@dataclass(frozen=True, slots=True)
class _Layout:
    """How a dialect sets an answer out."""

    indent: str
    equals: str
    trigger: str
    trailing_comma: bool
    by_appearance: bool


_LAYOUTS = {
    "clean": _Layout(indent="    ", equals="=", trigger="", trailing_comma=True, by_appearance=True),
    "released": _Layout(indent="\t", equals=" = ", trigger="trigger = ", trailing_comma=False, by_appearance=False),
}


def answer_grammar(
    task: Task,
    class_names: Sequence[str],
    text: str,
    library: SchemaLibrary,
    style: Style,
    events: Sequence[Mention] = (),
    max_items: int = MAX_ITEMS,
) -> str:
    """The grammar of the answers to one prompt (the arguments are those of ``build_prompt``).

    Args:
        events: for EAE the given triggers; each must be answered, in the order in which they stand in the text.
            Told of none, EAE finds events of the classes with their arguments at once.
        max_items: objects in an answer, and fillers of a role, at most.

    Raises:
        DataError: a class is not in the library.
    """
    layout = _LAYOUTS[style.dialect]
    builder = _Builder(library, style, layout, max_items, can_quote=bool(text))
    body = builder.events(events) if task == "EAE" and events else builder.items(task, class_names)
    # Tokenizers of the sentencepiece family put a space before the first word of a text.
    rules = [f'start: " "? "results = " ({body})', *builder.rules]
    if builder.quotes:
        # One chunk for each character of the sentence, escaped as the answer must spell it: no escape is cut.
        chunks = json.dumps({"substring_chunks": [escape(character) for character in text]}, ensure_ascii=False)
        rules += ["MENTION: SUBSTRING & /(?s:.+)/", f"SUBSTRING: %regex {chunks}"]
    return "\n".join(rules) + "\n"


class _Builder:
    """Collects the rules of one grammar; alike slots share a rule."""

    def __init__(self, library: SchemaLibrary, style: Style, layout: _Layout, max_items: int, can_quote: bool) -> None:
        self.library = library
        self.style = style
        self.layout = layout
        self.max_items = max_items
        self.can_quote = can_quote
        self.quotes = False
        self.rules: list[str] = []
        self._slots: dict[tuple[str, ...], str] = {}

    def items(self, task: Task, class_names: Sequence[str]) -> str:
        """A list of any objects of the offered classes, or the empty list."""
        if not class_names or not self.can_quote:
            return _literal("[]")
        if task == "RE":
            objects = self._relations(class_names)
        elif task == "EAE":
            self.quotes = True
            trigger = " MENTION ".join([_literal('"')] * 2)
            objects = [self._event(name, trigger) for name in class_names]
        else:
            objects = [self._slot(tuple(class_names))]
        self.rules.append(f"item: {_literal(self.layout.indent)} ({_either(objects)})")
        more = self.max_items - 1
        if self.layout.trailing_comma:
            listed = f"(item {_literal(',' + chr(10))}){{1,{self.max_items}}}"
        else:
            listed = f"item ({_literal(',' + chr(10))} item){{0,{more}}} {_literal(chr(10))}"
        return f"{_literal('[]')} | {_literal('[' + chr(10))} {listed} {_literal(']')}"

    def events(self, triggers: Sequence[Mention]) -> str:
        """The given events in order of appearance, each with its trigger and any of its roles."""
        if self.layout.by_appearance and all(trigger.start is not None for trigger in triggers):
            triggers = sorted(triggers, key=lambda trigger: (trigger.start, trigger.end))
        lines = [
            f"{_literal(self.layout.indent)} {self._event(trigger.type, _literal(quote(trigger.text)))}"
            for trigger in triggers
        ]
        end = ",\n" if self.layout.trailing_comma else "\n"
        listed = f" {_literal(',' + chr(10))} ".join(lines)
        return f"{_literal('[' + chr(10))} {listed} {_literal(end + ']')}"

    def _event(self, name: str, trigger: str) -> str:
        """An event with its trigger, by the rule that spells it, and any of its roles."""
        kind = self.library.by_name(name)
        parts = [_literal(f"{name}({self.layout.trigger}"), trigger]
        for role in kind.roles if isinstance(kind, EventType) and self.can_quote else ():
            filler = self._slot(self._classes(role.types))
            written = published_name(role.name) if self.style.dialect == "released" else role.name
            opening = _literal(f", {written}{self.layout.equals}[")
            more = f"({_literal(', ')} {filler}){{0,{self.max_items - 1}}}"
            parts.append(f"({opening} {filler} {more} {_literal(']')})?")
        return " ".join([*parts, _literal(")")])

    def _relations(self, class_names: Sequence[str]) -> list[str]:
        """One alternative for each signature: the relations that share it, then head and tail."""
        signatures: dict[tuple[str, str], list[str]] = {}
        for name in class_names:
            kind = self.library.by_name(name)
            assert isinstance(kind, RelationType)
            slots = self._slot(self._classes(kind.head)), self._slot(self._classes(kind.tail))
            signatures.setdefault(slots, []).append(name)
        return [
            f"({_either(map(_literal, names))}) {_literal('(')} {head} {_literal(', ')} {tail} {_literal(')')}"
            for (head, tail), names in signatures.items()
        ]

    def _classes(self, types: Iterable[str]) -> tuple[str, ...]:
        """Class names of the entity types that a slot is hinted with; ``Entity`` where it is not."""
        hinted = tuple(self.library.by_id(id).name for id in types) if self.style.hints else ()
        return hinted or ("Entity",)

    def _slot(self, classes: tuple[str, ...]) -> str:
        """The rule of an object with one mention, of one of ``classes``."""
        self.quotes = True
        if classes not in self._slots:
            name = self._slots[classes] = f"slot{len(self._slots)}"
            opening = _literal('("')
            closing = _literal('")')
            self.rules.append(f"{name}: ({_either(map(_literal, classes))}) {opening} MENTION {closing}")
        return self._slots[classes]


def _either(alternatives: Iterable[str]) -> str:
    return " | ".join(alternatives)


def _literal(text: str) -> str:
    """A string as the grammar notation quotes it, which is as JSON does."""
    return json.dumps(text, ensure_ascii=False)
