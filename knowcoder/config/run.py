"""Keys of `run` and `env`."""

from __future__ import annotations

from dataclasses import dataclass

from knowcoder.config.keys import MISSING, key


@dataclass
class RunConfig:
    recipe: str = key(MISSING, "name in configs/recipe, or a path to a recipe file")
    size: str = key("full", "smoke runs the same stages and code in about a minute", choices=("full", "smoke"))
    output: str = key(
        "", "folder of the run; empty: outputs/RECIPE, and the size and phase1=false where they are chosen"
    )
    data_root: str = key("", "where the recipe's corpora lie", foreign=True)
    model: str = key("", "start from this model instead of a small new one", foreign=True)
    wrapper: str = key(
        "plain",
        "what stands around a prompt; chat for a model tuned to instructions",
        choices=("plain", "published", "chat"),
    )
    phase1: bool = key(True, "train schema understanding first; false gives its tokens to phase 2")
    dry_run: bool = key(False, "print the stages and their keys, and stop")


@dataclass
class EnvConfig:
    """`env` has no keys."""
