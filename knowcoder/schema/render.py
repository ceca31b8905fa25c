"""Types as Python class definitions."""

from __future__ import annotations

import re

_SPECIAL = re.compile(r'[\x00-\x1f\x7f"\\\ud800-\udfff]')
_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


def escape(text: str) -> str:
    """Text as it stands between double quotes in Python; each escaped character by its shortest form."""
    return _SPECIAL.sub(_escaped, text)


def quote(text: str) -> str:
    """Text as a Python string literal in double quotes."""
    return f'"{escape(text)}"'


def _escaped(match: re.Match[str]) -> str:
    char = match[0]
    return _SHORT.get(char) or (f"\\x{ord(char):02x}" if ord(char) < 128 else f"\\u{ord(char):04x}")
