"""From a model's text to plain values: calls, strings, lists and dicts, read by hand and never run.

The scanner goes through the text once, takes every form of string that Python has, and mends what models get
wrong: missing commas, raw line breaks and raw quotes in strings, brackets that do not match, a cut at the end.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator

from knowcoder.codec.strings import unescape, whole
from knowcoder.codec.values import Call, Name, Pair, Problem, ProblemKind, Refused, Table, Value

MAX_LENGTH = 1_000_000
MAX_OBJECTS = 10_000
MAX_DEPTH = 16


class Cut(Exception):
    """The text ended inside a value."""


class _Broken(Exception):
    """A string was not closed, but a new call begins at ``resume``."""

    def __init__(self, resume: int) -> None:
        self.resume = resume


_BLANK = re.compile(r"(?:[ \t\r\n\f\v\ufeff\xa0]+|#[^\n]*|\\\r?\n)*")
# ``\w`` knows no combining marks, without which most scripts of India cannot be written; what else it leaves out and
# this takes in begins no name that is asked for. Punctuation of every width stays outside.
# A name is read without going back (``*+``), or a long one would take for ever.
NAME = r"[^\W\d]\w*+(?:[^\x00-\u02ff\u2000-\u2bff\u3000-\u303f\ufe10-\ufe1f\ufe30-\ufe6f\uff00-\uffef\s]\w*+)*+"
_NAME = re.compile(NAME)
_STRING = re.compile(r"([a-zA-Z]{0,2})('''|\"\"\"|'|\")")
_NUMBER = re.compile(r"\d[\w.]*")
_OPERATORS = frozenset({"for", "if", "else", "and", "or", "in", "is", "not", "async", "await", "lambda"})
_PREFIXES = frozenset({"not", "lambda", "await"})
_KEYWORD = re.compile(rf"({NAME})[ \t\r\n]*=(?!=)")
_CLOSED_BY = {"(": ")", "[": "]", "{": "}"}
# What goes on from a value as an expression; any other character between two values is a slip of the pen.
_GOES_ON = frozenset("+-*%@&|^<>=!.~:[({")
_STRAY = re.compile(r"\][ \t]*\)")
_SLIP = re.compile(r"[^\w\s\"'()\[\]{},#]+")
_LINE_CALL = rf"\n[ \t]*(?={NAME}\([\"'])"
_CALL = re.compile(rf"{NAME}\(")
_ENDS = {quote: re.compile(rf"\\.|{quote}|{_LINE_CALL}", re.S) for quote in ("'", '"')}
_ENDS |= {quotes: re.compile(rf"\\.|{quotes}", re.S) for quotes in ("'''", '"""')}
# What may follow the quote that closes a string in Python, and what must follow it once a raw quote has been seen.
_AFTER = re.compile(r"[ \t\r\n]*(?:\Z|[,)\]}\"'+%.#:;*/]|if\b[^,\"'\n]{0,80}\belse\b|for[ ]\w{1,40}[ ]in\b)")
_AFTER_RAW = re.compile(r"[ \t\r\n]*(?:\Z|[)\]]|,[ \t\r\n]*(?:\Z|[\"')\]\[]|" + NAME + r"[ \t]*[=(]))")
_CALL_BEFORE = re.compile(rf"{NAME}\(\Z")


class Scanner:
    """Reads values from ``text`` at ``position``, which only moves forward; ``problems`` collects what was mended."""

    def __init__(self, text: str, position: int = 0) -> None:
        self.text, self.position = text, position
        self.problems: list[Problem] = []
        self._in_braces = False

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
            elif closer == "]" and depth and _KEYWORD.match(self.text, self.position):
                self.problem("punctuation", "a list that is not closed before the next argument")
                return
            elif self.text.startswith("//", self.position):
                self._skip_line()
            else:
                try:
                    if closer == "}":
                        yield from self._entries(depth)
                    else:
                        yield self._element(depth)
                except _Broken as broken:
                    self.problem("punctuation", "a string that is not closed")
                    self.position = broken.resume

    def open_list(self) -> Iterator[Value]:
        """The elements of the list or tuple that opens here, each as soon as it is whole; see ``elements``."""
        closer = _CLOSED_BY[self.peek()]
        self.position += 1
        return self.elements(closer, 0)

    def _entries(self, depth: int) -> Iterator[Value]:
        """What stands between two commas of ``{...}``: an element, or the pairs of one key, each once it is whole."""
        outside, self._in_braces = self._in_braces, True
        try:
            start = self.position
            key = self._value(depth)
            if not isinstance(key, str) or self.peek() != ":":
                yield self._continued(start, key)
                return
            self.position += 1
            following = self.peek()
            if following in ("[", "{") and depth < MAX_DEPTH:
                self.position += 1
                for value in self.elements(_CLOSED_BY[following], depth + 1):
                    yield Pair(key, value)
            else:
                yield Pair(key, self._element(depth + 1))
        finally:
            self._in_braces = outside

    def skip_separators(self) -> None:
        """Go past blanks, commas, semicolons and stray closing brackets on the same line."""
        while self.text[self.position : self.position + 1] in (" ", "\t", ",", ";", ")", "`"):
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
        if following == "{":
            self.position += 1
            items = list(self.elements("}", depth + 1))
            return Table(tuple(items)) if not items or any(isinstance(item, Pair) for item in items) else items
        if following in ",)]}":
            return Refused("nothing")
        string = _STRING.match(self.text, self.position)
        if string:
            return self._strings(string)
        name = _NAME.match(self.text, self.position)
        if name:
            self.position = name.end()
            if name[0] in _PREFIXES:
                self._skip()
                return Refused(f"{name[0]} ...")
            if self.peek() == "(":
                self.position += 1
                return self._call(unicodedata.normalize("NFKC", name[0]), depth)
            return Name(unicodedata.normalize("NFKC", name[0]))
        start = self.position
        number = _NUMBER.match(self.text, start)
        if number:
            self.position = number.end()
            return Refused(number[0])
        self.position += 1
        self._skip()
        return Refused(self.text[start : min(self.position, start + 60)])

    def _element(self, depth: int) -> Value:
        return self._continued(self.position, self._value(depth))

    def _continued(self, start: int, value: Value) -> Value:
        """The value that began at ``start``, or Refused if it goes on as an expression."""
        following = self.peek()
        if not following or following in ",)]}":
            return value
        rest = self.text[self.position : self.position + 30]
        name = _NAME.match(self.text, self.position)
        if (name is not None and name[0] in _OPERATORS) or following in _GOES_ON:
            self._skip()
            return Refused(self.text[start : min(self.position, start + 60)])
        if name is not None or following in "\"'":
            self.problem("punctuation", f"no comma before {rest!r}")
        elif following == "/":
            self._skip_line()
        else:
            slip = _SLIP.match(self.text, self.position)
            self.position = slip.end() if slip else self.position + 1
            self.problem("punctuation", f"{following!r} between two values")
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
            if following == "]" and depth == 0 and _STRAY.match(self.text, self.position):
                self.problem("punctuation", "']' where ')' was expected")
                self.position += 1
                continue
            if following in "]}":
                self.problem("punctuation", f"{name}(...) is closed by {following!r}")
                # The call is not whole; objects that follow it, and seem to stand inside it, may be.
                return [Refused(f"{name}(..."), *(value for value in call.arguments if isinstance(value, Call))]
            if following == ",":
                self.position += 1
                continue
            keyword = _KEYWORD.match(self.text, self.position)
            if keyword:
                self.position = keyword.end()
                if self.peek() in (",", ")"):
                    self.problem("argument", f"{name}: nothing after {keyword[1]}=")
                    continue
                self._add_keyword(call, unicodedata.normalize("NFKC", keyword[1]), self._element(depth + 1))
            else:
                call.arguments.append(self._element(depth + 1))

    def _add_keyword(self, call: Call, name: str, value: Value) -> None:
        if name not in call.keywords:
            call.keywords[name] = value
            return
        self.problem("argument", f"{call.name}: {name}= is there twice")
        earlier = call.keywords[name]
        if isinstance(earlier, Call):
            earlier = call.keywords[name] = [earlier]
        if isinstance(earlier, list) and isinstance(value, (list, Call)):
            earlier.extend(value if isinstance(value, list) else [value])

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
        return body if "r" in prefix else unescape(body, json=self._in_braces)

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
                if found[0][0] == "\n":
                    raise _Broken(found.end())
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

    def _skip_line(self) -> None:
        newline = self.text.find("\n", self.position)
        self.position = len(self.text) if newline < 0 else newline

    def _skip(self) -> None:
        """Go on to the comma or closing bracket that ends the expression here, past brackets inside it.

        A line that begins with a call ends it too: what came before was prose.
        """
        open_brackets = 0
        while True:
            before = self.position
            following = self.peek()
            if not following:
                raise Cut
            if not open_brackets:
                if following in ",)]}":
                    return
                if "\n" in self.text[before : self.position] and _CALL.match(self.text, self.position):
                    return
            string = _STRING.match(self.text, self.position)
            if string:
                self._string(string)
                continue
            open_brackets += (following in "([{") - (following in ")]}")
            word = _NAME.match(self.text, self.position)
            self.position = word.end() if word else self.position + 1
