"""`plan`, `pretrain` and `sft`."""

from __future__ import annotations

from pathlib import Path

from knowcoder import artefact, config, jsonl
from knowcoder.stages.shared import checked_inputs, in_words


def plan(settings: config.PretrainConfig | config.SftConfig) -> None:
    """Print what a training run would need."""
    from knowcoder.train.plan import plan as planned

    checked_inputs(settings)
    print(planned(settings))


def pretrain(settings: config.PretrainConfig) -> None:
    """Phase 1: train all weights under the pipeline."""
    _train("pretrain", "pretrain", settings)


def sft(settings: config.SftConfig) -> None:
    """Phase 2: instruction tuning."""
    _train("sft", "model" if settings.tuning == "full" else "adapter", settings)


def _train(verb: str, kind: str, settings: config.PretrainConfig | config.SftConfig) -> None:
    """Make the run folder, start the ranks, and close the artefact when all of them have ended well."""
    from knowcoder.train import launch

    inputs = checked_inputs(settings)
    if launch.is_rank():
        launch.join(verb, kind, settings, inputs)
        return
    launch.check(settings)
    if settings.dry_run:
        launch.start(verb, settings, Path(settings.output))
        return
    with artefact.working(settings.output, kind, settings, inputs) as output:
        launch.start(verb, settings, output.directory)
        output.manifest.facts = jsonl.read_json(output.directory / launch.FACTS)
        launch.save_card(settings)
    print(f"{settings.output}: {in_words(output.manifest.facts)}")
