"""From what a model wrote to annotations: total (any text gives an answer), safe (nothing is run), linear.

Both dialects, and what models write instead: keyword arguments, variables, fences and talk around the code, dicts,
no list at all. Complete objects before a cut are kept; everything that is not taken as it stands is a problem.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from knowcoder.codec.objects import AnswerTask, Objects, Offer, Taken, sorted_out
from knowcoder.codec.scan import MAX_LENGTH, NAME, Cut, Scanner
from knowcoder.codec.strings import out_of_string, whole
from knowcoder.codec.values import Call, Name, Problem, Refused, Value
from knowcoder.corpus.sentence import Annotations

__all__ = ["Offer", "ParsedAnswer", "parse_answer"]

_FENCE = re.compile(r"^[ \t]*(?:```|~~~)[ \t]*(?:(?:python3?|py|json)\b|[\w+-]*(?=[ \t]*$))?", re.M)
# ``results = ...``, ``results += ...`` and ``results.append(...)``; the last two add to what is there.
_RESULTS = re.compile(
    r"^[ \t]*results[ \t]*(?:(?P<sets>(?::[^\n=]*)?=)(?!=)|\+=|\.[ \t]*(?:append|extend|add|update)[ \t]*(?=\())", re.M
)
_RESULTS_ANYWHERE = re.compile(r"\bresults?\W{0,4}?(?P<sets>[=:])(?=\s{0,100}[\[{])|(?=\{\s{0,100}[\"'])", re.I)
_STATEMENT = re.compile(
    r"[ \t]*(?:(?:[-*\u2022]|\d{1,4}[.)]|>>>)[ \t]+)?`?"
    rf"(?:(?P<variable>{NAME})[ \t]*(?::[^\n=]*)?\+?=(?!=)[ \t]*|(?:return|yield)[ \t]+|print\("
    rf"|{NAME}\.(?:append|extend|add)\()?(?P<value>(?P<call>{NAME})[ \t]*\(|[\[{{]|[\"'])"
)
T = TypeVar("T")
# A model that goes on after its answer writes the next prompt: what answers that is of another sentence.
_NEXT_PROMPT = re.compile(r"\A\s*(?:\"\"\"|''')|^(?:class|from|import)[ \t]|^sentence[ \t]*=", re.M)
_OPENINGS = ("[", "(", "{")


@dataclass(frozen=True, slots=True)
class ParsedAnswer:
    """What was found, and what was not taken as it stood. ``not_offered`` holds objects of classes of no offer."""

    annotations: Annotations = field(default_factory=Annotations)
    problems: tuple[Problem, ...] = ()
    not_offered: Annotations = field(default_factory=Annotations)


def parse_answer(text: str, schema: Offer | Collection[str], task: AnswerTask) -> ParsedAnswer:
    """Read the annotations out of an answer; never raises, whatever the text.

    Args:
        text: what the model wrote: code, or a dict as instruction-tuned models write it.
        schema: what the prompt offered; bare class names stand for an offer without known roles.
        task: decides what an object means: ``Attack("x")`` is an entity, an event, or nothing.
    """
    reader = _Reader(Objects(schema if isinstance(schema, Offer) else Offer(frozenset(schema)), task))
    if len(text) > MAX_LENGTH:
        reader.objects.problem("limit", f"more than {MAX_LENGTH:,} characters")
    answer = whole(text[:MAX_LENGTH])
    inside = out_of_string(answer)
    if inside is not None:
        reader.objects.problem("punctuation", "an answer that is escaped as the inside of a string")
    reader.read(answer if inside is None else inside)
    taken = reader.objects.taken
    return ParsedAnswer(sorted_out(taken.found), tuple(taken.problems), sorted_out(taken.not_offered))


class _Reader:
    """Finds the answer in a text and hands its values on, each as soon as it is whole."""

    def __init__(self, objects: Objects) -> None:
        self.objects = objects
        self.read_any = False
        self.known = objects.offer.classes | objects.offer.others

    def read(self, text: str) -> None:
        code, fenced = _code(text)
        anchor = _RESULTS.search(code)
        read_twice = anchor is None
        if anchor is None:
            self._read_statements(code, assignments_only=False)
            anchor = None if self.objects.taken.found else _RESULTS_ANYWHERE.search(code)
            if anchor is None:
                if not self.read_any:
                    self.objects.problem("no answer", code.strip())
                return
        else:
            self._read_statements(code[: anchor.start()], assignments_only=True)
        before = self.objects.taken.problems
        self.objects.taken = Taken()
        end = 0
        while anchor is not None:
            end = self._read_results(code, anchor)
            anchor = _RESULTS.search(code, end)
            if anchor is not None and _NEXT_PROMPT.search(code[end : anchor.start()]):
                break
        again = frozenset(self.objects.taken.problems) if read_twice else frozenset()
        self.objects.taken.problems[:0] = [problem for problem in before if problem not in again]
        behind = Scanner(code, end)
        behind.peek()
        rest = code[behind.position :].strip(" \t\r\n`")
        if rest and not fenced:
            self.objects.problem("talk", rest)

    def _read_results(self, code: str, anchor: re.Match[str]) -> int:
        """Read what ``results`` is set to, or what is added to it; the place behind it.

        The last assignment stands, but one that is cut off, or gives ``results`` no objects, takes nothing away.
        """
        scanner = Scanner(code, anchor.end())
        if not anchor["sets"]:
            self._take_all(scanner)
            return scanner.position
        earlier = self.objects.taken
        self.objects.taken = now = Taken()
        ending = self._take_all(scanner)
        if ending != "whole":
            earlier.found += _beyond(earlier.found, now.found)
            earlier.not_offered += _beyond(earlier.not_offered, now.not_offered)
            earlier.problems += now.problems
            self.objects.taken = earlier
        return scanner.position

    def _read_statements(self, code: str, assignments_only: bool) -> None:
        """Read calls and lists that begin a line, with or without ``name =`` before them; other lines are talk."""
        position = 0
        while position < len(code):
            found = _STATEMENT.match(code, position)
            if found is None or not self._is_answer(found, assignments_only):
                newline = code.find("\n", position)
                position = len(code) if newline < 0 else newline + 1
                continue
            self.read_any = True
            scanner = Scanner(code, found.start("value"))
            if assignments_only or (found["variable"] and found["value"] not in ("[", "{")):
                self._assign(scanner, found["variable"], take=not assignments_only)
            else:
                self._take_all(scanner)
            scanner.skip_separators()
            position = scanner.position

    def _is_answer(self, found: re.Match[str], assignments_only: bool) -> bool:
        if found["variable"]:
            return True
        return (
            not assignments_only
            and found["value"] not in ("'", '"')
            and (found["call"] is None or found["call"] in self.known)
        )

    def _assign(self, scanner: Scanner, name: str, take: bool) -> None:
        """Read the value of a variable, and take it too unless it only stands around an argument."""
        start = scanner.position
        self.objects.taken_names.discard(name)
        value: Value
        try:
            value = scanner.statement()
        except Cut:
            value = Refused("a cut")
            scanner.position = len(scanner.text)
            self.objects.problem("cut", scanner.text[-40:])
        self.objects.variables[name] = value, scanner.position - start
        if (
            take
            and not isinstance(value, str)
            and not (isinstance(value, Call) and value.name in self.known - self.objects.offer.classes)
        ):
            self.objects.take(value)
            self.objects.taken_names.add(name)

    def _take_all(self, scanner: Scanner) -> Literal["whole", "cut", "no objects"]:
        """Take a list object by object, so that what is whole before a cut is kept; or objects without a list."""
        problems = self.objects.taken.problems
        mended, start = len(problems), scanner.position
        ending: Literal["whole", "cut", "no objects"] = "whole"
        try:
            if scanner.peek() in _OPENINGS:
                self._take_lists(scanner)
            elif not self._take_bare(scanner):
                ending = "no objects"
        except Cut:
            self.objects.problem("cut", scanner.text[max(start, len(scanner.text) - 40) :])
            scanner.position = len(scanner.text)
            ending = "cut"
        problems[mended:mended] = scanner.problems
        return ending

    def _take_lists(self, scanner: Scanner) -> None:
        """One list, or several that are added."""
        for value in scanner.open_list():
            self.objects.take(value)
        place = scanner.position
        if scanner.peek() == "+":
            scanner.position += 1
            if scanner.peek() in _OPENINGS:
                self._take_lists(scanner)
                return
        scanner.position = place

    def _take_bare(self, scanner: Scanner) -> bool:
        """Objects without brackets around them, with commas or lines between them; False if there are none."""
        some = False
        while True:
            value = scanner.statement()
            if isinstance(value, Name) and value.name in self.objects.variables:
                value = self.objects.held(value)
                some = True
            some = some or isinstance(value, (Call, list))
            for item in value if isinstance(value, list) else [value]:
                self.objects.take(item)
            place = scanner.position
            comma = scanner.peek() == ","
            if comma:
                scanner.position += 1
                scanner.peek()
            following = _STATEMENT.match(scanner.text, scanner.position)
            if following is None or following["variable"] or following["call"] not in self.known:
                scanner.position = place
                return some
            scanner.position = following.start("value")


def _beyond(earlier: list[T], later: list[T]) -> list[T]:
    """The later objects that are not among the earlier ones as often as they are there."""
    spare = Counter(earlier) if later else {}
    beyond = []
    for item in later:
        if spare.get(item):
            spare[item] -= 1
        else:
            beyond.append(item)
    return beyond


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
    code = "\n".join(text[opening.end() : end] for opening, end in zip(openings, ends, strict=False))
    if _RESULTS.search(code):
        return code, True
    starts = [0, *(closing.end() for closing in closings)]
    outside = "\n".join(text[start : opening.start()] for start, opening in zip(starts, openings, strict=False))
    outside += "\n" + text[starts[-1] :] if len(starts) > len(openings) else ""
    return (outside if _RESULTS.search(outside) else code), True
