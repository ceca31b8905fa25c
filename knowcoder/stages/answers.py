"""`predict` and `extract`."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import fields, is_dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from knowcoder import artefact, config, jsonl
from knowcoder.errors import ArtefactError, ConfigError
from knowcoder.stages.shared import checked_inputs, in_words, need

if TYPE_CHECKING:
    from knowcoder.codec.model_card import ModelCard
    from knowcoder.corpus.sentence import LabelSet, Sentence
    from knowcoder.predict.engines import Engine
    from knowcoder.schema.concepts import Task

# Lines of standard input that are answered together.
_TOGETHER = 64


def predict(settings: config.PredictConfig) -> None:
    """Extract from a corpus, with the model or a baseline; or join the predictions of shards."""
    from knowcoder.corpus.reading import load_labels, load_split
    from knowcoder.predict.baselines import predict_with_dictionary
    from knowcoder.predict.run import join_shards, shard_of

    inputs = checked_inputs(settings)
    if settings.parts:
        _check_parts(settings)
    else:
        _check_tasks(settings)
    sentences = shard_of(load_split(settings.corpus, settings.split)[: settings.limit or None], settings.shard)
    labels = load_labels(settings.corpus)
    with artefact.working(settings.output, "predictions", settings, inputs) as output:
        if settings.parts:
            counts = join_shards(settings.parts, output.directory)
        elif settings.method == "dictionary":
            training = load_split(settings.corpus, settings.training_split)
            tasks = cast("list[Task]", settings.tasks)
            counts = predict_with_dictionary(training, sentences, labels, tasks, output.directory)
        else:
            counts = _ask_model(settings, sentences, labels, output.directory)
        output.manifest.facts = counts
    print(f"{settings.output}: {in_words(counts)}")


def _check_tasks(settings: config.PredictConfig) -> None:
    if "EE" in settings.tasks and {"ED", "EAE"} & set(settings.tasks):
        raise ConfigError("tasks: EE counts for ED and EAE, which cannot be asked beside it; predict into two outputs")
    if "EE" in settings.tasks and settings.method == "dictionary":
        raise ConfigError("tasks: a dictionary has no EE; ask it for ED and EAE")
    if settings.triggers == "predicted" and not {"ED", "EAE"} <= set(settings.tasks):
        raise ConfigError("triggers=predicted: needs ED and EAE among the tasks")


def _check_parts(settings: config.PredictConfig) -> None:
    """Raise unless the parts are all shards of one prediction, each once."""
    made = {part: artefact.require(part, "predictions", key="parts").config for part in settings.parts}
    first = next(iter(made.values()))
    counts = first.get("shard", "").partition("/")[2]
    wanted = {f"{number}/{counts}" for number in range(1, int(counts) + 1)} if counts.isdecimal() else set()
    if not wanted or sorted(keys.get("shard", "") for keys in made.values()) != sorted(wanted):
        have = ", ".join(f"{part} ({keys.get('shard') or 'no shard'})" for part, keys in made.items())
        raise ArtefactError(f"parts: must be all shards of one prediction, each once; there are {have}")
    for part, keys in made.items():
        if not artefact.same_making({**first, "shard": ""}, {**keys, "shard": ""}):
            raise ArtefactError(f"parts: {part} was predicted with other keys than {settings.parts[0]}")


def _ask_model(
    settings: config.PredictConfig, sentences: list[Sentence], labels: dict[str, LabelSet], directory: Path
) -> dict[str, int]:
    from knowcoder.corpus.reading import load_split
    from knowcoder.predict.predict import Predictor
    from knowcoder.predict.run import predict as predict_corpus
    from knowcoder.predict.shots import Shots
    from knowcoder.schema.library import SchemaLibrary

    need(settings, "model")
    shots = None
    if settings.shots:
        training = load_split(settings.corpus, settings.training_split)
        shots = Shots(training, settings.shots, settings.shots_from, settings.seed)  # type: ignore[arg-type]
    with ExitStack() as stack:
        engine, card = _engine(settings, stack)
        predictor = Predictor(
            SchemaLibrary.load(settings.schema),
            engine,
            card,
            decoding=settings.decoding,  # type: ignore[arg-type]  # these three are checked against their choices
            classes_per_prompt=settings.classes_per_prompt,
            retrieve=settings.retrieve,
            max_new_tokens=settings.max_new_tokens,
            max_items=settings.max_items,
            shots=shots,
            pieces=settings.pieces,  # type: ignore[arg-type]
            window=settings.window,
        )
        return predict_corpus(sentences, labels, settings.tasks, predictor, directory, settings.triggers)  # type: ignore[arg-type]


def _engine(settings: config.PredictConfig, stack: ExitStack) -> tuple[Engine, ModelCard]:
    """The engine that the keys name; a server is left when the stack closes."""
    from knowcoder.codec.model_card import ModelCard
    from knowcoder.codec.wrapper import Wrapper
    from knowcoder.predict.engines import context_of, open_model

    if settings.engine == "hf":
        engine, card = open_model(settings.model, batch_size=settings.batch_size)
        if settings.method == "random":
            engine.forget()
        return engine, card
    if settings.method == "random":
        raise ConfigError("method=random: needs engine=hf, which can put random weights in the place of the trained")
    card = ModelCard.load(settings.model)
    wrapper, context = Wrapper.from_folder(settings.model, card.wrapper), context_of(settings.model)
    if settings.engine == "vllm":
        from knowcoder.predict.vllm_engine import VllmEngine

        return VllmEngine(settings.model, wrapper, context), card
    from knowcoder.predict.openai_engine import OpenAiEngine
    from knowcoder.server import KEY_VARIABLE, Server

    asked = settings.server
    if not asked.url:
        raise ConfigError("missing server.url=")
    key = os.environ.get(KEY_VARIABLE, "").strip()
    name = asked.model or settings.model
    server = stack.enter_context(
        Server(asked.url, name, asked.api, settings.max_new_tokens, asked.retries, key, setting="server.url")
    )
    return OpenAiEngine(server, wrapper, context, asked.concurrency), card


def extract(settings: config.ExtractConfig) -> None:
    """Extract from one text, an object a line; or from each line of standard input, a line for each."""
    from knowcoder.predict.extractor import Extractor

    checked_inputs(settings)
    extractor = Extractor.from_pretrained(
        settings.model,
        settings.schema,
        decoding=settings.decoding,  # type: ignore[arg-type]
        retrieve=settings.retrieve,
        pieces=settings.pieces,
        window=settings.window,
        max_new_tokens=settings.max_new_tokens,
    )
    if settings.text:
        for found in extractor(settings.text, settings.classes):
            print(jsonl.dumps(_as_json(found)))
        return
    for texts in _batches(line.rstrip("\r\n") for line in sys.stdin):
        for text, objects in zip(texts, extractor.many(texts, settings.classes), strict=True):
            print(jsonl.dumps({"text": text, "objects": _as_json(objects)}), flush=True)


def _batches(lines: Iterable[str]) -> Iterator[list[str]]:
    lines = iter(lines)
    while batch := list(islice(lines, _TOGETHER)):
        yield batch


def _as_json(found: Any) -> Any:
    """An extracted object, with its class and those of its parts."""
    if isinstance(found, list):
        return [_as_json(item) for item in found]
    if not is_dataclass(found):
        return found
    return {"class": type(found).__name__} | {f.name: _as_json(getattr(found, f.name)) for f in fields(found)}
