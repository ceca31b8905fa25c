"""A run that is killed at any moment ends as if nobody had touched it."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from knowcoder import jsonl
from knowcoder.train import checkpoints
from tests.distributed import ROOT
from tests.packed import save_packed
from tests.small_models import save_small_model

SCRIPT = Path(__file__).with_name("killed_runs.py")
STEPS = 20
Attempt = dict[str, Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("killed")
    save_small_model(folder / "model", tie_word_embeddings=True, hidden_size=16, num_hidden_layers=3)
    save_packed(folder / "data")
    return folder


def run(folder: Path, name: str, attempts: list[Attempt], timeout: float = 300) -> list[Attempt]:
    """Run the attempts one after the other until one is not killed; return what became of them."""
    keys = {
        "model": str(folder / "model"),
        "data": str(folder / "data"),
        "output": str(folder / name),
        "steps": STEPS,
        "global_batch": 8,
        "micro_batch": 2,
        "learning_rate": 1e-3,
        "precision": "fp32",
        "log_every": 1,
        "save_every": 2,
        "keep_every": 10,
    }
    plan = folder / f"{name}.json"
    plan.write_text(json.dumps({"keys": keys, "attempts": attempts}))
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "DS_ACCELERATOR": "cpu"}
    words = [sys.executable, str(SCRIPT), str(plan)]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=timeout)
    reports: list[Attempt] = json.loads(plan.with_suffix(".report.json").read_text())
    assert not any(reports[-1]["codes"]), done.stderr[-3000:]
    for report in reports[:-1]:  # nothing but what the plan says has ended a run
        assert report["codes"][report["rank"]] == -9, (report, done.stderr[-3000:])
    return reports


def losses(folder: Path, name: str) -> list[float]:
    lines = list(jsonl.read(folder / name / "metrics.jsonl", dict[str, Any]))
    assert [line["step"] for line in lines] == list(range(1, STEPS + 1))
    return [line["loss"] for line in lines]


def check(folder: Path, name: str, whole: str, tolerance: float) -> None:
    pairs = zip(losses(folder, name), losses(folder, whole), strict=True)
    assert max(abs(one - other) for one, other in pairs) <= tolerance
    assert [path.name for path in checkpoints.steps(folder / name)] == ["step10", "step18", "step20"]
    assert not any(checkpoints.faults(path) for path in checkpoints.steps(folder / name))
    assert (folder / name / "latest").read_text() == "step20"
    assert not list((folder / name).glob(".*"))


def killed(pp: int, dp: int, at: str, count: int, rank: int = 0) -> Attempt:
    return {"pp": pp, "dp": dp, "at": at, "count": count, "rank": rank}


def test_four_kills_and_a_move(folder: Path) -> None:
    run(folder, "whole-of-four", [{"pp": 1, "dp": 1}])
    attempts = [
        killed(2, 1, "step", 2, rank=1),  # before there is a checkpoint
        killed(2, 1, "mp_rank_01_optim_states.pt", 1, rank=1),  # while it is written
        killed(2, 1, "latest.partial", 2),  # when it has its name, but `latest` does not say so
        killed(1, 1, ".removed", 1),  # while an old one is removed
        {"pp": 1, "dp": 1},
    ]
    assert len(run(folder, "four", attempts)) == len(attempts)
    check(folder, "four", "whole-of-four", 1e-5)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "topologies", "kills", "tolerance"),
    [
        ("pipeline", [(2, 1)], 10, 0.0),
        ("data-parallel", [(1, 2)], 8, 0.0),
        ("moving", [(2, 1), (1, 1), (1, 2), (2, 2)], 16, 1e-5),
    ],
)
def test_many_kills(folder: Path, name: str, topologies: list[tuple[int, int]], kills: int, tolerance: float) -> None:
    """In all 34 kills, 6 of them before the first checkpoint and 10 or more between two operations on files."""
    run(folder, f"whole-{name}", [dict(zip(("pp", "dp"), topologies[0], strict=True))])
    rng = random.Random(name)
    attempts = []
    for number in range(kills):
        pp, dp = topologies[number % len(topologies)]
        rank = rng.randrange(pp * dp)
        kind = number % 5
        if number < 2 or kind == 0:  # nothing is saved
            attempts.append(killed(pp, dp, "step", rng.randint(1, 2), rank))
        elif kind == 1:
            attempts.append(killed(pp, dp, "file", rng.randint(1, 20), rank))
        elif kind == 3:  # the first rank alone names and removes checkpoints
            attempts.append(killed(pp, dp, "file", rng.randint(15, 40)))
        else:  # a checkpoint is left for the next attempt
            attempts.append(killed(pp, dp, "step", 5, rank))
    last = dict(zip(("pp", "dp"), topologies[kills % len(topologies)], strict=True))
    reports = run(folder, name, [*attempts, last], timeout=1800)
    assert len(reports) == kills + 1, "it came to its end before it was killed as often as planned"
    assert sum(report["at"] == "file" for report in reports[:-1]) >= kills // 4
    log = (folder / name / "logs" / "rank-000.log").read_text()
    assert len(set(re.findall(r"written by (\d) stages x (\d)", log))) >= len(topologies) - 1
    check(folder, name, f"whole-{name}", tolerance)
