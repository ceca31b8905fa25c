"""A run goes on with other stages and ranks than it was begun with, and nothing else about it changes."""

from __future__ import annotations

import json
import math
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM

from knowcoder import jsonl
from knowcoder.checkpoint.convert import to_hf
from knowcoder.train import checkpoints
from knowcoder.train.rows import PackedRows
from tests.distributed import run_ranks
from tests.packed import save_packed
from tests.small_models import save_small_model

RANKS = Path(__file__).with_name("ranks_pretrain.py")
STEPS = 8


def settings(folder: Path, name: str, model: str = "tied", pp: int = 2, **changes: Any) -> dict[str, Any]:
    defaults = {
        "model": str(folder / model),
        "data": str(folder / "data"),
        "output": str(folder / name),
        "steps": STEPS,
        "global_batch": 8,
        "micro_batch": 2,
        "learning_rate": 3e-3,
        "precision": "fp32",
        "log_every": 1,
        "save_every": 4,
        "parallel": {"pp": pp},
    }
    return defaults | changes


def train(folder: Path, count: int, *runs: dict[str, Any]) -> str:
    plan = folder / f"{Path(runs[0]['output']).name}-{count}.json"
    plan.write_text(json.dumps(runs))
    return run_ranks(count, RANKS, str(plan), timeout=600)


def metric(folder: Path, name: str, key: str = "loss") -> list[float]:
    return [line[key] for line in jsonl.read(folder / name / "metrics.jsonl", dict[str, Any]) if key in line]


def farthest(folder: Path, one: str, other: str, key: str = "loss", steps: int = STEPS) -> float:
    found, expected = metric(folder, one, key), metric(folder, other, key)
    assert len(found) == len(expected) == steps
    return max(abs(a - b) for a, b in zip(found, expected, strict=True))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("elastic")
    small: dict[str, Any] = {"hidden_size": 16, "num_hidden_layers": 3}
    save_small_model(folder / "tied", tie_word_embeddings=True, **small)
    save_small_model(folder / "other", seed=1, tie_word_embeddings=True, **small)
    save_small_model(folder / "dropping", attention_dropout=0.2, **small)
    save_packed(folder / "data")
    save_packed(folder / "other-data", seed=1)
    save_packed(folder / "held-out", rows=7, max_length=24, seed=2, kinds=("definition", "instance", "instance"))
    return folder


@pytest.fixture(scope="module")
def full_disk(folder: Path) -> Iterator[Path | None]:
    """A disk with room for one checkpoint and a half; None where this machine lets us make none."""
    place = folder / "full-disk"
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=450k", "tmpfs", str(place)]
    try:
        subprocess.run(words, check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        yield None
        return
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


@pytest.fixture(scope="module")
def two(folder: Path, full_disk: Path | None) -> Path:
    """All runs on two processes, in one launch."""
    run: Callable[..., dict[str, Any]] = lambda name, **changes: settings(folder, name, **changes)  # noqa: E731
    dropping = {"model": str(folder / "dropping"), "log_every": 3}
    recut = {"pp": 2, "split": "[1,2]"}
    half = {"steps": 4, "save_every": 2}
    train(
        folder,
        2,
        run("whole"),
        run("moved", save_every=2, stop_after=2),
        run("moved", save_every=2, stop_after=4, resume=True, pp=1),
        run("moved", resume=True, parallel=recut),
        run("muon", optimizer="muon"),
        run("muon-moved", optimizer="muon", stop_after=4, pp=1),
        run("muon-moved", optimizer="muon", resume=True),
        run("bf16", precision="bf16", **half),
        run("bf16-moved", precision="bf16", stop_after=2, **half),
        run("bf16-moved", precision="bf16", resume=True, pp=1, **half),
        run("dropout", **dropping, keep_last=1, keep_every=3, save_every=2),
        run("dropout-resumed", **dropping, stop_after=4, save_in_background=False),
        run("dropout-resumed", **dropping, resume=True),
        run("measured", eval_data=str(folder / "held-out"), eval_every=3),
        run("skipped", non_finite="skip", factors={"3": math.nan}, save_every=1, keep_last=STEPS),
        run("skipped-bf16", precision="bf16", non_finite="skip", factors={"1": math.inf}, **half | {"save_every": 1}),
        run("stopped", factors={"3": math.nan}, save_every=2, fails=True),
        *(
            [run("full", output=f"{full_disk}/full", save_every=2, save_in_background=False, fails=True)]
            * bool(full_disk)
        ),
        run("odd-key", fails=True, rank_1={"learning_rate": 1e-3}),
        run("odd-stages", fails=True, rank_1={"parallel": {"pp": 1}}),
        run("odd-data", fails=True, rank_1={"data": str(folder / "other-data")}),
        run("odd-weights", fails=True, rank_1={"model": str(folder / "other")}),
    )
    return folder


def weights(checkpoint: Path) -> dict[str, torch.Tensor]:
    return {
        f"{path.name} {name}": tensor
        for path in checkpoint.glob("layer_*.pt")
        for name, tensor in torch.load(path, weights_only=True).items()
    }


def test_stages_and_ranks_may_change_at_every_resume(two: Path) -> None:
    for key, bound in (("loss", 1e-5), ("grad_norm", 1e-4)):
        assert farthest(two, "moved", "whole", key) < bound
        assert metric(two, "moved", "learning_rate") == metric(two, "whole", "learning_rate")
    assert "written by 2 stages x 1" in (two / "moved" / "logs" / "rank-000.log").read_text()


def test_muon_and_bf16_move_too(two: Path) -> None:
    """Muon's bf16 iteration turns differences of one rounding into larger ones, so the bound is wider."""
    assert farthest(two, "muon-moved", "muon") < 1e-3
    assert farthest(two, "bf16-moved", "bf16", steps=4) < 2e-3


def test_what_is_drawn_at_random_is_drawn_again(two: Path) -> None:
    """Lines of the metrics that reach over the resume are those of the unbroken run, too."""
    for key in ("step", "loss", "grad_norm"):
        assert metric(two, "dropout-resumed", key) == metric(two, "dropout", key)
    whole, resumed = weights(two / "dropout" / "step8"), weights(two / "dropout-resumed" / "step8")
    assert whole.keys() == resumed.keys()
    assert all(torch.equal(whole[name], resumed[name]) for name in whole)


def test_the_last_checkpoints_are_kept_and_every_nth_for_good(two: Path) -> None:
    assert [path.name for path in checkpoints.steps(two / "dropout")] == ["step3", "step6", "step8"]
    assert [path.name for path in checkpoints.steps(two / "skipped")] == [f"step{step}" for step in range(1, 9)]
    for folder in ("dropout", "skipped", "moved"):
        assert not checkpoints.faults(two / folder / "step8")
        assert not list((two / folder).glob(".*"))


def test_held_out_loss_is_that_of_plain_transformers_and_does_not_disturb(two: Path) -> None:
    assert metric(two, "measured") == metric(two, "whole")
    lines = [line for line in jsonl.read(two / "measured" / "metrics.jsonl", dict[str, Any]) if "eval_loss" in line]
    assert [line["step"] for line in lines] == [3, 6, 8]
    to_hf(two / "measured", two / "measured-hf")
    model = AutoModelForCausalLM.from_pretrained(two / "measured-hf")
    rows = PackedRows(two / "held-out")
    batch = rows.batch(range(len(rows)))
    logits = model(input_ids=batch["input_ids"], position_ids=batch["position_ids"], use_cache=False).logits
    losses = cross_entropy(logits.flatten(0, 1)[batch["trained"]], batch["targets"], reduction="none")
    expected = {"eval_loss": losses.mean().item()}
    for number, kind in enumerate(rows.kinds):
        expected[f"eval_loss_{kind}"] = losses[batch["kinds"] == number].mean().item()
    assert len(expected) == 3
    assert {key: value for key, value in lines[-1].items() if key != "step"} == pytest.approx(expected, abs=1e-5)


def test_a_bad_step_leaves_the_weights_as_they_are(two: Path) -> None:
    """The loss of step 3, counted from 0, is not a number."""
    before, after, later = (weights(two / "skipped" / f"step{step}") for step in (3, 4, 5))
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert not all(torch.equal(before[name], later[name]) for name in before)
    assert metric(two, "skipped")[:3] == metric(two, "whole")[:3]
    assert all(map(math.isfinite, metric(two, "skipped")))
    assert metric(two, "skipped", "skipped_steps") == [1] * 5
    before, after = (weights(two / "skipped-bf16" / f"step{step}") for step in (1, 2))
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_bad_step_stops_the_run_before_it_is_taken(two: Path) -> None:
    for rank in (0, 1):
        said = (two / f"stopped-error-{rank}.txt").read_text()
        assert "step 4 is not taken: its loss is nan; its rows are " in said
    assert [path.name for path in checkpoints.steps(two / "stopped")] == ["step2"]
    assert (two / "stopped" / "latest").read_text() == "step2"


def test_a_full_disk_stops_the_run_and_leaves_the_last_checkpoint(two: Path, full_disk: Path | None) -> None:
    if full_disk is None:
        pytest.skip("no disk of our own: mounting one needs root")
    for rank in (0, 1):
        said = (two / f"full-error-{rank}.txt").read_text()
        assert "the checkpoint of step 4 could not be written (rank " in said
        assert "No space left on device" in said
        assert "the last whole checkpoint is step2; make room, then continue with resume=true" in said
    assert [path.name for path in checkpoints.steps(full_disk / "full")] == ["step2"]
    assert not checkpoints.faults(full_disk / "full" / "step2")
    assert (full_disk / "full" / "latest").read_text() == "step2"
    assert not list((full_disk / "full").glob(".step*"))


@pytest.mark.parametrize(
    ("run", "said"),
    [
        ("odd-key", r"differ in their keys: learning_rate is 0.001 on rank 1 \(.+\), 0.003 on others"),
        ("odd-stages", r"differ in their keys: parallel.pp is 1 on rank 1 \(.+\), 2 on others"),
        ("odd-data", r"differ in their data: ends is '[0-9a-f]{16}' on rank 1"),
        ("odd-weights", r"differ in their weights: tied_modules.embedding.inner.weight is '[0-9a-f]{16}' on rank 1"),
    ],
)
def test_ranks_that_were_given_different_things_are_found(two: Path, run: str, said: str) -> None:
    for rank in (0, 1):
        assert re.search(said, (two / f"{run}-error-{rank}.txt").read_text())
