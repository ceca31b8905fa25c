"""What users do wrong with real artefacts: one line that says what, where and the remedy; exit code 2; nothing left."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from knowcoder import cli

CONFIG = """\
model_type: llama
hidden_size: 16
intermediate_size: 16
num_hidden_layers: 1
num_attention_heads: 2
num_key_value_heads: 2
max_position_embeddings: 512
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A world, two models with their own tokenizers, and samples of the first."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "small.yaml").write_text(CONFIG)
    schema, corpus = f"schema={folder}/world/schema", f"{folder}/world/corpus"
    assert cli.main(["world", f"output={folder}/world", "sentences=20", "test_sentences=8"]) == 0
    for name, size in (("init", 700), ("other", 710)):
        words = [f"config={folder}/small.yaml", schema, f"corpus=[{corpus}]", f"vocab_size={size}"]
        assert cli.main(["init", *words, f"output={folder}/{name}"]) == 0
    words = ["phase=following", schema, f"corpus={corpus}", f"tokenizer={folder}/init", "max_length=512"]
    assert (
        cli.main(["samples", *words, "style.descriptions=false", "style.examples=0", f"output={folder}/samples"]) == 0
    )
    return folder


def change_line(path: Path, number: int, change: Callable[[str], str]) -> None:
    lines = path.read_text().splitlines()
    lines[number - 1] = change(lines[number - 1])
    path.write_text("\n".join(lines) + "\n")


def broken(made: Path, kind: str, folder: Path) -> Path:
    """A copy of what was made, broken in one way."""
    if kind in ("no tokenizer", "broken tokenizer", "broken weights"):
        shutil.copytree(made / "init", folder / "model")
        if kind == "no tokenizer":
            for path in (folder / "model").glob("token*"):
                path.unlink()
        name = {"broken tokenizer": "tokenizer.json", "broken weights": "model.safetensors"}.get(kind)
        if name:
            (folder / "model" / name).write_text("{")
        return folder / "model"
    if kind == "broken line":
        shutil.copytree(made / "world/corpus", folder / "corpus")
        for split in ("train", "test"):
            change_line(folder / f"corpus/{split}.jsonl", 3, lambda line: line.replace('"text"', '"txet"'))
        return folder / "corpus"
    if kind == "unknown parent":
        shutil.copytree(made / "world/schema", folder / "schema")
        change_line(
            folder / "schema/entities.jsonl", 2, lambda line: json.dumps(json.loads(line) | {"parent": "nowhere"})
        )
        return folder / "schema"
    path = folder / "nothing.txt"
    path.write_text("no corpus, no schema")
    return path


SAMPLES = "samples phase=following max_length=512"
PREDICT = "predict limit=2 max_new_tokens=4"
MISTAKES = [
    ("no tokenizer", f"{SAMPLES} {{schema}} {{corpus}} tokenizer=BROKEN", "BROKEN: no tokenizer in this folder; give"),
    ("broken tokenizer", f"{SAMPLES} {{schema}} {{corpus}} tokenizer=BROKEN", "BROKEN/tokenizer.json: cannot be read"),
    ("broken line", f"{SAMPLES} {{schema}} {{model}} corpus=BROKEN", "BROKEN/train.jsonl:3: Object missing required"),
    ("unknown parent", f"{SAMPLES} {{model}} {{corpus}} schema=BROKEN", "BROKEN/entities.jsonl:2: entity '"),
    ("no tokenizer", "pack samples=[{made}/samples] max_length=512 tokenizer=BROKEN", "BROKEN: holds no tokenizer"),
    ("", "pack samples=[{made}/samples] max_length=512 tokenizer={made}/other", "was built with another; pack with"),
    ("", "pack samples=[{made}/samples] max_length=256 tokenizer={made}/init", "max_length=256: {made}/samples was"),
    ("broken weights", f"{PREDICT} {{schema}} {{corpus}} model=BROKEN", "model=BROKEN: no causal language model loads"),
    ("no tokenizer", f"{PREDICT} {{schema}} {{corpus}} model=BROKEN", "BROKEN: no tokenizer in this folder"),
    ("broken line", f"{PREDICT} {{schema}} model={{made}}/init corpus=BROKEN", "BROKEN/test.jsonl:3: Object missing"),
    ("unknown parent", f"{PREDICT} {{corpus}} model={{made}}/init schema=BROKEN", "its parent 'nowhere' is no entity"),
    ("", f"{PREDICT} {{corpus}} model={{made}}/init schema={{made}}/world", "is of kind world; schema needs kind"),
    ("", f"{PREDICT} {{schema}} {{corpus}} model={{made}}/samples", "is of kind samples; model needs kind model"),
    ("", "convert to=hf checkpoint={made}/init", "is of kind model; checkpoint needs kind pretrain or checkpoint"),
    ("broken weights", "convert to=pipeline model=BROKEN", "BROKEN/model.safetensors: cannot be read"),
    ("", "merge model={made}/init adapter={made}/other", "is of kind model; adapter[0] needs kind adapter"),
    ("", "corpus benchmark=[crossner-ai] input={made}", "neither ai/train.txt nor crossner/ai/train.txt is there"),
    ("nothing", "corpus input=BROKEN", "input=BROKEN: no sentence in it"),
    ("nothing", "schema source=python input=BROKEN", "BROKEN"),
    ("nothing", "schema source=json input=BROKEN", "BROKEN:1: JSON is malformed"),
    ("", "init config=tiny-llama {schema} vocab_size=9", "vocab_size=9 does not fit the text: Vocabulary size is"),
    (
        "",
        "init config=nowhere {schema}",
        "config=nowhere: neither an architecture of configs/model (llama-70b, tiny-llama) nor",
    ),
]


@pytest.mark.parametrize(("kind", "words", "said"), MISTAKES, ids=[f"{w.split()[0]}-{k}" for k, w, _ in MISTAKES])
def test_it_is_said_in_one_line_and_leaves_nothing(
    kind: str, words: str, said: str, made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(broken(made, kind, tmp_path)) if kind else ""
    known = {
        "made": made,
        "schema": f"schema={made}/world/schema",
        "corpus": f"corpus={made}/world/corpus",
        "model": f"tokenizer={made}/init",
    }
    capsys.readouterr()
    command = [word.format(**known).replace("BROKEN", path) for word in words.split()]
    assert cli.main([*command, f"output={tmp_path}/output"]) == 2
    errors = [line for line in capsys.readouterr().err.splitlines() if "error:" in line]
    assert len(errors) == 1
    assert errors[0].startswith(f"knowcoder {command[0]}: error: ")
    assert said.format(**known).replace("BROKEN", path) in errors[0]
    assert not [left for left in tmp_path.iterdir() if "output" in left.name]
