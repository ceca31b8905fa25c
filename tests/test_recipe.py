"""Recipes: stages in order, references resolved, mistakes named with their stage."""

from __future__ import annotations

from pathlib import Path

import pytest

from knowcoder import config, recipe
from knowcoder.errors import ConfigError


def load(*words: str) -> recipe.Recipe:
    return recipe.load(config.load("run", list(words)))


@pytest.mark.parametrize("size", ["full", "smoke"])
def test_every_stage_reads_what_an_earlier_one_writes(size: str) -> None:
    made = load("recipe=demo", f"size={size}")
    written: set[str] = set()
    for stage in made.stages:
        for path in config.inputs_of(stage.config).values():
            assert any(path == done or path.startswith(f"{done}/") for done in written), (stage.name, path)
        written.add(stage.config.output)


def test_both_sizes_run_the_same_stages() -> None:
    full, smoke = load("recipe=demo"), load("recipe=demo", "size=smoke")
    assert [(s.name, s.verb) for s in full.stages] == [(s.name, s.verb) for s in smoke.stages]
    assert full.output != smoke.output


def test_without_phase_1_its_tokens_go_to_phase_2() -> None:
    both, one = load("recipe=demo"), load("recipe=demo", "phase1=false")
    assert both.output != one.output

    def positions(made: recipe.Recipe) -> int:
        """Token positions that the optimizer sees in both phases together."""
        lengths = {s.config.output: s.config.max_length for s in made.stages if s.verb == "pack"}
        trained = [s.config for s in made.stages if s.verb in ("pretrain", "sft")]
        return sum(c.steps * c.global_batch * lengths[c.data] for c in trained)

    assert positions(both) == positions(one)
    assert next(s for s in one.stages if s.verb == "sft").config.model == str(one.output / "init")


def test_a_model_takes_the_place_of_the_small_one(tmp_path: Path) -> None:
    made = load("recipe=real", f"data_root={tmp_path}", f"model={tmp_path}")
    assert all(stage.verb != "init" for stage in made.stages)
    assert next(s for s in made.stages if s.verb == "pretrain").config.model == str(tmp_path)


def test_a_wrong_key_is_named_with_its_stage(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("stages:\n  first:\n    verb: world\n    keys: {sentence: 3}\n")
    with pytest.raises(ConfigError, match="stage first: unknown key 'sentence'; did you mean sentences"):
        load(f"recipe={path}")


def test_a_reference_to_nothing_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("stages:\n  first:\n    verb: world\n    keys: {seed: '${nowhere}'}\n")
    with pytest.raises(ConfigError, match=r"mine\.yaml"):
        load(f"recipe={path}")
