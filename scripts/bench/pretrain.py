"""Pre-training: packed rows beside padded ones, two stages beside one process, the loss in chunks beside whole logits.

    python scripts/bench/pretrain.py [DATA_ROOT] [--only fill|stages|loss|gpu] [--steps 12] [--length 1024]
        [--shape tiny|1b|7b]

fill and stages start `knowcoder pretrain` itself, with a model of 7 million parameters (hidden 256, 8 layers), on
instance code: of CrossNER ai where DATA_ROOT is given, of the demonstration world otherwise. A rate is the tokens of
all steps but the first over as many times the middle one of their seconds, so that a pause of the machine does not
count. loss runs every variant in a process of its own, and samples its anonymous memory. gpu measures the use of the
card against its own matrix products, with variants of attention and loss; it says so where there is none.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
from importlib import import_module
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset, load_from_disk
from measure import world

from knowcoder import jsonl
from knowcoder.artefact import Manifest
from knowcoder.checkpoint.init import init_model
from knowcoder.codec.wrapper import Wrapper
from knowcoder.corpus.benchmark import read_benchmark, schema_of_all
from knowcoder.packing.pack import ROWS, pack
from knowcoder.samples.understanding import instance_drafts
from knowcoder.schema.render import Style
from knowcoder.schema.source import library_of
from knowcoder.train import loss as loss_module
from knowcoder.train.arithmetic import token_cost
from knowcoder.train.loss import chunked_loss
from knowcoder.train.measure import best_seconds

SENTENCES, ROWS_A_STEP = 3000, 8
MODEL = """\
model_type: llama
hidden_size: 256
intermediate_size: 688
num_hidden_layers: 8
num_attention_heads: 4
num_key_value_heads: 4
max_position_embeddings: 4096
tie_word_embeddings: true
"""
SHAPES = {
    "tiny": {"hidden_size": 64, "intermediate_size": 172, "num_hidden_layers": 2, "num_attention_heads": 2},
    "1b": {"hidden_size": 2048, "intermediate_size": 5632, "num_hidden_layers": 20, "num_attention_heads": 16},
    "7b": {"hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32, "num_attention_heads": 32},
}
GPU_ROUNDS = 6  # the first of them warms up
#: Forward and backward pass of a head with its loss, in a process of its own: says its seconds and memory as JSON.
WORKER = """
import json, re, sys, threading, time
from pathlib import Path
import torch
from knowcoder.train import loss

def anonymous():
    return int(re.search(r"RssAnon:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024

def watch():
    while not done.wait(0.002):
        samples.append(anonymous())

tokens, width, vocabulary, whole = map(int, sys.argv[1:])
torch.set_num_threads(1)
if whole:
    loss.LOGITS_AT_ONCE = 1 << 62
head = torch.nn.Linear(width, vocabulary, bias=False)
hidden = torch.randn(tokens, width, requires_grad=True)
targets = torch.randint(vocabulary, (tokens,))
done, samples = threading.Event(), [anonymous()]
thread = threading.Thread(target=watch, daemon=True)
thread.start()
best = float("inf")
for _ in range(3):
    start = time.process_time()
    loss.chunked_loss(head, hidden, targets, vocabulary, head.parameters())[0].backward()
    best = min(best, time.process_time() - start)
    head.weight.grad = hidden.grad = None
done.set()
thread.join()
print(json.dumps({"seconds": best, "memory": max(samples) - samples[0]}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data_root", nargs="?")
    parser.add_argument("--only", choices=("fill", "stages", "loss", "gpu"))
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--length", type=int, default=1024, help="tokens of a row")
    parser.add_argument("--shape", choices=SHAPES, help="of gpu; on a processor for a trial of this script")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if given.only in (None, "fill", "stages"):
            prepare(folder, given.data_root, given.length)
        if given.only in (None, "fill"):
            fill(folder, given.steps)
        if given.only in (None, "stages"):
            stages(folder, given.steps)
    if given.only in (None, "loss"):
        losses()
    if given.only in (None, "gpu"):
        gpu(given.shape)


def prepare(folder: Path, data_root: str | None, length: int) -> None:
    """Write a model, its samples as packed rows, and the same samples one to a row."""
    if data_root:
        library = library_of(schema_of_all(["crossner-ai"], data_root))
        corpus = read_benchmark("crossner-ai", data_root)
        sentences = [sentence for split in corpus.splits.values() for sentence in split]
    else:
        sentences, library, _ = world(SENTENCES)
    samples = [draft.write(draft.negatives, Style()) for draft in instance_drafts(sentences, library)]
    (folder / "model.yaml").write_text(MODEL)
    texts = [sample.completion for sample in samples]
    init_model(str(folder / "model.yaml"), texts, vocab_size=2048, seed=1, output_dir=folder / "model")
    (folder / "packed").mkdir()
    jsonl.write(folder / "samples.jsonl", samples)
    wrapper = Wrapper.from_folder(str(folder / "model"), "plain")
    made = pack([folder / "samples.jsonl"], wrapper, length, folder / "packed")
    facts = {"max_length": length, "pad_token_id": 0}
    Manifest("packed", "complete", facts=facts).save(folder / "packed")
    alone = one_by_one(load_from_disk(str(folder / "packed" / ROWS))[:])
    Dataset.from_dict(alone).save_to_disk(str(folder / "padded" / ROWS))
    Manifest("packed", "complete", facts=facts).save(folder / "padded")
    print(f"{made.samples:,} samples of {made.tokens / made.samples:.0f} tokens, packed rows {made.fill:.1%} full")


def one_by_one(rows: dict[str, list[Any]]) -> dict[str, list[Any]]:
    """Take rows apart: every document becomes one."""
    alone: dict[str, list[Any]] = {name: [] for name in rows}
    for number, positions in enumerate(rows["position_ids"]):
        edges = [*(place for place, position in enumerate(positions) if position == 0), len(positions)]
        for document, (start, end) in enumerate(pairwise(edges)):
            for name, column in rows.items():
                per_token = len(column[number]) == len(positions)
                alone[name].append(column[number][start:end] if per_token else [column[number][document]])
    return alone


def fill(folder: Path, steps: int) -> None:
    """Tokens of samples a second, with one thread."""
    rates, full = {}, {}
    for data in ("padded", "packed"):
        lines = run(folder, f"fill-{data}", steps, {"data": folder / data}, threads=1)
        rates[data], full[data] = rate(lines), statistics.mean(line["fill"] for line in lines)
    possible = 1 / full["padded"]
    gain = rates["packed"] / rates["padded"]
    print(f"\npadded: {full['padded']:.1%} full, {rates['padded']:,.0f} tokens/s; packed: {rates['packed']:,.0f}")
    print(f"packed is {gain:.2f} times as fast, {gain / possible:.2f} of the {possible:.2f} that 1 / (1 - padding) is")


def stages(folder: Path, steps: int) -> None:
    """Two stages of one thread each beside one process with two threads; and beside one with one, in processor time.

    The second says what cutting costs where other work makes the first worthless.
    """
    share = ROWS_A_STEP / (ROWS_A_STEP + 1)
    print(f"\nthe bubble of {ROWS_A_STEP} micro-batches leaves two stages {share:.3f} of the time")
    data = {"data": folder / "packed"}
    keys = {"parallel.pp": 2, "parallel.split": "time"} | data
    spent = {}
    for name, words in {"one process": data, "two stages": keys}.items():
        short, long = (processor_seconds(folder, f"{name} {count}", count, words) for count in (2, steps))
        spent[name] = (long - short) / (steps - 2)
        print(f"{name}: {spent[name]:.2f} s of processor time a step, starting left out")
    print(f"two stages need {spent['two stages'] / spent['one process']:.3f} of the processor time of one process")
    layers = json.loads((folder / f"two stages {steps}" / "split.json").read_text())
    two = rate(run(folder, "apart", steps, keys | {"parallel.split": json.dumps(layers)}, threads=1))
    threads = rate(run(folder, "threads", steps, data, threads=2))
    print(f"layers {layers}: {two:,.0f} tokens/s, {two / threads / share:.3f} of the share of two threads together")


def processor_seconds(folder: Path, name: str, steps: int, keys: dict[str, object]) -> float:
    """Processor time of a run and all that it starts."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run(folder, name, steps, keys, threads=1)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def run(folder: Path, name: str, steps: int, keys: dict[str, object], threads: int) -> list[dict[str, Any]]:
    """Train in processes of its own and return the record of all steps but the first."""
    words = {"model": folder / "model", "output": folder / name, "steps": steps, "global_batch": ROWS_A_STEP}
    words |= {"micro_batch": 1, "log_every": 1, "save_every": steps} | keys
    command = [sys.executable, "-m", "knowcoder.cli", "pretrain", *(f"{key}={value}" for key, value in words.items())]
    environment = os.environ | {"OMP_NUM_THREADS": str(threads)}
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL)
    return list(jsonl.read(folder / name / "metrics.jsonl", dict[str, Any]))[1:]


def rate(lines: list[dict[str, Any]]) -> float:
    tokens = sum(line["tokens_per_second"] * line["seconds"] for line in lines)
    return float(tokens / (len(lines) * statistics.median(line["seconds"] for line in lines)))


def losses(tokens: int = 8192, width: int = 256, vocabulary: int = 32_000) -> None:
    """Memory and processor time of a head with its loss."""
    found = {}
    for name, whole in (("whole logits", 1), ("in chunks", 0)):
        words = [sys.executable, "-c", WORKER, *map(str, (tokens, width, vocabulary, whole))]
        found[name] = json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)
    print(f"\nhead and loss of {tokens:,} tokens, width {width}, vocabulary {vocabulary:,}, fp32")
    base = found["whole logits"]
    for name, figures in found.items():
        memory, seconds = figures["memory"], figures["seconds"]
        print(
            f"{name:<14} {memory / 1e6:>8,.0f} MB {memory / base['memory']:.3f}   {seconds:6.2f} s "
            f"{seconds / base['seconds']:.3f}"
        )


def gpu(shape: str | None) -> None:
    """Model FLOPs utilisation, by length, attention and loss; forward, backward and optimizer step in bf16."""
    on_gpu = torch.cuda.is_available()
    if not (on_gpu or shape):
        print("\nuse of a GPU: not measured, there is none")
        return
    device = torch.device("cuda" if on_gpu else "cpu")
    peak = matrix_rate(device, 8192 if on_gpu else 1024)
    print(f"\nmatrix products in bf16: {peak / 1e12:,.2f} TFLOP/s")
    for name in [shape] if shape else ["1b", "7b"]:
        for length in (2048, 4096):
            for attention in ("sdpa", "flash_attention_2", "flex_attention"):
                for variant in ("whole", "chunks", "liger"):
                    label = f"{name} {length} {attention} {variant}"
                    try:
                        print(f"{label:<40} {utilisation(name, length, attention, variant, device) / peak:.3f}")
                    except Exception as error:  # a kernel that is not installed, or a model that does not fit
                        print(f"{label:<40} not measured: {str(error).splitlines()[0][:100]}")
                    if on_gpu:
                        torch.cuda.empty_cache()


def matrix_rate(device: torch.device, size: int) -> float:
    one = torch.randn(size, size, device=device, dtype=torch.bfloat16)
    return 2 * size**3 / best_seconds(lambda: one @ one, device, GPU_ROUNDS)


def utilisation(name: str, length: int, attention: str, variant: str, device: torch.device) -> float:
    """Operations a second that the model needs, of one document a row; what is recomputed does not count."""
    from transformers import AutoModelForCausalLM, LlamaConfig

    config = LlamaConfig(**SHAPES[name], vocab_size=32_000, max_position_embeddings=length)
    with torch.device(device):
        model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16, attn_implementation=attention)
    model.train()
    if name == "7b":
        model.gradient_checkpointing_enable({"use_reentrant": False})
    optimizer = torch.optim.AdamW(model.parameters(), fused=device.type == "cuda")
    rows = 4 if device.type == "cuda" else 1
    ids = torch.randint(config.vocab_size, (rows, length), device=device)
    positions = torch.arange(length, device=device).expand(rows, -1)

    def step() -> None:
        hidden = model.base_model(input_ids=ids, position_ids=positions, use_cache=False).last_hidden_state
        loss_of(variant, model.lm_head, hidden[:, :-1].flatten(0, 1), ids[:, 1:].flatten()).backward()
        optimizer.step()
        optimizer.zero_grad()

    tokens = rows * length
    return token_cost(config).training(tokens, tokens, length) / best_seconds(step, device, GPU_ROUNDS)


def loss_of(variant: str, head: torch.nn.Linear, hidden: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    if variant == "liger":
        kernels = import_module("liger_kernel.transformers")
        fused: torch.Tensor = kernels.LigerFusedLinearCrossEntropyLoss()(head.weight, hidden, targets)
        return fused
    before = loss_module.LOGITS_AT_ONCE
    loss_module.LOGITS_AT_ONCE = 1 << 62 if variant == "whole" else before
    try:
        return chunked_loss(head, hidden, targets, head.out_features, head.parameters())[0] / len(targets)
    finally:
        loss_module.LOGITS_AT_ONCE = before


if __name__ == "__main__":
    main()
