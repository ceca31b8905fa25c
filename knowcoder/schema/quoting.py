"""Text as it stands in Python source: string literals, docstrings, lists of examples on one line."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TypeAlias

INDENT = "    "
Pair: TypeAlias = tuple[str, str]

# What a string in double quotes cannot hold as it is; surrogates cannot be encoded in a source file.
_SPECIAL = re.compile(r'[\x00-\x1f\x7f"\\\ud800-\udfff]')
_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
# An example that must be quoted so that a list of examples can be read back.
_NOT_PLAIN = re.compile(r'^"|^\s|\s$|^$|, |[^\S ]|[\x00-\x1f\x7f\ud800-\udfff]')


def escape(text: str) -> str:
    """Text as it stands between double quotes in Python; each escaped character by its shortest form."""
    if text.isprintable() and '"' not in text and "\\" not in text:
        return text
    return _SPECIAL.sub(_escaped, text)


def quote(text: str) -> str:
    """Text as a Python string literal in double quotes."""
    return f'"{escape(text)}"'


def one_line(text: str) -> str:
    """Text with every run of white space as one space: descriptions are single lines."""
    if text.isprintable() and "  " not in text and text[:1] != " " and text[-1:] != " ":
        return text  # no other white space is printable
    return " ".join(text.split())


def in_docstring(text: str, last: bool = True) -> str:
    """Text for use between triple quotes; ``last`` if the closing quotes follow it at once."""
    if text.isprintable() and "\\" not in text and '"' not in text:
        return text
    text = re.sub(r"[\ud800-\udfff]", "\ufffd", text)  # half a character, which CPython takes in no docstring
    text = re.sub(r"[\x00-\x1f\x7f\\]", _escaped, text)
    if '"""' in text:
        return text.replace('"', '\\"')
    return text[:-1] + '\\"' if last and text.endswith('"') else text


def list_examples(examples: Sequence[str] | Sequence[Pair]) -> str:
    """Examples on one line: ``Ada, London`` or ``(Ada, London), (Bo, Cork)``; quoted where a comma would mislead."""
    return ", ".join(
        _example(item) if isinstance(item, str) else f"({_example(item[0])}, {_example(item[1])})" for item in examples
    )


def docstring(description: str, examples: Sequence[str] | Sequence[Pair], path: str = "") -> str:
    """The docstring of a class with the line break before it; empty where there is nothing to say.

    ``path`` are the ancestors between the class and its base, nearest first.
    """
    if not (description or examples or path):
        return ""
    description = one_line(description)
    listed = in_docstring(list_examples(examples), last=False)
    lines = [f"\n{INDENT}Parents: {path}"] if path else []
    if listed:
        lines.append(f"\n{INDENT}Examples: {listed}")
    elif "Examples:" in description:  # an empty list says that the word belongs to the description
        lines.append(f"\n{INDENT}Examples:")
    if lines:
        return f'\n{INDENT}"""{in_docstring(description, last=False)}{"".join(lines)}\n{INDENT}"""'
    return f'\n{INDENT}"""{in_docstring(description)}"""' if description else ""


def _example(text: str) -> str:
    return quote(text) if _NOT_PLAIN.search(text) else text


def _escaped(match: re.Match[str]) -> str:
    char = match[0]
    return _SHORT.get(char) or (f"\\x{ord(char):02x}" if ord(char) < 128 else f"\\u{ord(char):04x}")
