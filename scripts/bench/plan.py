"""What `plan` says a rank needs against the peak of the tensors that training really holds, in fp32 on processors.

Usage: python scripts/bench/plan.py [pipeline|lora] [--few]        every shape, or one
Makes its own models and data. Training runs under torch's profiler, which sees every block that is taken and freed.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import tempfile
from itertools import product
from pathlib import Path
from typing import Any

import msgspec

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))
#: Width, layers, tokens of a row, vocabulary.
SHAPES = ((64, 4, 256, 512), (128, 6, 128, 1024), (96, 8, 384, 256))


def cases(few: bool) -> list[dict[str, Any]]:
    """The runs: every shape with micro-batches of 2 and 4 rows, all activations kept or recomputed."""
    found = [
        {"shape": shape, "micro_batch": rows, "recompute": recompute}
        for shape, rows, recompute in product(SHAPES, (2, 4), (False, True))
    ]
    return [found[0], found[7]] if few else found


def settings(case: dict[str, Any], verb: str, folder: Path) -> dict[str, Any]:
    """The keys of a run."""
    name = "-".join(map(str, case["shape"]))
    keys: dict[str, Any] = {"model": str(folder / f"model-{name}"), "data": str(folder / f"data-{name}")}
    keys |= {"micro_batch": case["micro_batch"], "global_batch": 4 * case["micro_batch"], "steps": 2}
    keys |= {"precision": "fp32", "output": str(folder / f"{verb}-{name}-{case['micro_batch']}-{case['recompute']}")}
    if verb == "pretrain":
        keys |= {"activation_checkpointing": int(case["recompute"]), "parallel": {"pp": 2, "processes": 2}}
        return keys | {
            "save_in_background": False
        }  # the copy that is written lies in main memory, where tensors are here
    return keys | {"gradient_checkpointing": case["recompute"], "lora": {"rank": 4}}


def prepare(folder: Path, shape: tuple[int, int, int, int]) -> None:
    """Write a model and full rows of one shape."""
    import torch
    from datasets import Dataset
    from transformers import AutoConfig, AutoModelForCausalLM

    from knowcoder.artefact import Manifest
    from knowcoder.packing.pack import ROWS

    width, layers, length, vocabulary = shape
    name = "-".join(map(str, shape))
    config = AutoConfig.for_model(
        "llama",
        hidden_size=width,
        intermediate_size=3 * width,
        num_hidden_layers=layers,
        num_attention_heads=4,
        num_key_value_heads=2,
        vocab_size=vocabulary,
        max_position_embeddings=length,
    )
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(config).save_pretrained(folder / f"model-{name}")
    positions = [position for _ in range(2) for position in range(length // 2)]
    ids = torch.randint(3, vocabulary, (16, length)).tolist()
    columns = {"input_ids": ids, "position_ids": [positions] * 16, "labels": ids, "kind": [["definition"] * 2] * 16}
    Dataset.from_dict(columns).save_to_disk(folder / f"data-{name}" / ROWS)
    Manifest("packed", "complete", facts={"max_length": length, "pad_token_id": 0}).save(folder / f"data-{name}")


def rank(verb: str, runs: Path) -> None:
    """One process: train every run and write down the most bytes that were taken at a time."""
    from torch.profiler import ProfilerActivity, profile

    from knowcoder.config import VERB_KEYS
    from knowcoder.train import launch

    launch.single()
    peaks = []
    for keys in json.loads(runs.read_text()):
        config = msgspec.convert(keys, VERB_KEYS[verb])
        gc.collect()  # what an earlier run has left would be freed in this one
        with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as watch:
            launch.work(verb)(config, Path(config.output))
        live = peak = 0
        events = [event for event in watch.profiler.kineto_results.events() if event.name() == "[memory]"]
        for event in sorted(events, key=lambda event: event.start_ns()):
            live += event.nbytes()
            peak = max(peak, live)
        peaks.append(peak)
    runs.with_name(f"peaks-{verb}-{launch.rank()}.json").write_text(json.dumps(peaks))


def planned(verb: str, keys: dict[str, Any]) -> list[float]:
    """What the plan says of every rank, in bytes."""
    from knowcoder.config import VERB_KEYS, PlanConfig
    from knowcoder.train.plan.report import peaks

    return peaks(msgspec.convert(keys, VERB_KEYS[verb]), PlanConfig())


def compare(verb: str, few: bool, folder: Path) -> list[tuple[dict[str, Any], int, float, float]]:
    """Train, plan, and return every case with a rank, what was planned and what was measured."""
    found = cases(few)
    for shape in {case["shape"] for case in found}:
        prepare(folder, shape)
    runs = [settings(case, verb, folder) for case in found]
    listed = folder / f"runs-{verb}.json"
    listed.write_text(json.dumps(runs))
    count = 2 if verb == "pretrain" else 1
    several = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={count}"]
    environment = os.environ | {"DS_ACCELERATOR": "cpu", "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
    words = [sys.executable, *(several if count > 1 else []), __file__, "rank", verb, str(listed)]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stdout + done.stderr)
    measured = [json.loads((folder / f"peaks-{verb}-{number}.json").read_text()) for number in range(count)]
    return [
        (case, number, plan, measured[number][index])
        for index, (case, keys) in enumerate(zip(found, runs, strict=True))
        for number, plan in enumerate(planned(verb, keys))
    ]


def main(words: list[str]) -> None:
    few = "--few" in words
    chosen = [word for word in words if word in ("pipeline", "lora")] or ["pipeline", "lora"]
    for name in chosen:
        with tempfile.TemporaryDirectory() as folder:
            for case, number, plan, real in compare({"pipeline": "pretrain", "lora": "sft"}[name], few, Path(folder)):
                print(
                    f"{name} shape={case['shape']} micro_batch={case['micro_batch']} recompute={case['recompute']} "
                    f"rank {number}: planned {plan / 2**20:.1f} MiB, measured {real / 2**20:.1f}, {plan / real:.2f}"
                )


if __name__ == "__main__":
    if sys.argv[1:2] == ["rank"]:
        rank(sys.argv[2], Path(sys.argv[3]))
    else:
        main(sys.argv[1:])
