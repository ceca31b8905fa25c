"""Pipeline training equals plain transformers; a run that is cut off and resumed equals the unbroken one to the bit."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM

from knowcoder import jsonl
from knowcoder.checkpoint.convert import to_hf, to_pipeline
from knowcoder.config import PretrainConfig
from knowcoder.train.order import rows_for_step
from knowcoder.train.rows import PackedRows
from knowcoder.train.schedule import rate_factor
from tests.distributed import run_ranks
from tests.packed import save_packed
from tests.small_models import save_small_model

RANKS = Path(__file__).with_name("ranks_pretrain.py")
STEPS = 20


def settings(folder: Path, name: str, model: str = "tied", pp: int = 2, **changes: Any) -> dict[str, Any]:
    defaults = {
        "model": str(folder / model),
        "data": str(folder / "data"),
        "output": str(folder / name),
        "steps": STEPS,
        "global_batch": 8,
        "micro_batch": 2,
        "learning_rate": 3e-3,
        "clip": 1.0,
        "precision": "fp32",
        "log_every": 1,
        "save_every": 10,
        "parallel": {"pp": pp, "processes": 2},
    }
    return defaults | changes


def train(folder: Path, count: int, runs: list[dict[str, Any]]) -> str:
    plan = folder / f"plan-{count}.json"
    plan.write_text(json.dumps(runs))
    return run_ranks(count, RANKS, str(plan))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pretrain")
    save_small_model(folder / "tied", tie_word_embeddings=True)
    save_small_model(folder / "untied", "qwen3")
    to_pipeline(folder / "untied", folder / "checkpoint")
    save_packed(folder / "data")
    return folder


@pytest.fixture(scope="module")
def two(folder: Path) -> Path:
    """All runs on two processes, in one launch."""
    whole: Callable[..., dict[str, Any]] = lambda name, **changes: settings(folder, name, **changes)  # noqa: E731
    train(
        folder,
        2,
        [
            whole("plain"),
            whole("resumed", stop_after=10),
            whole("resumed", resume=True),
            whole("muon", optimizer="muon"),
            whole("muon-resumed", optimizer="muon", stop_after=10),
            whole("muon-resumed", optimizer="muon", resume=True),
            whole("muon-dp", optimizer="muon", pp=1),
            whole("muon-bf16", optimizer="muon", precision="bf16"),
            whole("recomputed", activation_checkpointing=1),
            whole("bf16", model="untied", precision="bf16"),
            whole("fp32", model="untied"),
            whole("from-checkpoint", model="checkpoint", steps=2),
        ],
    )
    return folder


@pytest.fixture(scope="module")
def four(folder: Path) -> Path:
    """A run of two stages by two data-parallel ranks; some of its micro-batches train nothing."""
    train(folder, 4, [settings(folder, "grid", model="untied", micro_batch=1)])
    return folder


def metric(folder: Path, name: str, key: str = "loss") -> list[float]:
    return [line[key] for line in jsonl.read(folder / name / "metrics.jsonl", dict[str, Any])]


def reference(folder: Path, model: str, optimizer: str = "adamw") -> tuple[list[float], list[float], Any]:
    """Losses, gradient norms and final model of a plain loop over the same data, each batch at once."""
    config = PretrainConfig(**{k: v for k, v in settings(folder, "", model).items() if k != "parallel"})
    torch.manual_seed(0)
    whole = AutoModelForCausalLM.from_pretrained(folder / model)
    muon = [p for p in whole.model.layers.parameters() if p.ndim == 2 and optimizer == "muon"]
    rest = [p for p in whole.parameters() if not any(p is m for m in muon)]
    decayed = [
        {"params": [p for p in rest if p.ndim >= 2]},
        {"params": [p for p in rest if p.ndim < 2], "weight_decay": 0},
    ]
    parts: list[Any] = [torch.optim.AdamW(decayed, lr=3e-3, betas=(0.9, 0.95), weight_decay=0.1)]
    if muon:
        parts.append(torch.optim.Muon(muon, lr=0.02, weight_decay=0.1))
    peaks = [[group["lr"] for group in part.param_groups] for part in parts]
    rows = PackedRows(folder / "data")
    losses, norms = [], []
    for step in range(STEPS):
        for part, part_peaks in zip(parts, peaks, strict=True):
            for group, peak in zip(part.param_groups, part_peaks, strict=True):
                group["lr"] = peak * rate_factor(step, config)
        batch = rows.batch(rows_for_step(len(rows), 8, config.seed, step))
        logits = whole(input_ids=batch["input_ids"], position_ids=batch["position_ids"], use_cache=False).logits
        loss = cross_entropy(logits.flatten(0, 1)[batch["trained"]], batch["targets"])
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(whole.parameters(), 1.0).item())
        losses.append(loss.item())
        for part in parts:
            part.step()
            part.zero_grad()
    return losses, norms, whole


def assert_near(found: list[float], expected: list[float], tolerance: float) -> None:
    assert len(found) == len(expected)
    assert max(abs(a - b) for a, b in zip(found, expected, strict=True)) < tolerance


def test_two_stages_equal_plain_transformers(two: Path) -> None:
    losses, norms, model = reference(two, "tied")
    assert max(norms) > 1.0, "clipping must have something to do"
    assert_near(metric(two, "plain"), losses, 1e-5)
    assert_near(metric(two, "plain", "grad_norm"), norms, 1e-4)
    to_hf(two / "plain", two / "plain-hf")
    ids = torch.arange(3, 40)[None]
    trained = AutoModelForCausalLM.from_pretrained(two / "plain-hf")
    assert torch.allclose(trained(ids).logits, model(ids).logits, atol=1e-3)


def test_two_stages_by_two_data_parallel_ranks_equal_plain_transformers(four: Path) -> None:
    losses, norms, _ = reference(four, "untied")
    assert max(norms) > 1.0
    assert_near(metric(four, "grid"), losses, 1e-5)


def test_data_is_disjoint_between_data_parallel_ranks_and_the_same_on_first_and_last_stage(four: Path) -> None:
    read = {}
    for rank in range(4):
        lines = (four / "grid-rows" / f"rank-{rank}.txt").read_text().split()
        read[rank] = [list(map(int, lines[start : start + 4])) for start in range(0, len(lines), 4)]
    # Ranks 0 and 1 are the first stage, 2 and 3 the last one of the same two pipelines.
    assert read[0] == read[2]
    assert read[1] == read[3]
    for step in range(STEPS):
        assert read[0][step] + read[1][step] == rows_for_step(24, 8, 1, step)


@pytest.mark.parametrize(("whole", "resumed"), [("plain", "resumed"), ("muon", "muon-resumed")])
def test_a_resumed_run_equals_the_unbroken_one_to_the_bit(two: Path, whole: str, resumed: str) -> None:
    for key in ("step", "loss", "grad_norm", "learning_rate"):
        assert metric(two, resumed, key) == metric(two, whole, key)
    for piece in range(6):
        name = f"step20/layer_0{piece}-model_states.pt"
        one, other = (torch.load(two / run / name, weights_only=True) for run in (whole, resumed))
        assert one.keys() == other.keys()
        assert all(torch.equal(one[key], other[key]) for key in one)


def test_muon_equals_that_of_torch_under_any_topology(two: Path) -> None:
    """Its bf16 iteration turns differences of one rounding into larger ones, so the bound is wider."""
    losses, _, _ = reference(two, "tied", "muon")
    assert_near(metric(two, "muon")[:3], losses[:3], 1e-4)
    assert_near(metric(two, "muon"), losses, 2e-2)
    assert_near(metric(two, "muon-dp"), losses, 2e-2)
    assert_near(metric(two, "muon-bf16"), losses, 0.1)


def test_recomputing_activations_changes_nothing(two: Path) -> None:
    assert_near(metric(two, "recomputed"), metric(two, "plain"), 1e-6)


def test_bf16_follows_fp32(two: Path) -> None:
    """A gradient that is lost on the way shows in the norm of the first step."""
    assert metric(two, "bf16", "grad_norm")[0] == pytest.approx(metric(two, "fp32", "grad_norm")[0], rel=0.01)
    assert_near(metric(two, "bf16"), metric(two, "fp32"), 0.05)


def test_a_pipeline_checkpoint_is_a_start_too(two: Path) -> None:
    assert metric(two, "from-checkpoint")[0] == metric(two, "fp32")[0]


def test_a_run_leaves_a_record(two: Path) -> None:
    run = jsonl.read_json(two / "plain" / "run.json")
    assert run["config"]["learning_rate"] == 3e-3
    assert run["versions"]["deepspeed"]
    assert {path.name for path in (two / "plain" / "logs").iterdir()} == {"rank-000.log", "rank-001.log"}
    line = next(jsonl.read(two / "plain" / "metrics.jsonl", dict[str, Any]))
    wanted = {
        "step",
        "loss",
        "learning_rate",
        "grad_norm",
        "trained_tokens_per_second",
        "tokens_per_second",
        "fill",
        "data_wait",
        "memory_gib",
        "seconds",
    }
    assert line.keys() == wanted
    assert (two / "plain" / "latest").read_text() == "step20"
