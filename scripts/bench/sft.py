"""Instruction tuning beside trl's SFTTrainer: useful tokens per second of processor time, peak memory, losses.

    python scripts/bench/sft.py [steps=40] [rounds=2] [threads=1] [precision=fp32]
    python scripts/bench/sft.py merge    # memory of merging, by the size of the model

Each contender trains in a process of its own, in turns, the same model on the same samples of the demonstration world
with the same optimizer at a constant rate. Useful tokens are those of samples, padding excluded; the first two steps
are not counted. Needs trl, which needs nothing more than is there: pip install --no-deps trl.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import redirect_stdout
from itertools import pairwise
from pathlib import Path
from typing import Any

MODEL = """\
model_type: llama
hidden_size: 256
intermediate_size: 688
num_hidden_layers: 6
num_attention_heads: 4
num_key_value_heads: 4
max_position_embeddings: 1024
tie_word_embeddings: true
"""
LENGTH = 1024
ROWS = 4  # of a step
RATE = 1e-3
WARM = 2
OURS = "knowcoder"
CONTENDERS: dict[str, dict[str, Any]] = {
    OURS: {"micro": ROWS},
    "knowcoder, a row at a time": {"micro": 1},
    "trl, packed": {"trl": "packed", "micro": ROWS},
    "trl, packed, a row at a time": {"trl": "packed", "micro": 1},
    "trl, the rows of knowcoder": {"trl": "given", "micro": 1},
    "trl, padded to the longest": {"trl": "padded"},
    "trl, padded to max_length": {"trl": "padded", "multiple": LENGTH},
    "knowcoder, LoRA": {"micro": ROWS, "lora": True},
    "trl, LoRA, a row at a time": {"trl": "packed", "micro": 1, "lora": True},
}


def main() -> None:
    """Run what the command line asks for."""
    if sys.argv[1:2] == ["--contender"]:
        train(sys.argv[2], Path(sys.argv[3]), json.loads(sys.argv[4]))
        return
    if sys.argv[1:2] == ["merge"]:
        merge_memory()
        return
    keys = {"steps": 40, "rounds": 2, "threads": 1, "precision": "fp32"}
    for word in sys.argv[1:]:
        name, _, value = word.partition("=")
        keys[name] = value if name == "precision" else int(value)
    with tempfile.TemporaryDirectory() as folder:
        prepare(Path(folder))
        found: dict[str, list[dict[str, Any]]] = {name: [] for name in CONTENDERS}
        for _ in range(int(keys["rounds"])):
            for name in CONTENDERS:
                found[name].append(start(name, Path(folder), keys))
        report(found)
        merged(Path(folder))


def prepare(folder: Path) -> None:
    """Make model, samples and packed rows."""
    from knowcoder import cli

    def run(*words: str) -> None:
        if cli.main(words):
            raise SystemExit(1)

    (folder / "model.yaml").write_text(MODEL)
    world = f"output={folder}/world"
    run("world", world, "sentences=600", "test_sentences=4")
    schema, corpus = f"schema={folder}/world/schema", f"{folder}/world/corpus"
    run("init", f"config={folder}/model.yaml", schema, f"corpus=[{corpus}]", "vocab_size=4096", f"output={folder}/m")
    tokens = [f"tokenizer={folder}/m", f"max_length={LENGTH}"]
    run("samples", "phase=following", schema, f"corpus={corpus}", *tokens, f"output={folder}/samples")
    run("pack", f"samples=[{folder}/samples]", *tokens, f"output={folder}/packed")


def start(name: str, folder: Path, keys: dict[str, Any]) -> dict[str, Any]:
    """Train in a fresh process and return its figures."""
    environment = os.environ | {"OMP_NUM_THREADS": str(keys["threads"]), "TOKENIZERS_PARALLELISM": "false"}
    words = [sys.executable, __file__, "--contender", name, str(folder), json.dumps(keys)]
    done = subprocess.run(words, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr[-3000:]}")
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    print(f"{name:<30}{json.dumps({key: value for key, value in figures.items() if key != 'losses'})}", flush=True)
    return figures


def train(name: str, folder: Path, keys: dict[str, Any]) -> None:
    """Train as one contender, and print the figures."""
    import transformers.trainer
    from transformers import TrainerCallback

    times: list[tuple[float, float]] = []

    class Clock(TrainerCallback):
        def on_train_begin(self, *_: Any, **__: Any) -> None:
            figures["memory"] = -_megabytes()

        def on_step_end(self, *_: Any, **__: Any) -> None:
            times.append((time.process_time(), time.perf_counter()))

    figures: dict[str, Any] = {}
    transformers.trainer.DEFAULT_CALLBACKS.append(Clock)
    options = CONTENDERS[name]
    tokens, losses, padding = (theirs if "trl" in options else ours)(folder, options, keys)
    figures["memory"] += resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    spent, passed = (end - begin for begin, end in zip(times[WARM - 1], times[-1], strict=True))
    useful = sum(tokens[WARM : len(times)])
    figures |= {"per_cpu_second": useful / spent, "per_second": useful / passed, "padding": padding}
    figures |= {"useful": sum(tokens), "last_loss": statistics.mean(losses[-len(losses) // 4 :]), "losses": losses}
    print(json.dumps(figures))


def ours(folder: Path, options: dict[str, Any], keys: dict[str, Any]) -> tuple[list[int], list[float], float]:
    """Tune by `sft`; returns the useful tokens and the loss of every step, and the share of padding."""
    from knowcoder import jsonl
    from knowcoder.config import SftConfig
    from knowcoder.train.sft import sft

    rows, order = rows_in_order(folder, keys["steps"])
    with tempfile.TemporaryDirectory() as output:
        config = SftConfig(
            model=str(folder / "m"),
            data=str(folder / "packed"),
            output=output,
            steps=keys["steps"],
            global_batch=ROWS,
            micro_batch=options["micro"],
            tuning="lora" if options.get("lora") else "full",
            learning_rate=RATE,
            warmup_ratio=0.0,
            min_learning_rate_ratio=1.0,
            precision=keys["precision"],
            save_every=10**6,
            log_every=1,
        )
        with redirect_stdout(sys.stderr):
            sft(config, Path(output))
        losses = [line["loss"] for line in jsonl.read(Path(output) / "metrics.jsonl", dict[str, Any])]
    return [int(rows.lengths[step].sum()) for step in order], losses, 0.0


def rows_in_order(folder: Path, steps: int) -> tuple[Any, list[list[int]]]:
    """Return the packed rows, and those of every step of `sft`."""
    from knowcoder.config import SftConfig
    from knowcoder.train.rows import PackedRows, StepBatches

    rows = PackedRows(folder / "packed")
    batches = StepBatches(rows, steps, ROWS, ROWS, SftConfig().seed, 0, 1)
    return rows, [batches.of_step(step) for step in range(steps)]


def theirs(folder: Path, options: dict[str, Any], keys: dict[str, Any]) -> tuple[list[int], list[float], float]:
    """Tune by trl's SFTTrainer; as `ours`. Without packing, a step has as many samples as hold the same tokens."""
    import torch
    from datasets import Dataset
    from peft import LoraConfig
    from transformers import AutoModelForCausalLM, AutoTokenizer
    from trl import SFTConfig, SFTTrainer

    rows, order = rows_in_order(folder, keys["steps"])
    how = options["trl"]
    chosen = [index for step in order for index in step] if how == "given" else range(len(rows))
    data = []
    for index in chosen:
        ids, positions, labels = (part.tolist() for part in rows.row(index))
        edges = [*(place for place, position in enumerate(positions) if position == 0), len(ids)]
        lengths = [end - begin for begin, end in pairwise(edges)]
        if how == "given":
            data.append({"input_ids": ids, "labels": labels, "seq_lengths": lengths})
        else:
            data += [{"input_ids": ids[a:b], "labels": labels[a:b]} for a, b in pairwise(edges)]
    micro = options.get("micro") or round(ROWS * rows.lengths.mean() / (rows.lengths.sum() / len(data)))
    per_step = ROWS // micro if "micro" in options else 1
    lora = LoraConfig(r=32, lora_alpha=64, lora_dropout=0.1, target_modules="all-linear", task_type="CAUSAL_LM")
    with tempfile.TemporaryDirectory() as output:
        trainer = SFTTrainer(
            AutoModelForCausalLM.from_pretrained(folder / "m", dtype=torch.float32),
            args=SFTConfig(
                output_dir=output,
                max_steps=keys["steps"],
                per_device_train_batch_size=micro,
                gradient_accumulation_steps=per_step,
                learning_rate=RATE,
                lr_scheduler_type="constant",
                adam_beta1=0.9,
                adam_beta2=0.95,
                weight_decay=0.1,
                max_grad_norm=1.0,
                bf16=keys["precision"] == "bf16",
                gradient_checkpointing=False,
                use_cpu=True,
                logging_steps=1,
                save_strategy="no",
                report_to="none",
                disable_tqdm=True,
                max_length=None if how == "given" else LENGTH,
                packing=how == "packed",
                packing_strategy="bfd",
                padding_free=how == "given",
                pad_to_multiple_of=options.get("multiple"),
                train_sampling_strategy="sequential" if how == "given" else "random",
                dataset_kwargs={"skip_prepare_dataset": how == "given"},
                seed=1,
            ),
            train_dataset=Dataset.from_list(data),
            processing_class=AutoTokenizer.from_pretrained(folder / "m"),
            peft_config=lora if options.get("lora") else None,
        )
        collate, real, places = trainer.data_collator, [], []

        def counted(examples: list[dict[str, Any]]) -> Any:
            batch = collate(examples)
            real.append(sum(len(example["input_ids"]) for example in examples))
            places.append(batch["input_ids"].numel())
            return batch

        trainer.data_collator = counted
        with redirect_stdout(sys.stderr):
            trainer.train()
    steps = [sum(real[at : at + per_step]) for at in range(0, keys["steps"] * per_step, per_step)]
    losses = [line["loss"] for line in trainer.state.log_history if "loss" in line]
    return steps, losses, 1 - sum(real) / sum(places)


def report(found: dict[str, list[dict[str, Any]]]) -> None:
    """Print the best rate of each contender and the ratios."""
    best = {name: max(each["per_cpu_second"] for each in runs) for name, runs in found.items()}
    heads = ("tokens/CPU s", "ours / its", "padding", "of ideal", "MB", "last loss")
    print(f"\n{'':<30}", *(f"{head:>13}" for head in heads))
    for name, runs in found.items():
        ratio = best[OURS + (", LoRA" if "LoRA" in name else "")] / best[name]
        padding, loss = runs[0]["padding"], runs[0]["last_loss"]
        ideal = f"{ratio * (1 - padding):.2f}" if "padded" in name else ""
        memory = min(each["memory"] for each in runs)
        figures = (f"{best[name]:,.0f}", f"{ratio:.2f}", f"{padding:.1%}", ideal, f"{memory:.0f}", f"{loss:.4f}")
        print(f"{name:<30}", *(f"{figure:>13}" for figure in figures))
    one, other = (found[name][0]["losses"] for name in (OURS, "trl, the rows of knowcoder"))
    print(f"on the same rows, losses differ by at most {max(abs(a - b) for a, b in zip(one, other, strict=True)):.1e}")


def merged(folder: Path) -> None:
    """Print how an adapter compares with its base in size, and merged with unmerged."""
    from knowcoder import cli, jsonl

    keys = [f"model={folder}/m", f"data={folder}/packed", "steps=10", f"global_batch={ROWS}", f"micro_batch={ROWS}"]
    if cli.main(["sft", *keys, "precision=fp32", "learning_rate=1e-3", f"output={folder}/adapter"]):
        raise SystemExit(1)
    base, adapter = folder / "m/model.safetensors", folder / "adapter/adapter_model.safetensors"
    print(f"adapter of rank 32: {adapter.stat().st_size / base.stat().st_size:.3f} of the base's bytes")
    for dtype in ("fp32", "bf16"):
        words = [f"model={folder}/m", f"adapter={folder}/adapter", f"dtype={dtype}", f"output={folder}/{dtype}"]
        if cli.main(["merge", *words]):
            raise SystemExit(1)
        facts = jsonl.read_json(folder / dtype / "manifest.json")["facts"]
        print(f"{dtype}: largest change of a logit {facts['difference']:.1e} merged, {facts['rounded']:.1e} as written")


def merge_memory() -> None:
    """Print the peak of the memory that merging holds of its own, for two depths of a model."""
    for layers in (4, 32):
        with tempfile.TemporaryDirectory() as folder:
            environment = os.environ | {"OMP_NUM_THREADS": "1"}
            subprocess.run(
                [sys.executable, "-c", _MERGE, folder, str(layers)],
                env=environment,
                check=True,
                stderr=subprocess.DEVNULL,
            )


_MERGE = """
import json, re, sys, threading, time
from pathlib import Path
import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, LlamaConfig
from knowcoder.train.merge import merge

def held():
    return int(re.search(r"RssAnon:\\s+(\\d+)", Path("/proc/self/status").read_text())[1]) / 1024

folder, layers = Path(sys.argv[1]), int(sys.argv[2])
config = LlamaConfig(hidden_size=1024, intermediate_size=2816, num_hidden_layers=layers, vocab_size=8192)
model = AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)
model.save_pretrained(folder / "base")
size = sum(p.numel() for p in model.parameters())
model = get_peft_model(model, LoraConfig(r=8, target_modules="all-linear"))
for name, parameter in model.named_parameters():
    if "lora_B" in name:
        torch.nn.init.normal_(parameter, std=0.02)
model.save_pretrained(folder / "adapter")
del model, parameter
peak, done, before = 0.0, False, held()

def watch():
    global peak
    while not done:
        peak = max(peak, held())
        time.sleep(0.005)

watcher = threading.Thread(target=watch)
watcher.start()
started = time.process_time()
made = merge(folder / "base", [folder / "adapter"], folder / "merged", shard_bytes=1 << 28)
done = True
watcher.join()
print(f"{size:,} parameters, {size * 2 / 2**20:,.0f} MB in bf16: {peak - before:,.0f} MB held, "
      f"{time.process_time() - started:.0f} s of processor time, {made.difference:.1e}, {made.rounded:.1e} rounded")
"""


def _megabytes() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 2**20


if __name__ == "__main__":
    main()
