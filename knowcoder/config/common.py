"""Keys that several verbs share."""

from __future__ import annotations

from dataclasses import dataclass

from knowcoder.config.keys import MISSING, key

TASK_NAMES = ("NER", "RE", "ED", "EAE")


@dataclass
class StyleConfig:
    """How schemas and answers are written as code."""

    dialect: str = key(
        "clean", "clean: valid typed Python; released: the published bytes", choices=("clean", "released")
    )
    descriptions: bool = key(True, "print descriptions in docstrings")
    examples: int = key(10, "examples printed per class, at most", unit="examples")
    parents: str = key(
        "nearest",
        "a parent outside the prompt is replaced by the nearest ancestor in it, defined, or imported",
        choices=("nearest", "define", "import"),
    )
    hints: bool = key(True, "print the types of heads, tails and roles")


@dataclass
class OutputConfig:
    """Keys that every stage which writes shares."""

    output: str = key(MISSING, "folder to write")
    overwrite: bool = key(False, "replace an existing output, keeping the old one until the new one is whole")


@dataclass
class LongConfig(OutputConfig):
    """Keys of stages that can be cut off and continued."""

    resume: bool = key(False, "continue an output that was cut off")
