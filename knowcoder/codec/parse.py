"""From what a model wrote to annotations: total (any text gives an answer), safe (nothing is run), linear.

Both dialects, and what models write instead: keyword arguments, variables, fences and talk around the code, no
list at all. Complete objects before a cut are kept; everything that is not taken as it stands is a problem.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice, product
from typing import TypeVar

from knowcoder.codec.scan import (
    MAX_LENGTH,
    MAX_OBJECTS,
    Call,
    Cut,
    Name,
    Problem,
    ProblemKind,
    Refused,
    Scanner,
    Value,
)
from knowcoder.corpus.sentence import Annotations, Argument, Event, Mention, Relation
from knowcoder.schema.concepts import EventType, Task
from knowcoder.schema.library import SchemaLibrary, hints
from knowcoder.schema.naming import python_name

_FENCE = re.compile(r"^[ \t]*```[^\n]*$", re.M)
_RESULTS = re.compile(r"^[ \t]*results[ \t]*(?::[^\n=]*)?=(?!=)", re.M)
_RESULTS_ANYWHERE = re.compile(r"\bresults[ \t]*=(?=[ \t]*\[)")
_STATEMENT = re.compile(
    r"[ \t]*(?:[-*][ \t]+)?(?:([^\W\d]\w*)[ \t]*(?::[^\n=]*)?=(?!=)[ \t]*)?(?:([^\W\d]\w*)[ \t]*\(|(\[))"
)
V = TypeVar("V", bound="Value | None")
_HEADS, _TAILS = ("head", "head_entity"), ("tail", "tail_entity")


@dataclass(frozen=True, slots=True)
class Offer:
    """What a prompt offers, as far as a parser must know it.

    Attributes:
        classes: names that may be extracted.
        others: further names that may stand around arguments (``Entity`` always may).
        roles: event name -> its roles; an event that is not named here may have any role.
    """

    classes: frozenset[str]
    others: frozenset[str] = frozenset()
    roles: Mapping[str, frozenset[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, library: SchemaLibrary, names: Iterable[str]) -> Offer:
        """What a prompt with these classes offers: their hinted entity types and roles come along."""
        concepts = [library.by_name(name) for name in names]
        return cls(
            frozenset(concept.name for concept in concepts),
            frozenset(library.by_id(id).name for concept in concepts for id in hints(concept)),
            {
                concept.name: frozenset(role.name for role in concept.roles)
                for concept in concepts
                if isinstance(concept, EventType)
            },
        )


@dataclass(frozen=True, slots=True)
class ParsedAnswer:
    """What was found, and what was not taken as it stood. ``not_offered`` holds objects of classes of no offer."""

    annotations: Annotations = field(default_factory=Annotations)
    problems: tuple[Problem, ...] = ()
    not_offered: Annotations = field(default_factory=Annotations)


def parse_answer(text: str, schema: Offer | Collection[str], task: Task) -> ParsedAnswer:
    """Read the annotations out of an answer; never raises, whatever the text.

    Args:
        text: what the model wrote.
        schema: what the prompt offered; bare class names stand for an offer without known roles.
        task: decides what an object means: ``Attack("x")`` is an entity, an event, or nothing.
    """
    offer = schema if isinstance(schema, Offer) else Offer(frozenset(schema))
    reader = _Reader(offer, task)
    if len(text) > MAX_LENGTH:
        reader.problem("limit", f"more than {MAX_LENGTH:,} characters")
    reader.read(text[:MAX_LENGTH])
    return ParsedAnswer(_sorted_out(reader.found), tuple(reader.problems), _sorted_out(reader.not_offered))


class _Reader:
    """Finds the answer in a text and collects its objects."""

    def __init__(self, offer: Offer, task: Task) -> None:
        self.offer, self.task = offer, task
        self.problems: list[Problem] = []
        self.found: list[Mention | Relation | Event] = []
        self.not_offered: list[Mention | Relation | Event] = []
        self.variables: dict[str, Value] = {}

    def problem(self, kind: ProblemKind, detail: str) -> None:
        if len(self.problems) < MAX_OBJECTS:
            self.problems.append(Problem(kind, detail[:80]))

    def read(self, text: str) -> None:
        code, fenced = _code(text)
        anchor = _RESULTS.search(code)
        if anchor is None:
            self._read_statements(code, assignments_only=False)
            anchor = None if self.found else _RESULTS_ANYWHERE.search(code)
            if anchor is None:
                if not self.found and not self.problems:
                    self.problem("no answer", code.strip())
                return
        else:
            self._read_statements(code[: anchor.start()], assignments_only=True)
        before = len(self.problems)
        end = 0
        while anchor is not None:  # the last assignment stands
            self.found.clear()
            self.not_offered.clear()
            del self.problems[before:]
            scanner = Scanner(code, anchor.end())
            self._take_all(scanner)
            end = scanner.position
            anchor = _RESULTS.search(code, end)
        rest = code[end:].strip()
        if rest and not fenced:
            self.problem("talk", rest)

    def _read_statements(self, code: str, assignments_only: bool) -> None:
        """Read calls and lists that begin a line, with or without ``name =`` before them; other lines are talk."""
        known = self.offer.classes | self.offer.others
        position = 0
        while position < len(code):
            found = _STATEMENT.match(code, position)
            if found is None or not (found[1] or (not assignments_only and (found[3] or found[2] in known))):
                newline = code.find("\n", position)
                position = len(code) if newline < 0 else newline + 1
                continue
            scanner = Scanner(code, found.start(2) if found[2] else found.start(3))
            if assignments_only or (found[1] and found[2]):
                try:
                    value = self.variables[found[1]] = scanner.statement()
                except Cut:
                    value = Refused("a cut")
                    scanner.position = len(code)
                    self.problem("cut", code[-40:])
                if not assignments_only:
                    self._take(value)
            else:
                self._take_all(scanner)
            scanner.skip_separators()
            position = scanner.position

    def _take_all(self, scanner: Scanner) -> None:
        """Take a list object by object, so that what is whole before a cut is kept; or take a single object."""
        mended = len(self.problems)
        start = scanner.position
        try:
            if scanner.peek() in ("[", "("):
                for value in scanner.open_list():
                    self._take(value)
            else:
                single = scanner.statement()
                if isinstance(single, Name):
                    single = self.variables.get(single.name, single)
                for value in single if isinstance(single, list) else [single]:
                    self._take(value)
        except Cut:
            self.problem("cut", scanner.text[start:][-40:])
            scanner.position = len(scanner.text)
        self.problems[mended:mended] = scanner.problems

    def _take(self, value: Value) -> None:
        """Add the annotations that one element of the answer stands for."""
        value = self._resolved(value)
        if isinstance(value, list):
            for item in value:
                if isinstance(item, list):
                    self.problem("argument", "a list in a list")
                else:
                    self._take(item)
        elif isinstance(value, str):
            self.problem("argument", f"{value!r} has no class")
        elif isinstance(value, Name):
            self.problem("unknown name", value.name)
        elif isinstance(value, Refused):
            self.problem("not a literal", value.what)
        elif value.name not in self.offer.classes:
            self.problem("unknown class", value.name)
            said = len(self.problems)
            self.not_offered.extend(islice(self._objects(value), MAX_OBJECTS - len(self.not_offered)))
            del self.problems[said:]  # one problem is enough for an object that is not taken
        else:
            room = MAX_OBJECTS - len(self.found)
            if room <= 0:
                if not self.problems or self.problems[-1].kind != "limit":
                    self.problem("limit", f"more than {MAX_OBJECTS:,} objects")
                return
            self.found.extend(islice(self._objects(value), room))

    def _objects(self, call: Call) -> Iterator[Mention | Relation | Event]:
        if self.task == "NER":
            return iter(self._entities(call))
        return self._relations(call) if self.task == "RE" else self._events(call)

    def _entities(self, call: Call) -> list[Mention]:
        positional = iter(call.arguments)
        name = _argument(call, ("name",), positional)
        self._surplus(call, positional, ("name",))
        return [Mention(call.name, text) for text in self._texts(call.name, name)]

    def _relations(self, call: Call) -> Iterator[Relation]:
        positional = iter(call.arguments)
        heads = self._mentions(f"{call.name}.head", _argument(call, _HEADS, positional))
        tails = self._mentions(f"{call.name}.tail", _argument(call, _TAILS, positional))
        self._surplus(call, positional, _HEADS + _TAILS)
        for head, tail in product(heads, tails):
            yield Relation(call.name, head, tail)

    def _events(self, call: Call) -> Iterator[Event]:
        positional = iter(call.arguments)
        trigger = _argument(call, ("trigger",), positional)
        if self.task == "ED":
            self._surplus(call, positional, ("trigger",))
            arguments: tuple[Argument, ...] = ()
        else:
            self._surplus(call, positional, tuple(call.keywords))
            arguments = tuple(self._roles(call))
            if trigger is None:
                yield Event(call.name, None, arguments)
                return
        for text in self._texts(call.name, trigger):
            yield Event(call.name, Mention(call.name, text), arguments)

    def _roles(self, call: Call) -> Iterator[Argument]:
        declared = self.offer.roles.get(call.name)
        for keyword, value in call.keywords.items():
            role = keyword if declared is not None and keyword in declared else python_name(keyword)
            if keyword == "trigger":
                continue
            if declared is not None and role not in declared:
                self.problem("unknown role", f"{call.name}.{keyword}")
                continue
            for mention in self._mentions(f"{call.name}.{keyword}", value):
                yield Argument(role, mention)

    def _mentions(self, place: str, value: Value | None) -> list[Mention]:
        """The mentions that stand in an argument: objects or bare strings, one or a list."""
        value = self._resolved(value)
        mentions: list[Mention] = []
        for item in value if isinstance(value, list) else [value]:
            item = self._resolved(item)
            if isinstance(item, Call):
                positional = iter(item.arguments)
                name = _argument(item, ("name",), positional)
                self._surplus(item, positional, ("name",))
                mentions += [Mention(self._known(item.name), text) for text in self._texts(item.name, name)]
            else:
                mentions += [Mention("Entity", text) for text in self._texts(place, item)]
        return mentions

    def _known(self, name: str) -> str:
        """The name of a class around an argument, or ``Entity`` where nothing of that name was offered."""
        if name == "Entity" or name in self.offer.others or name in self.offer.classes:
            return name
        self.problem("unknown class", name)
        return "Entity"

    def _texts(self, place: str, value: Value | None) -> list[str]:
        """The texts that stand in an argument: a string, or a list of strings."""
        value = self._resolved(value)
        texts: list[str] = []
        for item in value if isinstance(value, list) else [value]:
            item = self._resolved(item)
            if isinstance(item, str) and item:
                texts.append(item)
            elif isinstance(item, Refused):
                self.problem("not a literal", f"{place}: {item.what}")
            else:
                self.problem("argument", f"{place}: {_described(item)} where a text was expected")
        return texts

    def _resolved(self, value: V) -> V | Value:
        """What a variable stands for; a variable that stands for a list is a list only as the whole answer."""
        if isinstance(value, Name):
            held = self.variables.get(value.name, value)
            return value if isinstance(held, (list, Name)) else held
        return value

    def _surplus(self, call: Call, positional: Iterator[Value], keywords: Collection[str]) -> None:
        extra = [_described(value) for value in positional]
        extra += [keyword for keyword in call.keywords if keyword not in keywords]
        if extra:
            self.problem("argument", f"{call.name}: surplus {', '.join(extra)}")


def _sorted_out(found: list[Mention | Relation | Event]) -> Annotations:
    return Annotations(
        tuple(item for item in found if isinstance(item, Mention)),
        tuple(item for item in found if isinstance(item, Relation)),
        tuple(item for item in found if isinstance(item, Event)),
    )


def _argument(call: Call, keywords: Iterable[str], positional: Iterator[Value]) -> Value | None:
    """An argument by one of its names, else the next of the positional ones, else nothing."""
    for keyword in keywords:
        if keyword in call.keywords:
            return call.keywords[keyword]
    return next(positional, None)


def _described(value: Value | None) -> str:
    if value is None:
        return "nothing"
    if isinstance(value, str):
        return repr(value)
    if isinstance(value, list):
        return "a list"
    return value.what if isinstance(value, Refused) else value.name


def _code(text: str) -> tuple[str, bool]:
    """The text without talk: what stands in fences, or before a fence that only closes. True if there was one."""
    fences = list(_FENCE.finditer(text))
    if not fences:
        return text, False
    before = text[: fences[0].start()]
    if _RESULTS.search(before):
        return before, True
    openings, closings = fences[::2], fences[1::2]
    ends = [closing.start() for closing in closings] + [len(text)]
    blocks = [text[opening.end() : end] for opening, end in zip(openings, ends, strict=False)]
    return "\n".join(blocks), True
