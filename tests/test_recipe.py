"""Recipes: stages in order, references resolved, mistakes named with their stage."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from knowcoder import config, recipe
from knowcoder.errors import ArtefactError, ConfigError


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


def test_the_real_recipe_trains_on_the_training_text_of_what_it_scores(tmp_path: Path) -> None:
    made = {stage.name: stage.config for stage in load("recipe=real", f"data_root={tmp_path}").stages}
    assert made["following"].corpus == [made["score"].gold] == [made["annotated"].output]
    assert made["following"].split == "train"
    assert made["score"].split == "test"
    assert set(made["types"].benchmark) == {*made["annotated"].benchmark, *made["aligned"].benchmark}
    assert all(made[name].tasks == list(config.TASK_NAMES) for name in ("following", "constrained", "dictionary"))


def test_a_wrong_key_is_named_with_its_stage(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("stages:\n  first:\n    verb: world\n    keys: {sentence: 3}\n")
    with pytest.raises(ConfigError, match="stage first: unknown key 'sentence'; did you mean sentences"):
        load(f"recipe={path}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("hello: 1", "needs `stages:`"),
        ("stages: [world]", "needs `stages:`"),
        ("stages:\n  wrld:", "there is no verb 'wrld'"),
        ("stages:\n  first: {verb: env2}", "stage first: there is no verb 'env2'"),
        ("stages:\n  world: {kyes: {seed: 1}}", "stage world: 'kyes' is none of verb, keys"),
    ],
)
def test_what_a_recipe_cannot_say_is_named(text: str, said: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=re.escape(said)):
        load(f"recipe={path}")


def test_a_key_that_the_recipe_does_not_use_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="recipe demo does not use it"):
        load("recipe=demo", f"model={tmp_path}")


def test_data_that_is_not_there_is_said_before_the_first_stage(tmp_path: Path) -> None:
    with pytest.raises(ArtefactError, match="data_root=nowhere: no such file or folder"):
        recipe.run(config.load("run", ["recipe=real", "data_root=nowhere", f"output={tmp_path}"]))


def test_a_reference_to_nothing_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("stages:\n  first:\n    verb: world\n    keys: {seed: '${nowhere}'}\n")
    with pytest.raises(ConfigError, match=r"mine\.yaml"):
        load(f"recipe={path}")


PAPER = {  # section 4 and appendix K
    "pretrain": {
        "steps": 4500, "learning_rate": 5e-6, "schedule": "cosine", "min_learning_rate_ratio": 0.1, "warmup_ratio": 0.1,
        "beta1": 0.9, "beta2": 0.95, "weight_decay": 0.1, "clip": 1.0, "optimizer": "adamw",
    },
    "following_adapter": {
        "steps": 1992, "global_batch": 256, "learning_rate": 3e-4, "schedule": "cosine", "warmup_ratio": 0.03,
        "tuning": "lora", "lora.rank": 32, "lora.alpha": 64.0, "lora.dropout": 0.1,
    },
    "refinement_adapter": {
        "steps": 7422, "global_batch": 256, "learning_rate": 3e-4, "schedule": "cosine", "warmup_ratio": 0.03,
        "tuning": "lora", "lora.rank": 32, "lora.alpha": 64.0, "lora.dropout": 0.1,
    },
    "following": {
        "max_length": 4096, "negatives": 0.2, "fully_negative": 0.05, "fully_negative_classes": 5,
        "style.dialect": "released", "wrapper": "published",
    },
    "zero_shot": {"max_new_tokens": 640, "decoding": "free"},
}  # fmt: skip


def test_the_published_run_holds_the_values_of_the_paper() -> None:
    stages = {stage.name: stage.config for stage in load("recipe=knowcoder-7b", "dry_run=true").stages}
    for name, values in PAPER.items():
        assert {key: config.value_of(stages[name], key) for key in values} == values
    assert stages["pretrain"].global_batch * stages["understanding_packed"].max_length == 2**20


def test_the_published_run_is_whole() -> None:
    made = load("recipe=knowcoder-7b", "data_root=/data", "model=/model")
    written = {"/data", "/data/wikidata", "/model"}
    for stage in made.stages:
        assert set(config.inputs_of(stage.config).values()) <= written, stage.name
        written.add(stage.config.output)
    with pytest.raises(ConfigError, match="needs data_root=, model="):
        load("recipe=knowcoder-7b")


def test_a_dry_run_prints_commands_that_say_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    settings = config.load("run", ["recipe=knowcoder-7b", "dry_run=true"])
    recipe.run(settings)
    lines = capsys.readouterr().out.splitlines()
    stages = recipe.load(settings).stages
    assert len(lines) == len(stages)
    for line, stage in zip(lines, stages, strict=True):
        verb, *words = re.split(r" (?=[\w.]+=)", line.partition(": knowcoder ")[2])
        assert (verb, config.load(verb, words)) == (stage.verb, stage.config)
    pretrain = next(line for line in lines if "] pretrain:" in line)
    assert "model=MODEL" in pretrain
    assert "weight_decay=0.1" in pretrain  # set by the experiment, though it is the default


def test_every_experiment_loads_with_its_verb() -> None:
    verbs = {"understanding": "pretrain", "following": "sft", "refinement": "sft"}
    names = {path.stem for path in (config.configs_dir() / "experiment").glob("*.yaml")}
    assert names == {f"knowcoder-7b-{name}" for name in verbs}
    for name, verb in verbs.items():
        config.load(verb, ["model=m", "data=d", "output=o", f"experiment=knowcoder-7b-{name}"])
    with pytest.raises(ConfigError, match="tuning"):
        config.load("pretrain", ["model=m", "data=d", "output=o", "experiment=knowcoder-7b-following"])
