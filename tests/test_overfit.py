"""The code is not what limits a small model: it learns 32 sentences of a corpus by heart and gives them back."""

from __future__ import annotations

from pathlib import Path

from knowcoder import cli, jsonl

LABELS_WHOLE = ["whole=1", "fully_negative=0", "style.descriptions=false", "style.examples=0"]


def command(*words: str) -> None:
    assert cli.main(words) == 0, words


def test_thirty_two_sentences_are_learnt_by_heart(data_root: Path, tmp_path: Path) -> None:
    few, schema, model = f"{tmp_path}/corpus", f"schema={tmp_path}/schema", f"{tmp_path}/init"
    length, split = [f"tokenizer={model}", "max_length=1024"], "split=few-32"
    command("corpus", "benchmark=[conll04]", f"input={data_root}", "few=32", f"output={few}")
    command("schema", "benchmark=[conll04]", f"input={data_root}", f"output={tmp_path}/schema")
    command("init", schema, f"corpus=[{few}]", "vocab_size=600", f"output={model}")
    words = ["phase=following", schema, f"corpus={few}", split, *LABELS_WHOLE, "passes=2", *length]
    command("samples", *words, f"output={tmp_path}/samples")
    command("pack", f"samples=[{tmp_path}/samples]", *length, f"output={tmp_path}/packed")
    words = ["optimizer=muon", "learning_rate=3e-3", "schedule=linear", "global_batch=2", "micro_batch=1", "steps=350"]
    words += ["parallel.processes=2"]
    command("sft", f"model={model}", f"data={tmp_path}/packed", "tuning=full", *words, f"output={tmp_path}/model")
    words = [schema, f"corpus={few}", split, "decoding=free", "max_new_tokens=400"]
    command("predict", f"model={tmp_path}/model", *words, f"output={tmp_path}/free")
    command("score", f"predictions=[{tmp_path}/free]", f"gold={few}", split, schema, f"output={tmp_path}/score")
    tasks = jsonl.read_json(tmp_path / "score" / "metrics.json")["systems"]["free"]["tasks"]
    found = {task: made["columns"]["strict"]["f1"] for task, made in tasks.items()}
    assert found.keys() == {"NER", "RE"}
    assert min(found.values()) >= 0.95, found
