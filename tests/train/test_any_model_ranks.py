"""Families and ways to cut, trained by two processes: as plain transformers trains each batch at once."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
import torch
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM

from knowcoder import jsonl
from knowcoder.checkpoint.convert import to_pipeline
from knowcoder.config import PretrainConfig
from knowcoder.train.order import rows_for_step
from knowcoder.train.rows import PackedRows
from knowcoder.train.schedule import rate_factor
from tests.distributed import run_ranks
from tests.packed import save_packed
from tests.small_models import small_config
from tests.train.pieces import FAMILIES, family_model

RANKS = Path(__file__).with_name("ranks_pretrain.py")
STEPS = 3
#: What a run computes in is its own key, whatever the files hold.
SAVED_AS = {"mistral": torch.bfloat16}
CUTS = ["[1,3]", "parameters", "[3,1]"]
FEW = {"gemma3_text": ["parameters", "time"], "mistral": ["[1,3]"], "cohere": ["[3,1]"]}
REST = {family: CUTS for family in FAMILIES if family not in FEW}


def settings(
    folder: Path, family: str, name: str, pp: int, split: str = "parameters", **changes: Any
) -> dict[str, Any]:
    return {
        "model": str(folder / family),
        "data": str(folder / "data"),
        "output": str(folder / name),
        "steps": STEPS,
        "global_batch": 8,
        "micro_batch": 1,
        "learning_rate": 3e-3,
        "precision": "fp32",
        "log_every": 1,
        "parallel": {"pp": pp, "processes": 2, "split": split},
    } | changes


def train(folder: Path, families: dict[str, list[str]]) -> None:
    """Train every family without stages, and with two, by each of its cuts; in one launch."""
    save_packed(folder / "data")
    runs = []
    for family, cuts in families.items():
        family_model(family).to(SAVED_AS.get(family, torch.float32)).save_pretrained(folder / family)
        (folder / family / "knowcoder.json").write_text('{"dialect": "clean"}')
        runs.append(settings(folder, family, f"{family}-1", 1))
        runs += [settings(folder, family, f"{family}-2-{number}", 2, cut) for number, cut in enumerate(cuts)]
    plan = folder / "plan.json"
    plan.write_text(json.dumps(runs))
    run_ranks(2, RANKS, str(plan))


def reference(folder: Path, family: str) -> tuple[list[float], list[float]]:
    """Losses and gradient norms of a plain loop over the same data."""
    fields = {k: v for k, v in settings(folder, family, "", 1).items() if k != "parallel"}
    config = PretrainConfig(**fields)
    model = AutoModelForCausalLM.from_pretrained(folder / family, dtype=torch.float32)
    parameters = list(model.parameters())
    groups = [
        {"params": [p for p in parameters if p.ndim >= 2], "weight_decay": 0.1},
        {"params": [p for p in parameters if p.ndim < 2], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, betas=(0.9, 0.95))
    rows = PackedRows(folder / "data")
    losses, norms, empty = [], [], 0
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = 3e-3 * rate_factor(step, config)
        chosen = rows_for_step(len(rows), 8, config.seed, step)
        empty += int((rows.trained[chosen] == 0).sum())
        batch = rows.batch(chosen)
        logits = model(input_ids=batch["input_ids"], position_ids=batch["position_ids"], use_cache=False).logits
        loss = cross_entropy(logits.flatten(0, 1)[batch["trained"]], batch["targets"])
        loss.backward()
        norms.append(torch.nn.utils.clip_grad_norm_(parameters, 1.0).item())
        losses.append(loss.item())
        optimizer.step()
        optimizer.zero_grad()
    assert empty, "some micro-batches must have nothing to train"
    return losses, norms


def assert_as_reference(folder: Path, families: dict[str, list[str]]) -> None:
    for family, cuts in families.items():
        losses, norms = reference(folder, family)
        for name in [f"{family}-1", *(f"{family}-2-{number}" for number in range(len(cuts)))]:
            lines = list(jsonl.read(folder / name / "metrics.jsonl", dict[str, Any]))
            assert [line["loss"] for line in lines] == pytest.approx(losses, abs=1e-5), name
            assert [line["grad_norm"] for line in lines] == pytest.approx(norms, rel=1e-4), name


def test_two_processes_train_as_plain_transformers_does(tmp_path: Path) -> None:
    train(tmp_path, FEW)
    assert_as_reference(tmp_path, FEW)
    assert sum(jsonl.read_json(tmp_path / "gemma3_text-2-1" / "split.json", list[int])) == 4


@pytest.mark.slow
def test_two_processes_train_the_other_families_as_plain_transformers_does(tmp_path: Path) -> None:
    train(tmp_path, REST)
    assert_as_reference(tmp_path, REST)


def test_a_rank_reads_only_its_own_layers_from_every_kind_of_folder(tmp_path: Path) -> None:
    torch.manual_seed(0)
    shape = {"hidden_size": 256, "intermediate_size": 1024, "vocab_size": 2048}
    model = AutoModelForCausalLM.from_config(small_config("llama", **shape))
    folders = {name: tmp_path / name for name in ("file", "shards", "checkpoint", "published")}
    model.save_pretrained(folders["file"])
    model.save_pretrained(folders["shards"], max_shard_size="3MB")
    to_pipeline(folders["file"], folders["checkpoint"])
    step = folders["published"] / "global_step7"
    step.mkdir(parents=True)
    shutil.copy(folders["file"] / "config.json", folders["published"])
    for path in (folders["checkpoint"] / "step0").glob("layer_*"):
        shutil.copy(path, step / path.name.replace("-model_states", "-model_00-model_states"))
    (folders["published"] / "latest").write_text(step.name)
    run_ranks(2, RANKS.with_name("ranks_stage.py"), json.dumps([str(path) for path in folders.values()]), str(tmp_path))
    ranks = [json.loads((tmp_path / f"rank-{rank}.json").read_text()) for rank in range(2)]
    total = sum(parameter.nbytes for parameter in model.parameters())
    for folder in folders.values():
        first, last = (rank[str(folder)] for rank in ranks)
        assert (first["pieces"], last["pieces"]) == ([0, 1, 2], [3, 4, 5, 6])
        assert len(first["sums"] | last["sums"]) == len(model.state_dict())
        assert first["sums"] == ranks[0][str(folders["file"])]["sums"]
        assert last["sums"] == ranks[1][str(folders["file"])]["sums"]
        for rank in (first, last):
            assert 0.4 * total < rank["resident"] < 0.6 * total, folder
