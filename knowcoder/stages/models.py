"""`init`, `convert` and `merge`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

from knowcoder import artefact, config
from knowcoder.errors import ConfigError
from knowcoder.stages.shared import checked_inputs, in_words, need


def init(settings: config.InitConfig) -> None:
    """Make a model with random weights, and a tokenizer trained on schema and text."""
    from knowcoder.checkpoint.init import init_model

    inputs = checked_inputs(settings)
    if not inputs:
        raise ConfigError("nothing to train a tokenizer on; give schema= and corpus=, or a tokenizer=")
    with artefact.writing(settings.output, "model", settings, inputs) as output:
        texts = Path(settings.tokenizer) if settings.tokenizer else _tokenizer_texts(settings)
        made = init_model(settings.config, texts, settings.vocab_size, settings.seed, output.directory)
        output.manifest.facts = asdict(made)
    print(f"{settings.output}: {made.parameters:,} parameters, {made.vocab_size:,} tokens")


def _tokenizer_texts(settings: config.InitConfig) -> Iterator[str]:
    """What the model will read and write: definitions, prompts and answers; sentences alone without a library."""
    from knowcoder.codec.answer import build_answer
    from knowcoder.codec.prompt import build_prompt, definitions
    from knowcoder.corpus.reading import load_split
    from knowcoder.schema.library import SchemaLibrary
    from knowcoder.schema.render import Style

    library = SchemaLibrary.load(settings.schema) if settings.schema else SchemaLibrary()
    brief = Style(descriptions=False, examples=0)
    yield from (definitions([concept.name], library, Style()) for concept in library)
    for folder in settings.corpus:
        for sentence in load_split(folder, "train")[: settings.sentences]:
            if not settings.schema:
                yield sentence.text
            for task in sentence.tasks if settings.schema else ():
                classes, events = sentence.classes(task), sentence.triggers if task == "EAE" else ()
                yield build_prompt(task, classes, sentence.text, library, brief, events)
                yield build_answer(task, sentence.annotations, classes, library, brief)


def convert(settings: config.ConvertConfig) -> None:
    """Convert a Hugging Face model to a pipeline checkpoint, or back."""
    from knowcoder.checkpoint.convert import to_hf, to_pipeline
    from knowcoder.checkpoint.verify import verify

    need(settings, "model" if settings.to == "pipeline" else "checkpoint")
    inputs = checked_inputs(settings)
    kind = "checkpoint" if settings.to == "pipeline" else "model"
    with artefact.writing(settings.output, kind, settings, inputs) as output:
        source, change = (settings.model, to_pipeline) if kind == "checkpoint" else (settings.checkpoint, to_hf)
        made = change(Path(source), output.directory, settings.dtype)
        output.manifest.facts = asdict(made)
        if settings.verify:
            output.manifest.facts["verified"] = asdict(verify(Path(source), output.directory, settings.dtype))
    print(f"{settings.output}: {in_words(asdict(made))}")
    if settings.verify:
        print("verified: " + in_words(output.manifest.facts["verified"]))


def merge(settings: config.MergeConfig) -> None:
    """Merge adapters into their base."""
    from knowcoder.train.merge import merge as merge_adapter

    inputs = checked_inputs(settings)
    with artefact.writing(settings.output, "model", settings, inputs) as output:
        adapters = [Path(path) for path in settings.adapter]
        made = merge_adapter(Path(settings.model), adapters, output.directory, settings.dtype or None, settings.weights)
        output.manifest.facts = asdict(made)
    print(f"{settings.output}: {in_words(asdict(made))}")
