"""The documentation's code blocks, and what runs a page of them as its reader would: `python documentation.py PAGE`.

`bash` and `python` blocks run in their order, in the folder where the command is given, at size=smoke. A block with a
title is the file of that name. Every other block shows something: output, a format, what needs a cluster.
"""

from __future__ import annotations

import re
import runpy
import shlex
import subprocess
import sys
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
LANGUAGES = {"bash", "python", "text", "yaml", "json", "mermaid"}
_BLOCK = re.compile(r'^( *)```(\w+)(?: title="([^"]+)")?\n(.*?)^\1```$', re.MULTILINE | re.DOTALL)
_SMOKE = (
    (r"outputs/demo\b", "outputs/demo-smoke"),
    (r"quickstart\.sh(?! size)", "quickstart.sh size=smoke"),
    (r"\b(steps|limit|evaluate_sentences)=\d+", r"\1=2"),
    (r"\b(evaluate_)?max_new_tokens=\d+", r"\1max_new_tokens=8"),
    (r"pretrain/step\d+", "pretrain/step8"),
    (r"^bash scripts/test\.sh.*$", "# what runs this"),
)


@dataclass(frozen=True)
class Block:
    """A code block: its language, the name of the file that it is (or nothing), its text, the line where it begins."""

    language: str
    title: str
    code: str
    line: int


def blocks(page: Path) -> list[Block]:
    """The fenced code blocks of a page, those in lists too."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(found[2], found[3] or "", textwrap.dedent(found[4]), text.count("\n", 0, found.start()) + 2)
        for found in _BLOCK.finditer(text)
    ]


def outside_blocks(page: Path) -> str:
    """A page's text without its code blocks."""
    return _BLOCK.sub("", page.read_text(encoding="utf-8"))


def runs(page: Path) -> bool:
    """Whether a page has anything to run."""
    return any(block.language in ("bash", "python") and not block.title for block in blocks(page))


def commands(code: str) -> list[str]:
    """The commands of a shell block: a line each, continued lines joined, without comments."""
    joined = code.replace("\\\n", " ")
    return [line for line in map(str.strip, joined.splitlines()) if line and not line.startswith("#")]


def at_size_smoke(code: str) -> str:
    """The same on the outputs of the smoke run, with fewer steps and sentences."""
    for pattern, smaller in _SMOKE:
        code = re.sub(pattern, smaller, code, flags=re.MULTILINE)
    return code


def run_page(page: Path) -> None:
    """Run a page's blocks; a failure names the block."""
    names: dict[str, Any] = {}
    for block in blocks(page):
        print(f"{page}:{block.line}", flush=True)
        code = at_size_smoke(block.code)
        if block.title:
            Path(block.title).parent.mkdir(parents=True, exist_ok=True)
            Path(block.title).write_text(code, encoding="utf-8")
        elif block.language == "bash":
            _run_shell(code)
        elif block.language == "python":
            program = Path(f"block-{block.line}.py")
            program.write_text(code, encoding="utf-8")
            names = runpy.run_path(str(program), init_globals=names)


def _run_shell(code: str) -> None:
    """`knowcoder` commands run in this process, which has loaded torch once for all; any other in bash."""
    from knowcoder import cli

    for line in commands(code):
        if line.startswith("knowcoder "):
            assert cli.main(shlex.split(line, comments=True)[1:]) == 0, line
        else:
            subprocess.run(["bash", "-euo", "pipefail", "-c", line], check=True)


if __name__ == "__main__":
    run_page(Path(sys.argv[1]))
