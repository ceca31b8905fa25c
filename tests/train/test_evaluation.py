"""F1 while training: that of `predict` and `score`, and training goes on as if nobody had looked."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from knowcoder import cli, jsonl
from knowcoder.artefact import Manifest
from knowcoder.config import LoraConfig, SftConfig
from knowcoder.errors import ConfigError
from knowcoder.samples.sample import Sample
from knowcoder.train import launch
from knowcoder.train.evaluation import Evaluation
from knowcoder.train.rows import PackedRows, StepBatches
from knowcoder.train.sft import sft

MODEL = """\
model_type: llama
hidden_size: 96
intermediate_size: 192
num_hidden_layers: 2
num_attention_heads: 4
num_key_value_heads: 4
max_position_embeddings: 512
tie_word_embeddings: true
"""


def command(*words: str) -> None:
    assert cli.main(words) == 0, words


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A few sentences as packed data, and a small new model."""
    folder = tmp_path_factory.mktemp("evaluation")
    (folder / "small.yaml").write_text(MODEL)
    schema, corpus = f"schema={folder}/world/schema", f"{folder}/world/corpus"
    command("world", f"output={folder}/world", "sentences=12", "test_sentences=4")
    command("init", f"config={folder}/small.yaml", schema, f"corpus=[{corpus}]", "vocab_size=700", f"output={folder}/m")
    tokens = [f"tokenizer={folder}/m", "max_length=512"]
    style = ["style.examples=0", "style.descriptions=false", "style.hints=false", "whole=1", "tasks=[NER,ED]"]
    command("samples", "phase=following", schema, f"corpus={corpus}", *tokens, *style, f"output={folder}/samples")
    command("pack", f"samples=[{folder}/samples]", *tokens, f"output={folder}/packed")
    return folder


def config(folder: Path, output: Path, **keys: Any) -> SftConfig:
    usual: dict[str, Any] = {
        "model": str(folder / "m"),
        "data": str(folder / "packed"),
        "tuning": "full",
        "steps": 4,
        "global_batch": 4,
        "micro_batch": 2,
        "learning_rate": 3e-3,
        "precision": "fp32",
        "log_every": 1,
        "save_every": 1000,
        "evaluate_on": str(folder / "world/corpus"),
        "evaluate_split": "train",
        "evaluate_schema": str(folder / "world/schema"),
        "evaluate_max_new_tokens": 48,
    }
    return SftConfig(output=str(output), **{**usual, **keys})


def run(settings: SftConfig) -> dict[str, Any]:
    return sft(settings, Path(settings.output))


def logged(folder: Path, name: str) -> dict[int, float]:
    lines = jsonl.read(folder / "metrics.jsonl", dict[str, Any])
    return {line["step"]: line[name] for line in lines if name in line}


def best_step(run: Path) -> int:
    f1 = logged(run, "f1")
    return min(step for step in f1 if f1[step] == max(f1.values()))


def weights(folder: Path, name: str = "model") -> dict[str, torch.Tensor]:
    found: dict[str, torch.Tensor] = load_file(folder / f"{name}.safetensors")
    return found


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.fixture(scope="module")
def learnt(folder: Path) -> Path:
    """A run that ends with some of its few sentences known by heart."""
    keys = {"optimizer": "muon", "steps": 100, "warmup_ratio": 0.0, "evaluate_every": 20, "keep_best": True}
    facts = run(config(folder, folder / "learnt", **keys))
    f1 = logged(folder / "learnt", "f1")
    assert list(f1) == [20, 40, 60, 80, 100]
    assert 0 < facts["best_f1"] == max(f1.values())
    assert facts["best_step"] == best_step(folder / "learnt")
    return folder / "learnt"


def test_f1_is_that_of_predict_and_score(folder: Path, learnt: Path, tmp_path: Path) -> None:
    launch.save_card(config(folder, learnt))
    Manifest("model", "complete").save(learnt)
    schema, corpus, split = f"schema={folder}/world/schema", f"{folder}/world/corpus", "split=train"
    words = [f"model={learnt}", schema, f"corpus={corpus}", split, "tasks=[NER,ED]", "decoding=free"]
    command("predict", *words, "max_new_tokens=48", f"output={tmp_path}/found")
    command("score", f"predictions=[{tmp_path}/found]", f"gold={corpus}", schema, split, f"output={tmp_path}/score")
    (scored,) = jsonl.read_json(tmp_path / "score/metrics.json")["systems"].values()
    for task, metrics in scored["tasks"].items():
        assert logged(learnt, f"f1_{task}")[best_step(learnt)] == metrics["columns"]["strict"]["f1"]


@pytest.mark.parametrize("decoding", ["free", "constrained"])
def test_nothing_is_disturbed(folder: Path, tmp_path: Path, decoding: str) -> None:
    keys: dict[str, Any] = {"tuning": "lora", "lora": LoraConfig(rank=4, alpha=8.0, dropout=0.5), "precision": "bf16"}
    run(config(folder, tmp_path / "alone", **keys))
    looked = {"evaluate_every": 2, "evaluate_decoding": decoding, "evaluate_sentences": 5}
    run(config(folder, tmp_path / "watched", **keys, **looked))
    assert list(logged(tmp_path / "watched", "f1")) == [2, 4]
    assert logged(tmp_path / "alone", "loss") == logged(tmp_path / "watched", "loss")
    assert same(*(weights(tmp_path / name, "adapter_model") for name in ("alone", "watched")))


def test_the_first_of_equally_good_models_is_kept(folder: Path, tmp_path: Path) -> None:
    keys = {"learning_rate": 1e-5, "steps": 8, "evaluate_every": 2, "evaluate_sentences": 3, "keep_best": True}
    facts = run(config(folder, tmp_path / "run", save_every=3, keep_last=1, **keys))
    assert len(set(logged(tmp_path / "run", "f1").values())) == 1
    assert (facts["best_step"], facts["steps"]) == (2, 8)
    kept = {path.name for path in (tmp_path / "run/checkpoints").iterdir()}
    assert kept == {"checkpoint-2", "checkpoint-8"}
    best, last = (weights(tmp_path / "run/checkpoints" / name) for name in sorted(kept))
    assert same(weights(tmp_path / "run"), best)
    assert not same(best, last)


def test_a_run_that_gets_no_better_stops_also_when_it_was_cut_off(folder: Path, tmp_path: Path) -> None:
    keys = {"learning_rate": 1e-9, "steps": 12, "evaluate_every": 2, "evaluate_sentences": 3, "patience": 2}
    facts = run(config(folder, tmp_path / "whole", save_every=5, keep_last=3, **keys))
    assert (facts["best_step"], facts["steps"]) == (2, 6)
    assert (tmp_path / "whole/checkpoints/checkpoint-6").is_dir()
    shutil.copytree(tmp_path / "whole/checkpoints/checkpoint-5", tmp_path / "resumed/checkpoints/checkpoint-5")
    assert run(config(folder, tmp_path / "resumed", resume=True, **keys)) == facts
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "resumed"))
    # Killed after it had stopped, and before its model stood in its place.
    shutil.copytree(tmp_path / "whole/checkpoints/checkpoint-6", tmp_path / "late/checkpoints/checkpoint-6")
    assert run(config(folder, tmp_path / "late", resume=True, **keys)) == facts
    assert same(weights(tmp_path / "whole"), weights(tmp_path / "late"))


def test_ranks_share_the_sentences_and_know_the_same(folder: Path, learnt: Path, tmp_path: Path) -> None:
    words = [f"model={learnt}", f"data={folder}/packed", "tuning=full", "steps=1", "global_batch=4", "micro_batch=2"]
    words += ["learning_rate=1e-9", "precision=fp32", "evaluate_every=1", "evaluate_split=train", "patience=1"]
    words += [f"evaluate_on={folder}/world/corpus", f"evaluate_schema={folder}/world/schema"]
    words += ["evaluate_max_new_tokens=48", "parallel.processes=2", "deepspeed=zero2"]
    command("sft", *words, f"output={tmp_path}/two")
    for name in ("f1", "f1_NER", "f1_ED"):
        assert logged(tmp_path / "two", name)[1] == logged(learnt, name)[best_step(learnt)]


def test_the_losses_of_the_kinds_are_parts_of_the_loss(folder: Path, learnt: Path) -> None:
    rows = PackedRows(folder / "packed")
    losses = {kind: logged(learnt, f"loss_{kind}") for kind in rows.kinds}
    for step, loss in logged(learnt, "loss").items():
        of_kind = Counter(
            rows.kinds[kind]
            for kind in rows.batch(StepBatches(rows, 100, 4, 4, 1, 0, 1).of_step(step - 1))["kinds"].tolist()
        )
        mean = sum(losses[kind][step] * count for kind, count in of_kind.items()) / of_kind.total()
        assert mean == pytest.approx(loss, abs=1e-5)


def test_the_losses_of_the_corpora_are_parts_of_the_loss(folder: Path, learnt: Path) -> None:
    assert PackedRows(folder / "packed").sources == ["world"]
    assert logged(learnt, "loss_source_world") == pytest.approx(logged(learnt, "loss"), abs=1e-5)


def test_every_trained_token_has_the_kind_of_its_sample(folder: Path) -> None:
    rows = PackedRows(folder / "packed")
    samples = Counter(sample.kind for sample in jsonl.read(folder / "samples/samples.jsonl", Sample))
    batch = rows.batch(range(len(rows)))
    eos = batch["targets"] == 2
    ended = Counter(rows.kinds[kind] for kind in batch["kinds"][eos].tolist())
    assert ended == samples


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"evaluate_every": 1, "evaluate_on": ""}, "evaluate_every needs evaluate_on="),
        ({"evaluate_every": 1, "evaluate_schema": ""}, "evaluate_schema="),
        ({"evaluate_every": 1, "deepspeed": "zero3"}, "no rank holds the model"),
        ({"keep_best": True}, "give evaluate_every="),
        ({"patience": 1}, "give evaluate_every="),
    ],
)
def test_what_cannot_be_is_said(folder: Path, tmp_path: Path, keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        run(config(folder, tmp_path, **keys))


def test_sentences_of_other_tasks_are_refused(folder: Path) -> None:
    with pytest.raises(ConfigError, match="which has definition"):
        Evaluation(config(folder, folder / "none", evaluate_every=1), ["definition"])
