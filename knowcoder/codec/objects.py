"""From plain values to annotations: what an object of an answer means in a task."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice, product
from typing import Literal, TypeAlias, TypeVar

from knowcoder.codec.labelled import is_around, pair_call, table_call
from knowcoder.codec.scan import MAX_LENGTH, MAX_OBJECTS
from knowcoder.codec.values import Call, Name, Pair, Problem, ProblemKind, Refused, Table, Value
from knowcoder.corpus.sentence import Annotations, Argument, Event, Mention, Relation
from knowcoder.schema.concepts import EventType, Task
from knowcoder.schema.library import SchemaLibrary, hints
from knowcoder.schema.naming import python_name, role_name

AnswerTask: TypeAlias = Task | Literal["EE"]
"""A task, or EE: events with their arguments at once; its answers are read as those of EAE."""
V = TypeVar("V", bound="Value | None")
_HEADS, _TAILS = ("head", "head_entity"), ("tail", "tail_entity")
_CONTAINERS = frozenset({"list", "tuple", "set"})
_NONE = frozenset({"None", "null"})


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


@dataclass(slots=True)
class Taken:
    """What was taken so far: objects of offered classes, those of others, and problems."""

    found: list[Mention | Relation | Event] = field(default_factory=list)
    not_offered: list[Mention | Relation | Event] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


class Objects:
    """Takes values as annotations; ``variables`` are names that stand for values, with the length of their code."""

    def __init__(self, offer: Offer, task: AnswerTask) -> None:
        self.offer, self.task = offer, task
        self.taken = Taken()
        self.variables: dict[str, tuple[Value, int]] = {}
        self.taken_names: set[str] = set()  # variables whose values were taken where they were set
        self._room = MAX_LENGTH  # characters that variables may add, which could else multiply an answer

    def problem(self, kind: ProblemKind, detail: str) -> None:
        if len(self.taken.problems) < MAX_OBJECTS:
            self.taken.problems.append(Problem(kind, detail[:80]))

    def limit(self, detail: str) -> None:
        problems = self.taken.problems
        if not problems or problems[-1].kind != "limit":
            self.problem("limit", detail)

    def take(self, value: Value) -> None:
        """Add the annotations that one element of the answer stands for."""
        if isinstance(value, Name) and value.name in self.taken_names:
            return
        value = self._resolved(value)
        if isinstance(value, Call):
            self._take_call(value)
        elif isinstance(value, list):
            for item in value:
                if isinstance(item, list):
                    self.problem("argument", "a list in a list")
                else:
                    self.take(item)
        elif isinstance(value, Pair):
            if is_around(value.key, self.offer.classes):
                self.take(value.value)
            else:
                self._take_call(pair_call(value, self.offer.classes))
        elif isinstance(value, Table):
            self._take_table(value)
        elif isinstance(value, str):
            self.problem("argument", f"{_described(value)} has no class")
        elif isinstance(value, Name):
            self.problem("unknown name", value.name)
        else:
            self.problem("not a literal", value.what)

    def _take_table(self, table: Table) -> None:
        """A record, or else the pairs of a dict one by one."""
        record = table_call(table, self.offer.classes)
        if record.name:
            self._take_call(record)
            return
        for item in table.items:
            if isinstance(item, Table):
                self.problem("argument", "a dict in a dict")
            else:
                self.take(item)

    def _take_call(self, call: Call) -> None:
        taken = self.taken
        if call.name in self.offer.classes:
            room = MAX_OBJECTS - len(taken.found)
            if room > 0:
                taken.found.extend(islice(self._objects(call), room))
            else:
                self.limit(f"more than {MAX_OBJECTS:,} objects")
        elif call.name in _CONTAINERS and len(call.arguments) == 1 and isinstance(call.arguments[0], list):
            for item in call.arguments[0]:
                if isinstance(item, Call) and item.name not in _CONTAINERS:
                    self._take_call(item)
                else:
                    self.problem("argument", f"{_described(item)} in {call.name}(...)")
        else:
            self.problem("unknown class", call.name)
            said = len(taken.problems)
            taken.not_offered.extend(islice(self._objects(call), MAX_OBJECTS - len(taken.not_offered)))
            del taken.problems[said:]  # one problem is enough for an object that is not taken

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
            if trigger is None or trigger == "" or (isinstance(trigger, Name) and trigger.name in _NONE):
                yield Event(call.name, None, arguments)
                return
        for text in self._texts(call.name, trigger):
            yield Event(call.name, Mention(call.name, text), arguments)

    def _roles(self, call: Call) -> Iterator[Argument]:
        declared = self.offer.roles.get(call.name)
        for keyword, value in call.keywords.items():
            if keyword == "trigger":
                continue
            role = self._role(keyword, declared)
            if declared is not None and role not in declared:
                self.problem("unknown role", f"{call.name}.{keyword}")
                continue
            for mention in self._mentions(f"{call.name}.{keyword}", value):
                yield Argument(role, mention)

    def _role(self, keyword: str, declared: Collection[str] | None) -> str:
        """The role of a keyword, which a model may write as the published data do, or by the role's label."""
        if declared is None:
            return python_name(keyword) if keyword.isidentifier() else role_name(keyword)
        for name in (keyword, python_name(keyword), role_name(keyword)):
            if name in declared:
                return name
        return keyword

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

    def held(self, name: Name) -> Value:
        """What a name stands for: the name itself where it is no variable."""
        if name.name not in self.variables:
            return name
        value, length = self.variables[name.name]
        self._room -= length
        if self._room < 0:
            self.limit("variables stand for too much")
            return Refused(name.name)
        return value

    def _resolved(self, value: V) -> V | Value:
        """What a variable stands for; a variable that stands for a list is a list only as the whole answer."""
        if not isinstance(value, Name):
            return value
        held = self.held(value)
        return value if isinstance(held, (list, Name)) else held

    def _surplus(self, call: Call, positional: Iterator[Value], keywords: Collection[str]) -> None:
        extra = [_described(value) for value in positional]
        extra += [keyword for keyword in call.keywords if keyword not in keywords]
        if extra:
            self.problem("argument", f"{call.name}: surplus {', '.join(extra)}")


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
        return repr(value[:80])
    if isinstance(value, list):
        return "a list"
    if isinstance(value, (Pair, Table)):
        return "a dict"
    return value.what if isinstance(value, Refused) else value.name


def sorted_out(found: Iterable[Mention | Relation | Event]) -> Annotations:
    """The objects by their kind."""
    found = tuple(found)
    return Annotations(
        tuple(item for item in found if isinstance(item, Mention)),
        tuple(item for item in found if isinstance(item, Relation)),
        tuple(item for item in found if isinstance(item, Event)),
    )
