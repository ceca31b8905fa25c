"""`score`."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from knowcoder import artefact, config, jsonl
from knowcoder.errors import DataError
from knowcoder.stages.shared import checked_inputs

if TYPE_CHECKING:
    from knowcoder.schema.concepts import Task
    from knowcoder.schema.library import SchemaLibrary
    from knowcoder.score.leakage import Shown
    from knowcoder.score.match import Example
    from knowcoder.score.relax import Context
    from knowcoder.score.report import System

SHOWN = "gold that the schema shows as examples"


def score(settings: config.ScoreConfig) -> None:
    """Score predictions against gold, and write metrics, mistakes and the report."""
    from knowcoder.corpus.reading import load_labels, load_split
    from knowcoder.schema.library import SchemaLibrary
    from knowcoder.score.compare import compare
    from knowcoder.score.leakage import shown_as_examples
    from knowcoder.score.match import join
    from knowcoder.score.metrics import measure
    from knowcoder.score.mistakes import find_mistakes
    from knowcoder.score.prediction import Prediction
    from knowcoder.score.report import Comparison, System, render_report

    inputs = checked_inputs(settings)
    whole, labels = load_split(settings.gold, settings.split), load_labels(settings.gold)
    gold = whole[: settings.limit or None]
    library = SchemaLibrary.load(settings.schema)
    context = _context(settings, library)
    folders = [*settings.predictions, *filter(None, [settings.compare])]
    with artefact.writing(settings.output, "score", settings, inputs) as output:
        joined: list[list[Example]] = []
        systems: list[System] = []
        shown: dict[Task, Shown] = {}
        for folder, name in zip(folders, _names(folders), strict=True):
            joined.append(join(gold, jsonl.read(Path(folder) / "predictions.jsonl", Prediction), labels))
            shown |= shown_as_examples(joined[-1], library)
            mistakes = find_mistakes(joined[-1])
            systems.append(System(name, measure(gold, joined[-1], mistakes, settings.seed, context), mistakes))
        comparisons = []
        if settings.compare:
            tests = compare(joined[-1], joined[0], settings.seed)
            comparisons.append(Comparison(systems[-1].name, systems[0].name, tests))
        jsonl.write_json(
            output.directory / "metrics.json",
            {
                "inputs": output.manifest.inputs,
                "sha256": _hashes(settings, folders),
                "versions": output.manifest.versions,
                "sentences": {"original": len(whole), "scored": len(gold)},
                "shown_as_examples": shown,
                "profiles": {profile.name: profile for profile in context.profiles},
                "systems": {system.name: system.metrics for system in systems},
                "comparisons": comparisons,
            },
        )
        jsonl.write(output.directory / "errors.jsonl", systems[0].mistakes)
        page = render_report(
            systems[:1] + [replace(other, mistakes=()) for other in systems[1:]],
            facts=_facts(output.manifest, shown, (len(whole), len(gold))),
            comparisons=comparisons,
            profiles=context.profiles,
        )
        (output.directory / "report.html").write_text(page, encoding="utf-8")
    print(score_table(Path(settings.output)))
    print(f"{settings.output}/report.html")


def _context(settings: config.ScoreConfig, library: SchemaLibrary) -> Context:
    """What the relaxations that were asked for need.

    Raises:
        DataError: the map of coarse classes names a class that the library does not have.
        ModelError: head words were asked for and spaCy or its pipeline is missing.
    """
    from knowcoder.score.head_words import load_head_words
    from knowcoder.score.profiles import PROFILES
    from knowcoder.score.relax import Context

    coarse = jsonl.read_json(settings.coarse, dict[str, str]) if settings.coarse else {}
    unknown = sorted(name for name in coarse if name not in library)
    if unknown:
        raise DataError(f"coarse={settings.coarse}: no class is called {unknown[0]!r} in the schema; correct the name")
    return replace(
        Context.of(library),
        coarse=coarse,
        head_word=load_head_words(settings.head_words) if settings.head_words else None,
        profiles=tuple(PROFILES[name] for name in settings.profile),
    )


def _names(folders: Sequence[str]) -> list[str]:
    """The last part of each path, or the path where that is not unique."""
    names = [Path(folder).name for folder in folders]
    return [name if names.count(name) == 1 else folder for name, folder in zip(names, folders, strict=True)]


def _hashes(settings: config.ScoreConfig, folders: Sequence[str]) -> dict[str, str]:
    """SHA-256 of every file that scores depend on."""
    files = [Path(settings.gold) / f"{settings.split}.jsonl", Path(settings.gold) / "labels.json"]
    files += [Path(folder) / "predictions.jsonl" for folder in folders]
    files += sorted(Path(settings.schema).glob("*.jsonl")) + ([Path(settings.coarse)] if settings.coarse else [])
    return {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


def _facts(manifest: artefact.Manifest, shown: Mapping[Task, Shown], sizes: tuple[int, int]) -> dict[str, str]:
    """What the foot of the report says of the run."""
    facts = {name: f"{made['path']} ({made['hash'][:12]})" for name, made in manifest.inputs.items()}
    facts["sentences"] = f"{sizes[1]:,} scored of {sizes[0]:,}"
    return facts | {SHOWN: _by_task(shown)}


def score_table(directory: Path) -> str:
    """Strict precision, recall and F1 of a score folder in percent, by system and task; F1 in each group.

    Below it the other columns of the headline system, and what was compared.
    """
    from knowcoder.score.leakage import Shown

    metrics = jsonl.read_json(directory / "metrics.json")
    systems = metrics["systems"]
    rows = [(system, task, found) for system, made in systems.items() for task, found in made["tasks"].items()]
    groups = list(dict.fromkeys(group for _, _, found in rows for group in found["by_group"] if group))
    width = max(map(len, [*systems, "strict, in percent"]))
    lines = [f"{'strict, in percent':<{width}}  task      P      R     F1" + "".join(f"  {name}" for name in groups)]
    for system, task, found in rows:
        strict, by_group = found["columns"]["strict"], found["by_group"]
        numbers = (strict[name] for name in ("precision", "recall", "f1"))
        cells = (f"  {_percent(by_group[name]['f1']) if name in by_group else '':>{len(name)}}" for name in groups)
        lines.append(f"{system:<{width}}  {task:<4} " + " ".join(map(_percent, numbers)) + "".join(cells))
    shown = {task: Shown(**counts) for task, counts in metrics["shown_as_examples"].items()}
    headline = next(iter(systems.items()))
    lines += [*_by_source(*headline), *_beside_strict(*headline), *map(_compared, metrics["comparisons"])]
    return "\n".join([*lines, f"{SHOWN}: {_by_task(shown)}"])


def _by_source(system: str, made: Mapping[str, Any]) -> list[str]:
    """Strict F1 of the headline system on each data set, a line per task; none where there is but one data set."""
    by_task = {task: found["by_source"] for task, found in made["tasks"].items()}
    if len({source for found in by_task.values() for source in found}) < 2:
        return []
    return [f"{system}, F1 by source: {task} {_f1_each(found)}" for task, found in by_task.items()]


def _beside_strict(system: str, made: Mapping[str, Any]) -> list[str]:
    """F1 of the headline system in every other column, a line per task; profiles in a line of their own."""
    lines = []
    for task, found in made["tasks"].items():
        others = {name: score for name, score in found["columns"].items() if name != "strict"}
        lines.append(f"{system}, F1 beside strict: {task} {_f1_each(others)}")
    for task, found in made["tasks"].items():
        if found["profiles"]:
            scores = {name: profile["score"] for name, profile in found["profiles"].items()}
            lines.append(f"{system}, F1 by profile (not comparable with strict): {task} {_f1_each(scores)}")
    return lines


def _f1_each(scores: Mapping[str, Mapping[str, float]]) -> str:
    return ", ".join(f"{name} {100 * score['f1']:.1f}" for name, score in scores.items())


def _compared(comparison: Mapping[str, Any]) -> str:
    tests = (
        f"{task} {100 * test['difference']:+.1f} [{100 * test['interval'][0]:+.1f}, {100 * test['interval'][1]:+.1f}]"
        f" p={test['p_value']:.3f}"
        for task, test in comparison["tasks"].items()
    )
    return f"{comparison['second']} minus {comparison['first']}, strict F1 by paired bootstrap: {', '.join(tests)}"


def _by_task(shown: Mapping[Any, Shown]) -> str:
    return ", ".join(f"{task} {counts}" for task, counts in shown.items())


def _percent(share: float) -> str:
    return f"{100 * share:6.1f}"
