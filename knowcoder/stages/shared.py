"""What the verbs have in common: checking what they are given, and saying what they made."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from knowcoder import artefact, config
from knowcoder.errors import ConfigError, ModelError

if TYPE_CHECKING:
    from knowcoder.corpus.reading import Corpus
    from knowcoder.schema.library import SchemaLibrary


def facts_of(made: SchemaLibrary | Corpus) -> dict[str, Any]:
    """What a manifest says of a library or a corpus."""
    from knowcoder.schema.library import KINDS, SchemaLibrary

    if isinstance(made, SchemaLibrary):
        return {kind: len(made.names(kind)) for kind in KINDS}
    return {"splits": made.tally(), "sources": sorted(made.labels), "warnings": made.warnings}


def tokenizer_hash(folder: str) -> str:
    """A hash of what tokens are made of, equal for a tokenizer that was copied."""
    for name in ("tokenizer.json", "tokenizer.model", "vocab.json"):
        if (Path(folder) / name).is_file():
            return artefact.fingerprint(Path(folder) / name)
    raise ModelError(f"tokenizer={folder}: holds no tokenizer; give a model folder that has one")


def checked_inputs(settings: Any) -> dict[str, str]:
    """Check every input that a configuration names and return key -> path.

    Raises:
        ArtefactError: an input is missing, of the wrong kind, or not complete.
    """
    keys = {key.name: key for key in config.keys_of(type(settings))}
    inputs = config.inputs_of(settings)
    for name, path in inputs.items():
        key = keys[name.partition("[")[0]]
        if key.foreign and artefact.read_manifest(path) is None:
            artefact.require_exists(path, name)
        else:
            artefact.require(path, *key.kinds, key=name)
    return inputs


def need(settings: Any, *names: str) -> None:
    missing = [name for name in names if not getattr(settings, name)]
    if missing:
        raise ConfigError(f"missing {', '.join(f'{name}=' for name in missing)}")


def progress(items: Iterable[Any], what: str, unit: str) -> Iterator[Any]:
    from tqdm import tqdm

    yield from tqdm(items, desc=what, unit=f" {unit}", disable=None)


def in_words(counts: Mapping[str, Any]) -> str:
    return ", ".join(
        f"{value:,} {name.replace('_', ' ')}" if isinstance(value, int) else f"{name} {value}"
        for name, value in counts.items()
    )
