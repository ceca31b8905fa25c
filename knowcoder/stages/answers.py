"""`predict` and `extract`."""

from __future__ import annotations

from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from knowcoder import artefact, config, jsonl
from knowcoder.stages.shared import checked_inputs, in_words, need

if TYPE_CHECKING:
    from knowcoder.corpus.sentence import LabelSet, Sentence
    from knowcoder.schema.concepts import Task


def predict(settings: config.PredictConfig) -> None:
    """Extract from a corpus, with the model or a baseline."""
    from knowcoder.corpus.reading import load_labels, load_split
    from knowcoder.predict.baselines import predict_with_dictionary

    inputs = checked_inputs(settings)
    sentences = load_split(settings.corpus, settings.split)[: settings.limit or None]
    labels = load_labels(settings.corpus)
    tasks = cast("list[Task]", settings.tasks)
    with artefact.working(settings.output, "predictions", settings, inputs) as output:
        if settings.method == "dictionary":
            training = load_split(settings.corpus, settings.training_split)
            counts = predict_with_dictionary(training, sentences, labels, tasks, output.directory)
        else:
            counts = _ask_model(settings, sentences, labels, output.directory)
        output.manifest.facts = counts
    print(f"{settings.output}: {in_words(counts)}")


def _ask_model(
    settings: config.PredictConfig, sentences: list[Sentence], labels: dict[str, LabelSet], directory: Path
) -> dict[str, int]:
    from knowcoder.predict.engines import open_model
    from knowcoder.predict.predict import Predictor
    from knowcoder.predict.predict import predict as predict_corpus
    from knowcoder.schema.library import SchemaLibrary

    need(settings, "model")
    engine, card = open_model(settings.model, batch_size=settings.batch_size)
    if settings.method == "random":
        engine.forget()
    predictor = Predictor(
        SchemaLibrary.load(settings.schema),
        engine,
        card,
        decoding=settings.decoding,  # type: ignore[arg-type]  # checked against the choices
        classes_per_prompt=settings.classes_per_prompt,
        max_new_tokens=settings.max_new_tokens,
        max_items=settings.max_items,
    )
    return predict_corpus(sentences, labels, cast("list[Task]", settings.tasks), predictor, directory)


def extract(settings: config.ExtractConfig) -> None:
    """Extract from one text; prints one JSON object a line."""
    from knowcoder.predict.extractor import Extractor

    checked_inputs(settings)
    extractor = Extractor.from_pretrained(settings.model, settings.schema, decoding=settings.decoding)  # type: ignore[arg-type]
    for found in extractor(settings.text, settings.classes):
        print(jsonl.dumps(_as_json(found)))


def _as_json(found: Any) -> Any:
    """An extracted object, with its class and those of its parts."""
    if isinstance(found, list):
        return [_as_json(item) for item in found]
    if not is_dataclass(found):
        return found
    return {"class": type(found).__name__} | {f.name: _as_json(getattr(found, f.name)) for f in fields(found)}
