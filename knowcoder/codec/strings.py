"""What stands between the quotes of a string of Python or JSON, decoded without running it."""

from __future__ import annotations

import re
import unicodedata

_ESCAPE = re.compile(
    r"\\(?:(\r?\n)|([0-7]{1,3})|x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|N\{([^{}\n]{1,100})\}|(.))", re.S
)
_SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", "'": "'", '"': '"'}
# An answer as the inside of a string, `{\"person\": [\"Ada\"]}`: its first double quote is escaped behind one of these.
_ESCAPED_QUOTE = re.compile(r"[\[{(=](?:\s|\\[nrt])*+\\\Z")
_SINGLE_QUOTED = re.compile(r"[\[{(,=:]\s*'")
_WHOLE_STRING = re.compile(r"'((?:[^'\\]|\\.)*+)'", re.S)
_SURROGATE = re.compile("[\ud800-\udfff]")


def unescape(body: str, json: bool = False) -> str:
    """The text that Python reads for the inside of a string literal; what is no escape stays as it is.

    ``json``: an escaped slash, which Python does not know, is a slash.
    """
    return _ESCAPE.sub(_unescaped_json if json else _unescaped, body) if "\\" in body else body


def out_of_string(text: str) -> str | None:
    """The answer that a text holds as a string, or as the inside of one; None where it does not."""
    body = text.strip()
    if '\\"' not in body and not body.startswith("'"):
        return None
    if string := _WHOLE_STRING.fullmatch(body):
        return whole(unescape(string[1], json=True))
    quoted = body.startswith('"')
    first = body.find('"', quoted)
    if first < 1 or not _ESCAPED_QUOTE.search(body[max(0, first - 200) : first]) or _SINGLE_QUOTED.search(body[:first]):
        return None
    return whole(unescape(body[quoted:].removesuffix('"' if quoted else ""), json=True))


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
        except (KeyError, UnicodeError):
            return match[0]
    return _SIMPLE.get(char, match[0])


def _unescaped_json(match: re.Match[str]) -> str:
    return "/" if match[0] == "\\/" else _unescaped(match)
