"""Shell completion, as bash asks for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
# `compopt` works only while bash completes.
SCRIPT = """
source scripts/completion.bash
compopt() { :; }
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1))
_knowcoder
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["pre"], ["predict", "pretrain"]),
        (["samples", "max"], ["max_length="]),
        (["sft", "output", "=", "x", "lora."], ["lora.alpha=", "lora.dropout=", "lora.rank="]),
        (["samples", "schema", "=", "READ"], ["README.md"]),
        (["schema", "input", "=", "configs/mod"], ["configs/model"]),
        (["nothing", ""], [""]),
    ],
)
def test_what_is_offered(words: list[str], offered: list[str]) -> None:
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", SCRIPT, "bash", "knowcoder", *words],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert sorted(done.stdout.splitlines()) == offered


def test_every_verb_is_offered() -> None:
    from knowcoder.cli import VERBS

    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", SCRIPT, "bash", "knowcoder", ""],
        cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.splitlines() == list(VERBS)
