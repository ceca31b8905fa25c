"""Converting a model with random weights both ways, beside `cp` and `sync` of the same bytes; and the memory it takes.

    python scripts/bench/convert.py [--size tiny|1b|7b] [--folder DIR] [--dtype bf16] [--rounds 3]

Writes the model shard by shard (the shape of Llama 2, bf16; 7b takes 14 GB), converts it to a pipeline checkpoint and
back with checksums on, and compares the bytes of the result. Needs room for three copies; removes them all.
Memory is anonymous memory (RssAnon), sampled every 5 ms, above what the process has after its imports.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import LlamaConfig

from knowcoder.checkpoint.mapping import meta_model

SIZES = {
    "tiny": {"hidden_size": 256, "intermediate_size": 688, "num_hidden_layers": 8, "num_attention_heads": 8},
    "1b": {"hidden_size": 2048, "intermediate_size": 5632, "num_hidden_layers": 20, "num_attention_heads": 32},
    "7b": {"hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32, "num_attention_heads": 32},
}
#: One conversion in a process of its own: says its seconds and its memory as JSON.
WORKER = """
import json, re, sys, threading, time
from pathlib import Path
from knowcoder.checkpoint.convert import to_hf, to_pipeline
from knowcoder.checkpoint.mapping import meta_model
from transformers import LlamaConfig

def anonymous():
    return int(re.search(r"RssAnon:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) * 1024

def watch():
    while not done.wait(0.005):
        samples.append(anonymous())

meta_model(LlamaConfig(num_hidden_layers=1))  # transformers imports what it needs when it is first asked
source, target, to, dtype = sys.argv[1:]
done, before = threading.Event(), anonymous()
samples = [before]
thread = threading.Thread(target=watch)
thread.start()
start = time.monotonic()
made = (to_pipeline if to == "pipeline" else to_hf)(Path(source), Path(target), dtype)
seconds = time.monotonic() - start
done.set()
thread.join()
print(json.dumps({"seconds": seconds, "memory": max(samples) - before, "bytes": made.bytes, "content": made.content}))
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", choices=SIZES, default="tiny")
    parser.add_argument("--folder", default=tempfile.gettempdir())
    parser.add_argument("--dtype", default="", choices=["", "bf16", "fp16", "fp32"])
    parser.add_argument("--rounds", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=options.folder, prefix="convert-") as folder:
        compare(Path(folder), options.size, options.dtype, options.rounds)


def compare(folder: Path, size: str, dtype: str, rounds: int) -> None:
    largest = make_model(folder / "hf", size)
    best: dict[str, float] = {}
    memory = 0.0
    for _ in range(rounds):
        copied = copy(folder / "hf", folder / "copy")
        there = convert(folder / "hf", folder / "pipeline", "pipeline", dtype)
        back = convert(folder / "pipeline", folder / "back", "hf", "")
        if there["content"] != back["content"]:
            sys.exit("the model that came back is another one")
        seconds = {"cp": copied, "to=pipeline": there["seconds"], "to=hf": back["seconds"]}
        best = {name: min(spent, best.get(name, spent)) for name, spent in seconds.items()}
        memory = max(memory, there["memory"], back["memory"])
        for name in ("pipeline", "back"):
            shutil.rmtree(folder / name)
    read = sum(path.stat().st_size for path in (folder / "hf").glob("*.safetensors")) / 1e9
    print(f"{size}: {read:.1f} GB, largest tensor {largest / 1e6:.0f} MB; each followed by sync, best of {rounds}")
    for name, spent in best.items():
        print(f"{name:<12} {spent:7.1f} s   {best['cp'] / spent:.2f} of cp")
    print(f"memory: at most {memory / 1e6:.0f} MB above the imports")


def make_model(folder: Path, size: str) -> int:
    """Write random weights shard by shard; returns the bytes of the largest tensor."""
    config = LlamaConfig(vocab_size=32000, torch_dtype="bfloat16", **SIZES[size])
    config.save_pretrained(folder)
    shapes = {name: tuple(tensor.shape) for name, tensor in meta_model(config).state_dict().items()}
    table, shard, filled, count, largest = {}, {}, 0, 0, 0
    for number, (name, shape) in enumerate(shapes.items(), 1):
        shard[name] = torch.empty(shape, dtype=torch.bfloat16).normal_(std=0.02)
        filled += shard[name].nbytes
        largest = max(largest, shard[name].nbytes)
        if filled > 1 << 30 or number == len(shapes):
            count += 1
            file = f"model-{count:05d}.safetensors"
            save_file(shard, folder / file, {"format": "pt"})
            table |= dict.fromkeys(shard, file)
            shard, filled = {}, 0
    (folder / "model.safetensors.index.json").write_text(json.dumps({"weight_map": table}))
    sync(folder)
    return largest


def copy(source: Path, target: Path) -> float:
    start = time.monotonic()
    subprocess.run(["cp", "-r", "--reflink=never", source, target], check=True)
    sync(target)
    seconds = time.monotonic() - start
    shutil.rmtree(target)
    return seconds


def convert(source: Path, target: Path, to: str, dtype: str) -> dict[str, float]:
    command = [sys.executable, "-c", WORKER, str(source), str(target), to, dtype]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    found: dict[str, float] = json.loads(output.splitlines()[-1])
    start = time.monotonic()
    sync(target)
    found["seconds"] += time.monotonic() - start
    return found


def sync(folder: Path) -> None:
    """Wait until all of a folder is on the disk."""
    for path in folder.rglob("*"):
        if path.is_file():
            with path.open("rb") as file:
                os.fsync(file.fileno())


if __name__ == "__main__":
    main()
