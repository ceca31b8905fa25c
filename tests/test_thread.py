"""The thread through the stages: the same tokens at training and prediction, ends trained, gold against gold 1.0."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import cast

import pytest
import torch
from transformers import AutoModelForCausalLM

from knowcoder import artefact, cli, jsonl
from knowcoder.codec.answer import build_answer
from knowcoder.codec.model_card import ModelCard
from knowcoder.codec.parse import Offer, parse_answer
from knowcoder.codec.wrapper import Wrapper
from knowcoder.corpus.alignment import align
from knowcoder.corpus.reading import load_labels, load_split
from knowcoder.packing.pack import IGNORED
from knowcoder.predict.engines import Completion, open_model
from knowcoder.predict.journal import PREDICTIONS
from knowcoder.predict.predict import Predictor, Request
from knowcoder.samples.sample import Sample
from knowcoder.schema.concepts import Task
from knowcoder.schema.library import SchemaLibrary
from knowcoder.schema.render import Style
from knowcoder.score.prediction import Prediction
from knowcoder.train.launch import save_card
from knowcoder.train.rows import PackedRows, StepBatches
from tests.small_models import SMALLEST


def command(*words: str) -> None:
    assert cli.main(words) == 0, words


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stages up to packed data, at a tiny size; every sample is offered the whole label set."""
    folder = tmp_path_factory.mktemp("thread")
    (folder / "small.yaml").write_text(SMALLEST)
    schema, corpus = f"schema={folder}/world/schema", f"{folder}/world/corpus"
    command("world", f"output={folder}/world", "sentences=60", "test_sentences=16")
    words = [f"config={folder}/small.yaml", schema, f"corpus=[{corpus}]", "vocab_size=800"]
    command("init", *words, f"output={folder}/init")
    tokens = [f"tokenizer={folder}/init", "max_length=4096"]
    for phase in ("understanding", "following"):
        words = [f"phase={phase}", schema, f"corpus={corpus}", *tokens, "whole=0.5", "fully_negative=0.2"]
        command("samples", *words, "style.examples=2", f"output={folder}/{phase}")
        command("pack", f"samples=[{folder}/{phase}]", *tokens, f"output={folder}/{phase}_packed")
    return folder


def documents(rows: PackedRows) -> Iterator[tuple[list[int], list[int]]]:
    """Prompt ids and trained ids of every document of a packed dataset."""
    for index in range(len(rows)):
        ids, positions, labels = rows.row(index)
        for start, end in pairwise([*(positions == 0).nonzero()[0].tolist(), len(ids)]):
            prompt = int((labels[start:end] == IGNORED).sum())
            assert (labels[start + prompt : end] == ids[start + prompt : end]).all()
            yield ids[start : start + prompt].tolist(), ids[start + prompt : end].tolist()


class Recorder:
    """An engine that notes what it is asked and answers nothing."""

    def __init__(self, wrapper: Wrapper) -> None:
        self.wrapper = wrapper
        self.context, self.can_constrain = None, False
        self.asked: list[list[int]] = []

    def complete(
        self,
        prompts: Sequence[list[int]],
        grammars: Sequence[str | None],
        max_new_tokens: int,
        progress: Callable[[int, Completion], None] | None = None,
    ) -> list[Completion]:
        self.asked += prompts
        made = [Completion("results = []", 4, True) for _ in prompts]
        for index, completion in enumerate(made):
            if progress:
                progress(index, completion)
        return made


def test_a_prompt_has_the_same_tokens_at_training_and_at_prediction(folder: Path) -> None:
    """Asked with the model's own card for the same sentence and classes, the engine is given what was packed."""
    training = type("Training", (), {"data": str(folder / "following_packed"), "output": str(folder / "init")})
    save_card(training)  # type: ignore[arg-type]
    card = ModelCard.load(folder / "init")
    assert card.style.examples == 2
    library = SchemaLibrary.load(folder / "world/schema")
    sentences = {sentence.id: sentence for sentence in load_split(folder / "world/corpus", "train")}
    labels = load_labels(folder / "world/corpus")["world"]
    engine = Recorder(Wrapper.from_folder(folder / "init", card.wrapper))
    requests = []
    for sample in jsonl.read(folder / "following/samples.jsonl", Sample):
        task = cast(Task, sample.kind)
        named = [name for name in re.findall(r"^class (\w+)\(", sample.prompt, re.MULTILINE) if name in labels.of(task)]
        requests.append(Request(sentences[sample.id], task, tuple(named)))
    Predictor(library, engine, card).predict(requests)
    assert len(engine.asked) == len(requests) > 100
    trained = [prompt for prompt, _ in documents(PackedRows(folder / "following_packed"))]
    assert sorted(trained) == sorted(engine.asked)


@pytest.mark.parametrize("phase", ["understanding", "following"])
def test_every_completion_ends_with_eos_and_nothing_else_is_trained(folder: Path, phase: str) -> None:
    rows = PackedRows(folder / f"{phase}_packed")
    wrapper = Wrapper.from_folder(folder / "init")
    samples = list(jsonl.read(folder / phase / "samples.jsonl", Sample))
    trained = [completion for _, completion in documents(rows)]
    assert sorted(trained) == sorted(wrapper.completion_ids(sample.completion) for sample in samples)
    assert all(ids[-1] == wrapper.eos_id and wrapper.eos_id not in ids[:-1] for ids in trained)


@pytest.mark.parametrize("phase", ["understanding", "following"])
def test_padding_is_never_trained_and_never_predicts(folder: Path, phase: str) -> None:
    """With a padding token that stands nowhere else, so that it could not hide among others."""
    rows = PackedRows(folder / f"{phase}_packed")
    rows.pad_token_id = pad = rows.largest_id + 1
    batches = StepBatches(rows, steps=len(rows), global_batch=2, micro_batch=2, seed=1, rank=0, world=1)
    padded = 0
    for indices in batches:
        batch = rows.batch(indices)
        ids, places = batch["input_ids"].flatten(), batch["trained"]
        padded += int((ids == pad).sum())
        assert len(places) == sum(int(rows.trained[index]) for index in indices)
        assert torch.equal(ids[places + 1], batch["targets"]), "a place predicts the token after it"
        assert not (batch["targets"] == pad).any()
        assert not (ids[places] == pad).any()
        assert (batch["position_ids"].flatten()[places + 1] > 0).all(), "never across the edge of a document"
    assert padded


def test_a_run_shows_what_it_trains_and_ends_in_a_plain_model(
    folder: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    words = [f"model={folder}/init", f"data={folder}/following_packed", "tuning=full", "precision=fp32"]
    command("sft", *words, "steps=1", "global_batch=2", "micro_batch=1", f"output={tmp_path}/model")
    shown = capfd.readouterr().out
    assert re.search(r"sentence = \".*\"\n⟦results = \[\n(    .*,\n)+\]</s>⟧", shown)
    left = {path.name for path in (tmp_path / "model").iterdir()}
    assert left >= {"manifest.json", "run.json", "resolved.json", "metrics.jsonl", "training.html", "logs"}
    assert left >= {"model.safetensors", "tokenizer.json", "knowcoder.json"}
    engine, _ = open_model(tmp_path / "model", device="cpu")
    plain = AutoModelForCausalLM.from_pretrained(tmp_path / "model").eval()
    prompt = next(documents(PackedRows(folder / "following_packed")))[0]
    ids = torch.tensor([prompt])
    with torch.no_grad():
        assert torch.equal(plain(ids).logits, engine.model(ids).logits)
    written = plain.generate(ids, max_new_tokens=8, do_sample=False)[0, len(prompt) :].tolist()
    (answer,) = engine.complete([prompt], [None], 8)
    assert answer.text == engine.wrapper.decode(written)


def score_of(corpus: Path, schema: Path, predictions: list[Prediction], output: Path) -> dict[str, dict[str, float]]:
    """F1 by task and column of the score stage."""
    jsonl.write(output / "gold" / PREDICTIONS, predictions)
    artefact.Manifest("predictions", "complete").save(output / "gold")
    command("score", f"predictions=[{output}/gold]", f"gold={corpus}", f"schema={schema}", f"output={output}/score")
    tasks = jsonl.read_json(output / "score/metrics.json")["systems"]["gold"]["tasks"]
    return {task: {name: column["f1"] for name, column in found["columns"].items()} for task, found in tasks.items()}


def assert_gold_is_perfect(corpus: Path, schema: Path, tasks: set[str], output: Path) -> None:
    """As it is annotated, in every column; and after a way through answer and parser, in the headline."""
    library, labels = SchemaLibrary.load(schema), load_labels(corpus)
    sentences = load_split(corpus, "test")
    pairs = [(sentence, task) for sentence in sentences for task in sentence.tasks]
    as_annotated = [
        Prediction(id=s.id, task=task, source=s.source, group=s.group, annotations=s.annotations) for s, task in pairs
    ]
    columns = score_of(corpus, schema, as_annotated, output / "annotated")
    assert columns.keys() == tasks
    assert {f1 for found in columns.values() for f1 in found.values()} == {1.0}
    offers = {(source, task): labels[source].of(task) for source in labels for _, task in pairs}
    written = []
    for sentence, task in pairs:
        classes = offers[sentence.source, task]
        answer = build_answer(task, sentence.annotations, classes, library, Style())
        parsed = parse_answer(answer, Offer.of(library, classes), task)
        assert not parsed.problems, (sentence, answer)
        found = align(parsed.annotations, sentence.text)
        written.append(Prediction(id=sentence.id, task=task, source=sentence.source, annotations=found))
    columns = score_of(corpus, schema, written, output / "written")
    assert {task: found["strict"] for task, found in columns.items()} == dict.fromkeys(tasks, 1.0)


def test_gold_against_gold_is_one_on_the_world(folder: Path, tmp_path: Path) -> None:
    assert_gold_is_perfect(folder / "world/corpus", folder / "world/schema", {"NER", "RE", "ED", "EAE"}, tmp_path)


CROSSNER = "crossner-ai,crossner-literature,crossner-music,crossner-politics,crossner-science"


@pytest.mark.parametrize(("benchmarks", "tasks"), [(CROSSNER, {"NER"}), ("text2kg", {"RE"})])
def test_gold_against_gold_is_one_on_real_text(
    benchmarks: str, tasks: set[str], data_root: Path, tmp_path: Path
) -> None:
    words = [f"benchmark=[{benchmarks}]", f"input={data_root}"]
    command("schema", *words, f"output={tmp_path}/schema")
    command("corpus", *words, f"output={tmp_path}/corpus")
    assert_gold_is_perfect(tmp_path / "corpus", tmp_path / "schema", tasks, tmp_path)
