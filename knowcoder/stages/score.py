"""`score`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from knowcoder import artefact, config, jsonl
from knowcoder.stages.shared import checked_inputs


def score(settings: config.ScoreConfig) -> None:
    """Score predictions against gold, and write metrics, mistakes and the report."""
    from knowcoder.corpus.reading import load_labels, load_split
    from knowcoder.score.match import join
    from knowcoder.score.metrics import measure
    from knowcoder.score.mistakes import find_mistakes
    from knowcoder.score.prediction import Prediction
    from knowcoder.score.report import System, render_report

    inputs = checked_inputs(settings)
    gold, labels = load_split(settings.gold, settings.split)[: settings.limit or None], load_labels(settings.gold)
    with artefact.writing(settings.output, "score", settings, inputs) as output:
        systems = []
        names = [Path(folder).name for folder in settings.predictions]
        for folder, name in zip(settings.predictions, names, strict=True):
            examples = join(gold, jsonl.read(Path(folder) / "predictions.jsonl", Prediction), labels)
            mistakes = find_mistakes(examples)
            name = name if names.count(name) == 1 else folder
            systems.append(System(name, measure(gold, examples, mistakes, settings.seed), mistakes))
        jsonl.write_json(
            output.directory / "metrics.json",
            {"inputs": output.manifest.inputs, "systems": {system.name: system.metrics for system in systems}},
        )
        jsonl.write(output.directory / "errors.jsonl", systems[0].mistakes)
        facts = {name: f"{made['path']} ({made['hash'][:12]})" for name, made in output.manifest.inputs.items()}
        page = render_report(systems[:1] + [replace(other, mistakes=()) for other in systems[1:]], facts=facts)
        (output.directory / "report.html").write_text(page, encoding="utf-8")
    print(score_table(Path(settings.output)))
    print(f"{settings.output}/report.html")


def score_table(directory: Path) -> str:
    """Strict precision, recall and F1 of a score folder in percent, by system and task; F1 in each group."""
    systems = jsonl.read_json(directory / "metrics.json")["systems"]
    rows = [(system, task, found) for system, made in systems.items() for task, found in made["tasks"].items()]
    groups = list(dict.fromkeys(group for _, _, found in rows for group in found["by_group"] if group))
    width = max(map(len, [*systems, "strict, in percent"]))
    lines = [f"{'strict, in percent':<{width}}  task      P      R     F1" + "".join(f"  {name}" for name in groups)]
    for system, task, found in rows:
        strict, by_group = found["columns"]["strict"], found["by_group"]
        numbers = (strict[name] for name in ("precision", "recall", "f1"))
        cells = (f"  {_percent(by_group[name]['f1']) if name in by_group else '':>{len(name)}}" for name in groups)
        lines.append(f"{system:<{width}}  {task:<4} " + " ".join(map(_percent, numbers)) + "".join(cells))
    return "\n".join(lines)


def _percent(share: float) -> str:
    return f"{100 * share:6.1f}"
