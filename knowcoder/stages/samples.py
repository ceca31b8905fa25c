"""`samples` and `pack`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from knowcoder import artefact, config
from knowcoder.errors import ConfigError
from knowcoder.stages.shared import checked_inputs, tokenizer_hash


def samples(settings: config.SamplesConfig) -> None:
    """Build training samples within the token budget."""
    from knowcoder.samples.build import Builder
    from knowcoder.samples.executors import run, slurm_script
    from knowcoder.samples.export import export
    from knowcoder.samples.plan import plan
    from knowcoder.samples.shards import SAMPLES, Shards

    inputs = checked_inputs(settings)
    if settings.phase == "published" and settings.style.dialect != "released":
        raise ConfigError("phase=published: those rows are in the released dialect; give style.dialect=released")
    shards = Shards(Path(settings.output), plan(settings))
    if settings.dry_run:
        print(slurm_script(settings, shards))
        return
    builder = Builder(settings)
    with artefact.working(settings.output, "samples", settings, inputs) as output:
        run(settings, shards, builder)
        account = shards.join()
        rejected = sum(account.rejected.values())
        export(output.directory / SAMPLES, settings.export, builder.wrapper)
        output.manifest.counts = artefact.Counts(account.kept + rejected, account.kept, account.rejected)
        output.manifest.facts = {
            "tokenizer": tokenizer_hash(settings.tokenizer),
            "card": {
                "style": asdict(settings.style),
                "wrapper": settings.wrapper,
                "tagged": settings.phase == "refinement",
                "max_length": settings.max_length,
            },
            "shortened": account.shortened,
        }
    shards.remove()
    print(f"{settings.output}: {account.kept:,} samples, {account.shortened:,} shortened, {rejected:,} rejected")


def pack(settings: config.PackConfig) -> None:
    """Pack samples into rows."""
    from knowcoder.codec.wrapper import Wrapper
    from knowcoder.packing.pack import pack as pack_samples
    from knowcoder.samples.shards import SAMPLES

    inputs = checked_inputs(settings)
    card = _common_card(settings)
    with artefact.writing(settings.output, "packed", settings, inputs) as output:
        wrapper = Wrapper.from_folder(settings.tokenizer, card["wrapper"])
        files = [Path(folder) / SAMPLES for folder in settings.samples]
        made = pack_samples(files, wrapper, settings.max_length, output.directory, settings.workers)
        output.manifest.counts = artefact.Counts(made.samples, made.samples)
        output.manifest.facts = asdict(made) | {
            "tokenizer": tokenizer_hash(settings.tokenizer),
            "max_length": settings.max_length,
            "pad_token_id": wrapper.eos_id or 0,
            "card": card,
        }
    print(
        f"{settings.output}: {made.samples:,} samples in {made.rows:,} rows (at least {made.least_rows:,}), "
        f"{made.fill:.1%} full, {made.tokens:,} tokens, {made.trained_tokens:,} of them trained"
    )
    print("\n".join(_bars(made.lengths)))


def _bars(lengths: dict[str, int]) -> Iterator[str]:
    """How many samples there are of each length, as a picture of 40 characters."""
    most = max(lengths.values())
    for tokens, count in lengths.items():
        yield f"{tokens:>11} tokens {count:>11,} {'#' * -(-40 * count // most)}"


def _common_card(settings: config.PackConfig) -> dict[str, Any]:
    """How the samples were written; they must agree with each other and with what packing is asked for."""
    tokenizer, first = tokenizer_hash(settings.tokenizer), None
    for folder in settings.samples:
        facts = artefact.require(folder, "samples", key="samples").facts
        card = facts["card"]
        if facts["tokenizer"] != tokenizer:
            raise ConfigError(f"tokenizer={settings.tokenizer}: {folder} was built with another; pack with the same")
        if card["max_length"] != settings.max_length:
            raise ConfigError(
                f"max_length={settings.max_length}: {folder} was built for {card['max_length']}; pack with the same"
            )
        if first is not None and card != first:
            raise ConfigError(f"samples={folder}: written in another style or wrapper than {settings.samples[0]}")
        first = card
    return first or {}
