"""The record of a run: a resumed run has each step once; a sample shows what is trained."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.pre_tokenizers import Whitespace
from transformers import PreTrainedTokenizerFast

from knowcoder import jsonl
from knowcoder.config import PretrainConfig
from knowcoder.errors import ConfigError
from knowcoder.packing.pack import IGNORED
from knowcoder.train.record import Record, show_sample


def lines(folder: Path) -> list[dict[str, Any]]:
    return list(jsonl.read(folder / "metrics.jsonl", dict[str, Any]))


def test_a_resumed_run_measures_each_step_once(tmp_path: Path) -> None:
    with Record(tmp_path, PretrainConfig(steps=4)) as record:
        for step in (1, 2, 3):
            record.step({"step": step, "loss": 1.0})
    with Record(tmp_path, PretrainConfig(steps=4, resume=True)) as record:
        for step in (3, 4):
            record.step({"step": step, "loss": 2.0})
    assert [(line["step"], line["loss"]) for line in lines(tmp_path)] == [(1, 1.0), (2, 1.0), (3, 2.0), (4, 2.0)]


def test_a_run_leaves_its_picture_even_when_it_fails(tmp_path: Path) -> None:
    def fail() -> None:
        with Record(tmp_path, PretrainConfig(steps=4, learning_rate=0.125)) as record:
            for step in (1, 2):
                record.step({"step": step, "loss": 3.0 - step})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    page = (tmp_path / "training.html").read_text()
    assert page.count("<polyline") == 1
    assert "<dt>learning_rate</dt><dd>0.125</dd>" in page


def test_a_run_without_a_step_has_no_picture(tmp_path: Path) -> None:
    with Record(tmp_path, PretrainConfig(steps=4)):
        pass
    assert not (tmp_path / "training.html").exists()


def test_other_ranks_only_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RANK", "3")
    with Record(tmp_path, PretrainConfig()) as record:
        record.step({"step": 1, "loss": 1.0})
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["rank-003.log"]


def test_a_sample_shows_what_is_trained() -> None:
    words = Tokenizer(WordLevel({word: index for index, word in enumerate("abcde")}, unk_token="a"))
    words.pre_tokenizer = Whitespace()
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=words)
    shown = show_sample(tokenizer, [0, 1, 2, 3, 4], [IGNORED, IGNORED, 2, 3, IGNORED])
    assert "a b⟦c d⟧e" in shown
    assert "5 tokens, the 2 between" in shown


def test_tensorboard_and_wandb_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    with Record(tmp_path, PretrainConfig(steps=1, log_to=["tensorboard", "wandb"])) as record:
        record.step({"step": 1, "loss": 1.0})
    assert list((tmp_path / "tensorboard").glob("events.*"))
    assert list((tmp_path / "wandb").glob("offline-run-*"))


def test_an_unknown_place_to_log_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="log_to=mlflow"), Record(tmp_path, PretrainConfig(log_to=["mlflow"])):
        pass
