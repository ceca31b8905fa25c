"""Ranks of several machines agree that the run's folder is one and the same, before anything is trained."""

from __future__ import annotations

import shutil
import threading
from pathlib import Path

import pytest
import torch.distributed as dist

from knowcoder import artefact, jsonl
from knowcoder.config import PretrainConfig
from knowcoder.errors import ConfigError
from knowcoder.train import launch


def meet(folders: list[Path]) -> list[str]:
    """Let every rank look at its folder; returns what each was told."""
    store = dist.HashStore()
    told = [""] * len(folders)

    def look(number: int) -> None:
        try:
            if number:
                launch._seen(store, number, folders[number])
            else:
                launch._seen_by_all(store, len(folders), folders[0])
        except ConfigError as error:
            told[number] = str(error)

    threads = [threading.Thread(target=look, args=(number,)) for number in range(len(folders))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return told


def folder(path: Path) -> Path:
    path.mkdir()
    jsonl.write_json(path / launch.RESOLVED, artefact.plain(PretrainConfig(output=str(path))))
    return path


def test_one_folder_for_all_is_fine(tmp_path: Path) -> None:
    assert meet([folder(tmp_path / "run")] * 4) == [""] * 4


@pytest.mark.parametrize("other", ["missing", "older"])
def test_another_folder_is_named_by_every_rank(other: str, tmp_path: Path) -> None:
    run = folder(tmp_path / "run")
    if other == "older":
        folder(tmp_path / "older")
    told = meet([run, run, tmp_path / other])
    assert len({text.partition(": is another folder for ")[2] for text in told}) == 1
    assert all("rank 2 on " in text and "rank 1" not in text for text in told)
    assert not (run / launch.RESOLVED).exists(), "so that the mended command can have the same output"
    shutil.rmtree(run)
