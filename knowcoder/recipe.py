"""Recipes: the stages of a whole run in order, as YAML, resolved to checked configurations.

A recipe's values may name the folder of another stage (``${stage:NAME}``) or a key of `run` (``${run:KEY}``), or
choose between two values (``${if:CONDITION,A,B}``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from knowcoder import artefact, config, stages
from knowcoder.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Stage:
    """One stage of a recipe: a verb and its checked configuration; ``chosen`` are the keys that the recipe sets."""

    name: str
    verb: str
    config: Any
    chosen: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Recipe:
    """Stages in order, and the folder that they share."""

    name: str
    output: Path
    stages: tuple[Stage, ...]


def load(run: config.RunConfig) -> Recipe:
    """Read a recipe and resolve every stage's keys.

    Raises:
        ConfigError: no such recipe, a value that cannot be resolved, or a wrong key, named with its stage.
    """
    path = _find(run.recipe)
    variant = ("" if run.size == "full" else f"-{run.size}") + ("" if run.phase1 else "-without-phase1")
    output = Path(run.output or f"outputs/{path.stem}{variant}")
    stages = [
        _stage(name, entry, run, output) for name, entry in _read(path, run, output)["stages"].items() if _wanted(entry)
    ]
    return Recipe(path.stem, output, tuple(stages))


def run(settings: config.RunConfig) -> None:
    """Run the stages of a recipe in order; those that are up to date are skipped."""
    loaded = load(settings)
    if not settings.dry_run:
        stages.checked_inputs(settings)
    seconds: dict[str, float] = {}
    for number, stage in enumerate(loaded.stages, 1):
        head = f"[{number}/{len(loaded.stages)}] {stage.name}"
        if settings.dry_run:
            print(f"{head}: knowcoder {stage.verb} {' '.join(config.changed(stage.config, stage.chosen))}")
            continue
        folder = Path(stage.config.output)
        manifest = artefact.read_manifest(folder) if folder.is_dir() else None
        if artefact.is_current(manifest, stage.config, stages.checked_inputs(stage.config)):
            print(f"{head}: up to date")
        else:
            print(f"{head}: knowcoder {stage.verb}", flush=True)
            _run_stage(stage.verb, stage.config, manifest)
            manifest = artefact.read_manifest(folder)
        seconds[stage.name] = manifest.seconds if manifest else 0.0
    if seconds:
        print(_ending(loaded.stages, seconds))


def _run_stage(verb: str, settings: Any, before: artefact.Manifest | None) -> None:
    """Continue a stage that was cut off with the same keys; else make it anew, over what is out of date."""
    stage = getattr(stages, verb)
    if before is not None:
        same = artefact.same_making(before.config, artefact.plain(settings))
        if before.state == "running" and same and hasattr(settings, "resume"):
            settings = replace(settings, resume=True)
        else:
            settings = replace(settings, overwrite=True)
    stage(settings)


def _ending(ran: Sequence[Stage], seconds: Mapping[str, float]) -> str:
    """Seconds per stage, then the scores and where they are."""
    width = max(map(len, seconds))
    lines = ["", *(f"{name:<{width}} {spent:8.1f} s" for name, spent in seconds.items())]
    lines.append(f"{'in all':<{width}} {sum(seconds.values()):8.1f} s")
    for folder in (stage.config.output for stage in ran if stage.verb == "score"):
        lines += ["", stages.score_table(Path(folder)), "", f"scores and report: {folder}"]
    return "\n".join(lines)


def _find(recipe: str) -> Path:
    path = Path(recipe) if recipe.endswith((".yaml", ".yml")) else config.configs_dir() / "recipe" / f"{recipe}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in (config.configs_dir() / "recipe").glob("*.yaml")))
        raise ConfigError(f"recipe={recipe}: no such recipe; known are {known}, or give the path of a YAML file")
    return path


def _read(path: Path, run: config.RunConfig, output: Path) -> dict[str, Any]:
    """The recipe as plain values, all references resolved."""
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    OmegaConf.register_new_resolver("stage", lambda name: str(output / name), replace=True)
    OmegaConf.register_new_resolver("run", lambda key: getattr(run, key), replace=True)
    OmegaConf.register_new_resolver("if", lambda condition, yes, no: yes if condition else no, replace=True)
    try:
        loaded: Any = OmegaConf.load(path)
        _check(path, loaded, run)
        needs = [key for key in loaded.get("needs", []) if not getattr(run, key)]
        if needs and not run.dry_run:
            raise ConfigError(f"recipe {path.stem} needs {', '.join(f'{key}=' for key in needs)}")
        run = replace(run, **{key: key.upper() for key in needs})  # a dry run shows where they would stand
        return OmegaConf.to_container(loaded, resolve=True)  # type: ignore[return-value]
    except (OmegaConfBaseException, YAMLError) as error:
        raise ConfigError(f"{path}: {' '.join(str(error).split())}") from error


def _check(path: Path, recipe: Any, run: config.RunConfig) -> None:
    """Refuse what a recipe says that nobody would read, and keys of `run` that the recipe would not read."""
    if not isinstance(recipe, Mapping) or not isinstance(recipe.get("stages"), Mapping):
        raise ConfigError(f"{path}: needs `stages:` and under it a stage on each line, NAME: {{verb: ..., keys: ...}}")
    for name, entry in recipe["stages"].items():
        if unknown := sorted(set(entry or {}) - {"verb", "keys", "when", "smoke"}):
            raise ConfigError(f"{path}: stage {name}: {unknown[0]!r} is none of verb, keys, when, smoke")
        verb = (entry or {}).get("verb", name)
        if verb not in config.VERB_KEYS or not hasattr(stages, verb):
            raise ConfigError(f"{path}: stage {name}: there is no verb {verb!r}; knowcoder --help lists them")
    text = path.read_text()
    for key in ("data_root", "model", "wrapper"):
        if getattr(run, key) != getattr(config.RunConfig, key) and f"run:{key}" not in text:
            raise ConfigError(f"{key}={getattr(run, key)}: recipe {path.stem} does not use it; leave it out")


def _wanted(entry: dict[str, Any] | None) -> bool:
    return bool((entry or {}).get("when", True))


def _stage(name: str, entry: dict[str, Any] | None, run: config.RunConfig, output: Path) -> Stage:
    entry = entry or {}
    verb = entry.get("verb", name)
    keys = {**(entry.get("keys") or {}), "output": str(output / name)}
    if run.size == "smoke":
        keys |= entry.get("smoke") or {}
    try:
        loaded = config.load(verb, config.as_overrides(keys))
        preset = _experiment_keys(keys["experiment"]) if "experiment" in keys else ()
        return Stage(name, verb, loaded, (*keys, *preset))
    except ConfigError as error:
        raise ConfigError(f"stage {name}: {error}") from error


def _experiment_keys(name: str) -> list[str]:
    """The keys that an experiment sets, nested ones dotted."""
    from hydra import compose, initialize_config_dir
    from omegaconf import OmegaConf

    with initialize_config_dir(str(config.configs_dir()), version_base="1.3"):
        return list(_dotted(OmegaConf.to_container(compose(f"experiment/{name}"))))


def _dotted(values: Any, prefix: str = "") -> Iterator[str]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _dotted(value, f"{prefix}{name}.")
        else:
            yield prefix + name
