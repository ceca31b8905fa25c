"""The docstring of a schema class: description, examples, path to the parent; ours, a user's or a published one."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

_QUOTED = r'"(?:[^"\\]|\\.)*"'
_ITEM = re.compile(rf"{_QUOTED}(?=, |\Z)|.*?(?=, |\Z)", re.S)
_PAIR = re.compile(rf"\(({_QUOTED}|.*?), ({_QUOTED}|.*?)\)(?:, (?=\()|\Z)", re.S)


@dataclass(slots=True)
class Docstring:
    """What a docstring says.

    Attributes:
        examples: as they are written; ``items`` and ``pairs`` take them apart.
        path: ancestors that the class does not inherit from in the text, nearest first.
        published: whether it is in the published form, in which nothing is quoted.
    """

    description: str = ""
    examples: str = ""
    path: tuple[str, ...] = ()
    published: bool = False

    def items(self) -> tuple[str, ...]:
        """Mentions or trigger words."""
        if self.published:
            return tuple(self.examples.removesuffix(", ").split(", ")) if self.examples else ()
        found: list[str] = []
        position = 0
        while self.examples and position <= len(self.examples):
            item = _ITEM.match(self.examples, position)
            if item is None:
                break
            found.append(_unquoted(item[0]))
            position = item.end() + len(", ")
        return tuple(found)

    def pairs(self) -> tuple[tuple[str, str], ...]:
        """Heads and tails."""
        pairs = [(pair[1], pair[2]) for pair in _PAIR.finditer(self.examples)]
        return tuple(pairs if self.published else [(_unquoted(head), _unquoted(tail)) for head, tail in pairs])


def read_docstring(text: str) -> Docstring:
    """Take a docstring apart."""
    lines = [line.strip() for line in text.split("\n")]
    first = next((line for line in lines if line), "")
    found = Docstring(published=bool(lines) and not lines[0] and first.startswith("Description:"))
    # Our rendering has the description on the first line and everything else below it.
    marks = [number for number, line in enumerate(lines) if number and line.startswith("Examples:")]
    if marks:
        found.examples = " ".join(lines[marks[-1] :])[len("Examples:") :].strip()
        if found.published and found.examples.endswith(","):
            found.examples += " "
        lines[marks[-1] :] = []
    for number, line in enumerate(lines):
        path = tuple(line.removeprefix("Parents: ").split(", "))
        if number and line.startswith("Parents: ") and all(name.isidentifier() for name in path):
            found.path = path
            lines[number] = ""
    text = " ".join(line for line in lines if line)
    if not marks:
        text, _, examples = text.partition("Examples:")
        found.examples, text = examples.strip(), text.strip()
    found.description = text.removeprefix("Description:").strip() if found.published else text
    return found


def _unquoted(text: str) -> str:
    if not re.fullmatch(_QUOTED, text, re.S):
        return text
    try:
        return str(ast.literal_eval(text))
    except (SyntaxError, ValueError):  # quotes that somebody wrote, not those that we put around a comma
        return text
