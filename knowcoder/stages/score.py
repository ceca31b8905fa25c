"""`score`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from knowcoder import artefact, config, jsonl
from knowcoder.stages.shared import checked_inputs

if TYPE_CHECKING:
    from knowcoder.schema.concepts import Task
    from knowcoder.score.leakage import Shown

SHOWN = "gold that the schema shows as examples"


def score(settings: config.ScoreConfig) -> None:
    """Score predictions against gold, and write metrics, mistakes and the report."""
    from knowcoder.corpus.class_methods import rules_of
    from knowcoder.corpus.reading import load_labels, load_split
    from knowcoder.schema.library import SchemaLibrary
    from knowcoder.score.leakage import shown_as_examples
    from knowcoder.score.match import join
    from knowcoder.score.metrics import measure
    from knowcoder.score.mistakes import find_mistakes
    from knowcoder.score.prediction import Prediction
    from knowcoder.score.report import System, render_report

    inputs = checked_inputs(settings)
    gold, labels = load_split(settings.gold, settings.split)[: settings.limit or None], load_labels(settings.gold)
    library = SchemaLibrary.load(settings.schema)
    rules = rules_of(library)
    with artefact.writing(settings.output, "score", settings, inputs) as output:
        systems = []
        shown: dict[Task, Shown] = {}
        names = [Path(folder).name for folder in settings.predictions]
        for folder, name in zip(settings.predictions, names, strict=True):
            examples = join(gold, jsonl.read(Path(folder) / "predictions.jsonl", Prediction), labels, rules=rules)
            shown |= shown_as_examples(examples, library)
            mistakes = find_mistakes(examples)
            name = name if names.count(name) == 1 else folder
            systems.append(System(name, measure(gold, examples, mistakes, settings.seed), mistakes))
        jsonl.write_json(
            output.directory / "metrics.json",
            {
                "inputs": output.manifest.inputs,
                "shown_as_examples": shown,
                "systems": {system.name: system.metrics for system in systems},
            },
        )
        jsonl.write(output.directory / "errors.jsonl", systems[0].mistakes)
        facts = {name: f"{made['path']} ({made['hash'][:12]})" for name, made in output.manifest.inputs.items()}
        facts[SHOWN] = _by_task(shown)
        page = render_report(systems[:1] + [replace(other, mistakes=()) for other in systems[1:]], facts=facts)
        (output.directory / "report.html").write_text(page, encoding="utf-8")
    print(score_table(Path(settings.output)))
    print(f"{settings.output}/report.html")


def score_table(directory: Path) -> str:
    """Strict precision, recall and F1 of a score folder in percent, by system and task; F1 in each group."""
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
    return "\n".join([*lines, *_by_source(*next(iter(systems.items()))), f"{SHOWN}: {_by_task(shown)}"])


def _by_source(system: str, made: Mapping[str, Any]) -> list[str]:
    """Strict F1 of the headline system on each data set, a line per task; none where there is but one data set."""
    by_task = {task: found["by_source"] for task, found in made["tasks"].items()}
    if len({source for found in by_task.values() for source in found}) < 2:
        return []
    return [
        f"{system}, F1 by source: {task} "
        + ", ".join(f"{source} {100 * counts['f1']:.1f}" for source, counts in found.items())
        for task, found in by_task.items()
    ]


def _by_task(shown: Mapping[Any, Shown]) -> str:
    return ", ".join(f"{task} {counts}" for task, counts in shown.items())


def _percent(share: float) -> str:
    return f"{100 * share:6.1f}"
