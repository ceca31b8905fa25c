"""`plan`, `pretrain` and `sft`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from knowcoder import artefact, config, jsonl
from knowcoder.errors import ConfigError, ModelError
from knowcoder.stages.shared import checked_inputs, in_words, tokenizer_hash


def plan(own: config.PlanConfig, settings: config.PretrainConfig | config.SftConfig) -> None:
    """Print what a training run would need.

    Raises:
        ConfigError: a mistake was found that would stop it.
    """
    from knowcoder.train.plan import plan as planned

    named = settings.model if not Path(settings.model).exists() else ""  # an architecture of configs/model
    checked_inputs(replace(settings, model="" if named else settings.model))
    text, mistakes = planned(settings, own, _other_tokenizer(settings))
    print(text)
    if mistakes:
        raise ConfigError(f"{mistakes} {'mistake' if mistakes == 1 else 'mistakes'} would stop this run")


def _other_tokenizer(settings: config.PretrainConfig | config.SftConfig) -> list[str]:
    """Say where the data was packed with another tokenizer than the model's; nothing where one of them is not known."""
    manifest = artefact.read_manifest(settings.data) if settings.data else None
    packed_with = manifest.facts.get("tokenizer") if manifest is not None else None
    try:
        own = tokenizer_hash(settings.model)
    except ModelError:
        return []
    if packed_with in (None, own):
        return []
    return [f"data={settings.data}: packed with another tokenizer than that of model={settings.model}; pack it anew"]


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
    if settings.resume and artefact.is_current(artefact.read_manifest(settings.output), settings, inputs):
        if launch.rank() == 0:
            print(f"{settings.output}: complete already, nothing to resume")
        return
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
