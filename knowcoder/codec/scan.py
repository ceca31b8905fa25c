"""From a model's text to plain values: calls, strings and lists, read by hand and never run.

The scanner goes through the text once, takes every form of string that Python has, and mends what models get
wrong: missing commas, raw line breaks and raw quotes in strings, brackets that do not match, a cut at the end.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

MAX_LENGTH = 1_000_000
MAX_OBJECTS = 10_000
MAX_DEPTH = 16

ProblemKind = Literal[
    "no answer",
    "cut",
    "unknown class",
    "unknown role",
    "unknown name",
    "not a literal",
    "argument",
    "punctuation",
    "limit",
    "talk",
]


@dataclass(frozen=True, slots=True)
class Problem:
    """What a parser could not take as it stood.

    Attributes:
        kind: ``no answer`` (neither a list nor an object), ``cut`` (the text ends inside the answer), a class, role
            or variable that is not known, ``not a literal`` (an expression, which is never run), ``argument``
            (missing, surplus or of the wrong kind), ``punctuation`` (mended), ``limit`` (length, depth or number),
            ``talk`` (text after the answer).
        detail: the name or the piece of text in question.
    """

    kind: ProblemKind
    detail: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.detail}"


@dataclass(slots=True)
class Call:
    """``Name(...)``; ``keywords`` keeps the first of two equal names."""

    name: str
    arguments: list[Value] = field(default_factory=list)
    keywords: dict[str, Value] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Refused:
    """Something that is no string, call or list."""

    what: str


@dataclass(frozen=True, slots=True)
class Name:
    """A variable."""

    name: str


Value: TypeAlias = "str | Call | Name | Refused | list[Value]"


class Cut(Exception):
    """The text ended inside a value."""


class _Broken(Exception):
    """A string was not closed, but a new call begins at ``resume``."""

    def __init__(self, resume: int) -> None:
        self.resume = resume


_BLANK = re.compile(r"(?:[ \t\r\n\f\v\ufeff\xa0]+|#[^\n]*|\\\r?\n)*")
_NAME = re.compile(r"[^\W\d]\w*")
_STRING = re.compile(r"([a-zA-Z]{0,2})('''|\"\"\"|'|\")")
_NUMBER = re.compile(r"\d[\w.]*")
_OPERATORS = frozenset({"for", "if", "else", "and", "or", "in", "is", "not", "async", "await", "lambda"})
_KEYWORD = re.compile(r"([^\W\d]\w*)[ \t\r\n]*=(?!=)")
_CLOSED_BY = {"(": ")", "[": "]"}
_ENDS = {quotes: re.compile(rf"\\.|{quotes}", re.S) for quotes in ("'", '"', "'''", '"""')}
# What may follow the quote that closes a string in Python, and what must follow it once a raw quote has been seen.
_AFTER = re.compile(r"[ \t\r\n]*(?:\Z|[,)\]}\"'+%.#:;*/])")
_AFTER_RAW = re.compile(r"[ \t\r\n]*(?:\Z|[)\]]|,[ \t\r\n]*(?:\Z|[\"')\]\[]|[^\W\d]\w*[ \t]*[=(]))")
_CALL_BEFORE = re.compile(r"[^\W\d]\w*\(\Z")
_ESCAPE = re.compile(
    r"\\(?:(\r?\n)|([0-7]{1,3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|N\{([^{}\n]{1,100})\}|(.))", re.S
)
_SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", "'": "'", '"': '"'}
_SURROGATE = re.compile("[\ud800-\udfff]")


class Scanner:
    """Reads values from ``text`` at ``position``, which only moves forward; ``problems`` collects what was mended."""

    def __init__(self, text: str, position: int = 0) -> None:
        self.text, self.position = text, position
        self.problems: list[Problem] = []

    def peek(self) -> str:
        """The next character that is neither blank nor comment; empty at the end."""
        blank = _BLANK.match(self.text, self.position)
        self.position = blank.end() if blank else self.position
        return self.text[self.position : self.position + 1]

    def problem(self, kind: ProblemKind, detail: str) -> None:
        """Note a problem; a text that is all problems is not worth remembering in full."""
        if len(self.problems) < MAX_OBJECTS:
            self.problems.append(Problem(kind, detail[:80]))

    def elements(self, closer: str, depth: int) -> Iterator[Value]:
        """Values up to a closing bracket, which is consumed; an element is yielded once it is whole.

        Raises:
            Cut: the text ended before the bracket.
        """
        while True:
            following = self.peek()
            if not following:
                raise Cut
            if following == closer:
                self.position += 1
                return
            if following == ",":
                self.position += 1
            elif following in ")]}":
                self.problem("punctuation", f"{following!r} where {closer!r} was expected")
                self.position += 1
            else:
                try:
                    yield self._element(depth)
                except _Broken as broken:
                    self.problem("punctuation", "a string that is not closed")
                    self.position = broken.resume

    def open_list(self) -> Iterator[Value]:
        """The elements of the list or tuple that opens here, each as soon as it is whole; see ``elements``."""
        closer = _CLOSED_BY[self.peek()]
        self.position += 1
        return self.elements(closer, 0)

    def skip_separators(self) -> None:
        """Go past blanks, commas and semicolons on the same line."""
        while self.text[self.position : self.position + 1] in (" ", "\t", ",", ";"):
            self.position += 1

    def statement(self) -> Value:
        """One value that stands by itself.

        Raises:
            Cut: the text ended inside it.
        """
        try:
            return self._value(0)
        except _Broken as broken:
            self.position = broken.resume
            return Refused("a string that is not closed")

    def _value(self, depth: int) -> Value:
        """One value, without a look at what follows it."""
        following = self.peek()
        if not following:
            raise Cut
        if depth > MAX_DEPTH:
            self.problem("limit", f"nested more than {MAX_DEPTH} deep")
            self._skip()
            return Refused("nested too deep")
        if following in "[(":
            self.position += 1
            return list(self.elements(_CLOSED_BY[following], depth + 1))
        string = _STRING.match(self.text, self.position)
        if string:
            return self._strings(string)
        name = _NAME.match(self.text, self.position)
        if name:
            self.position = name.end()
            if self.peek() == "(":
                self.position += 1
                return self._call(unicodedata.normalize("NFKC", name[0]), depth)
            return Name(unicodedata.normalize("NFKC", name[0]))
        start = self.position
        number = _NUMBER.match(self.text, start)
        if number:
            self.position = number.end()
            return Refused(number[0])
        if following != "{":
            self.position += 1
        self._skip()
        return Refused(self.text[start : min(self.position, start + 60)])

    def _element(self, depth: int) -> Value:
        start = self.position
        value = self._value(depth)
        following = self.peek()
        if not following or following in ",)]}":
            return value
        name = _NAME.match(self.text, self.position)
        starts_value = name is not None or following in "\"'["
        if not starts_value or (name is not None and name[0] in _OPERATORS) or following == "[":
            self._skip()
            return Refused(self.text[start : min(self.position, start + 60)])
        self.problem("punctuation", f"no comma before {self.text[self.position : self.position + 30]!r}")
        return value

    def _call(self, name: str, depth: int) -> Value:
        call = Call(name)
        while True:
            following = self.peek()
            if not following:
                raise Cut
            if following == ")":
                self.position += 1
                return call
            if following in "]}":
                self.problem("punctuation", f"{name}(...) is closed by {following!r}")
                return Refused(f"{name}(...")
            if following == ",":
                self.position += 1
                continue
            keyword = _KEYWORD.match(self.text, self.position)
            if keyword:
                self.position = keyword.end()
                if self.peek() in (",", ")"):
                    self.problem("argument", f"{name}: nothing after {keyword[1]}=")
                    continue
                call.keywords.setdefault(unicodedata.normalize("NFKC", keyword[1]), self._element(depth + 1))
            else:
                call.arguments.append(self._element(depth + 1))

    def _strings(self, first: re.Match[str]) -> Value:
        """One string, or several that stand side by side, which Python joins."""
        parts: list[str] = []
        refused: Refused | None = None
        found: re.Match[str] | None = first
        while found:
            part = self._string(found)
            if isinstance(part, Refused):
                refused = refused or part
            else:
                parts.append(part)
            self.peek()
            found = _STRING.match(self.text, self.position)
        return refused or whole("".join(parts))

    def _string(self, opening: re.Match[str]) -> str | Refused:
        prefix, quotes = opening[1].lower(), opening[2]
        start = self.position = opening.end()
        end = self._end_of_triple(start, quotes) if len(quotes) == 3 else self._end_of_single(start, quotes)
        body = self.text[start:end]
        self.position = end + len(quotes)
        if prefix not in ("", "r", "u", "f", "fr", "rf"):
            return Refused(f"{opening[0]}...")
        if "f" in prefix:
            bare = body.replace("{{", "").replace("}}", "")
            if "{" in bare or "}" in bare:
                return Refused(f"{opening[0]}{body[:40]}...")
            body = body.replace("{{", "{").replace("}}", "}")
        return body if "r" in prefix else unescape(body)

    def _end_of_triple(self, start: int, quotes: str) -> int:
        for found in _ENDS[quotes].finditer(self.text, start):
            if found[0] == quotes:
                return found.start()
        raise Cut

    def _end_of_single(self, start: int, quote: str) -> int:
        """Where a string closes: at the first quote that Python could go on after.

        A quote followed by a word stands raw in the text; after one of these, only a quote before a comma or
        a closing bracket closes.
        """
        raw = False
        for found in _ENDS[quote].finditer(self.text, start):
            if found[0] != quote:
                continue
            if (_AFTER_RAW if raw else _AFTER).match(self.text, found.end()):
                if raw:
                    self.problem("punctuation", f"raw quotes in {self.text[start : found.start()]!r}")
                return found.start()
            call = _CALL_BEFORE.search(self.text[max(start, found.start() - 64) : found.start()])
            if call:
                raise _Broken(found.start() - len(call[0]))
            raw = True
        raise Cut

    def _skip(self) -> None:
        """Go on to the comma or closing bracket that ends the expression here, past brackets inside it."""
        open_brackets = 0
        while True:
            following = self.peek()
            if not following:
                raise Cut
            if not open_brackets and following in ",)]}":
                return
            string = _STRING.match(self.text, self.position)
            if string:
                self._string(string)
                continue
            open_brackets += (following in "([{") - (following in ")]}")
            word = _NAME.match(self.text, self.position)
            self.position = word.end() if word else self.position + 1


def unescape(body: str) -> str:
    """The text that Python reads for the inside of a string literal; what is no escape stays as it is."""
    return _ESCAPE.sub(_unescaped, body) if "\\" in body else body


def whole(text: str) -> str:
    """Text that can be encoded: surrogates joined in pairs, a single one replaced."""
    if not _SURROGATE.search(text):
        return text
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _unescaped(match: re.Match[str]) -> str:
    newline, octal, byte, short, long, name, char = match.groups()
    if newline is not None:
        return ""
    if octal is not None:
        return chr(int(octal, 8))
    code = byte or short or long
    if code is not None:
        number = int(code, 16)
        return chr(number) if number < 0x110000 else match[0]
    if name is not None:
        try:
            return unicodedata.lookup(name)
        except KeyError:
            return match[0]
    return _SIMPLE.get(char, match[0])
