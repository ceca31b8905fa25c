"""Keys of `pretrain`, `sft` and `plan`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from knowcoder.config.common import LongConfig
from knowcoder.config.keys import MISSING, key


def _parallel(pp: int, processes: int) -> Any:
    return field(default_factory=lambda: ParallelConfig(pp=pp, processes=processes), metadata={"help": "see below"})


@dataclass
class ParallelConfig:
    """How the work is spread over processes."""

    pp: int = key(1, "pipeline stages: the layers are cut into so many parts", unit="stages", least=1)
    split: str = key(
        "parameters",
        "how the layers are divided over the stages: parameters (embedding and head included), time (measured at the "
        "start), or layers of each stage, such as [2,3]",
    )
    processes: int = key(
        0, "processes on this machine; 0 takes one per GPU, or pp where there is none", unit="processes"
    )


@dataclass
class ClusterConfig:
    """The machines that a run is for: what `plan` reckons with, and against what the use of a GPU is measured."""

    nodes: int = key(1, "machines", unit="machines", least=1)
    gpus: int = key(0, "GPUs of each machine; 0 counts those that are here", unit="GPUs")
    memory: float = key(0.0, "memory of a GPU; 0 asks the one that is here", unit="GiB")
    peak: float = key(0.0, "its arithmetic at `precision`; 0 looks the GPU that is here up in a table", unit="TFLOP/s")
    utilisation: float = key(0.4, "share of the peak that a stage is taken to reach while it works")


@dataclass
class LoraConfig:
    """Low-rank adapters (paper, section 4)."""

    rank: int = key(32, "rank of the update", least=1)
    alpha: float = key(64.0, "scale of the update is alpha / rank")
    dropout: float = key(0.1, "dropout before the adapter", unit="probability")


@dataclass
class TrainConfig(LongConfig):
    """Keys that both training verbs share."""

    model: str = key(MISSING, "model to start from", foreign=True, kinds=("model", "checkpoint", "pretrain"))
    data: str = key(MISSING, "packed data", kinds=("packed",))
    steps: int = key(1000, "optimizer steps in all", unit="steps", least=1)
    global_batch: int = key(
        256, "rows per optimizer step over all processes; accumulation follows", unit="rows", least=1
    )
    micro_batch: int = key(4, "rows per process at a time", unit="rows", least=1)
    learning_rate: float = key(3e-4, "peak learning rate")
    matrix_learning_rate: float = key(0.02, "peak learning rate of Muon, for the matrices of the layers")
    min_learning_rate_ratio: float = key(0.1, "learning rate at the end, as a share of the peak")
    warmup_ratio: float = key(0.03, "share of the steps in which the rate rises")
    schedule: str = key("cosine", "how the rate falls", choices=("cosine", "linear"))
    optimizer: str = key("adamw", "adamw, or muon for matrices and adamw for the rest", choices=("adamw", "muon"))
    beta1: float = key(0.9, "AdamW: decay of the mean")
    beta2: float = key(0.95, "AdamW: decay of the square")
    weight_decay: float = key(0.1, "decoupled weight decay, on matrices only")
    clip: float = key(1.0, "gradient norm above which gradients are scaled down")
    precision: str = key("bf16", "number format of the arithmetic", choices=("fp32", "bf16", "fp16"))
    seed: int = key(1, "seed of data order and dropout")
    save_every: int = key(500, "steps between checkpoints; one is always written at the end", unit="steps", least=1)
    keep_last: int = key(2, "checkpoints kept", unit="checkpoints", least=1)
    log_every: int = key(10, "steps between lines of metrics.jsonl", unit="steps", least=1)
    cluster: ClusterConfig = field(default_factory=ClusterConfig, metadata={"help": "see below"})
    log_to: list[str] = key(
        [], "further records; wandb stays offline unless logged in", choices=("tensorboard", "wandb")
    )
    dry_run: bool = key(False, "print the command that would start the processes, and stop")


@dataclass
class PretrainConfig(TrainConfig):
    parallel: ParallelConfig = _parallel(pp=1, processes=0)
    activation_checkpointing: int = key(0, "recompute activations every so many layers; 0 keeps them", unit="layers")
    keep_every: int = key(
        0, "steps between checkpoints that are kept for good; 0 keeps the last keep_last alone", unit="steps"
    )
    save_in_background: bool = key(True, "go on training while a checkpoint is written, where memory holds a copy")
    non_finite: str = key(
        "stop", "what a step does whose loss or gradient is not a finite number", choices=("stop", "skip")
    )
    spike: float = key(
        10.0, "a loss this many deviations above the median of the last ones is a spike; 0 looks for none"
    )
    on_spike: str = key("log", "what a step does whose loss is a spike", choices=("log", "skip", "stop"))
    eval_data: str = key("", "packed data to measure the loss on", kinds=("packed",))
    eval_every: int = key(0, "steps between measurements on eval_data; 0 measures at the end alone", unit="steps")


@dataclass
class SftConfig(TrainConfig):
    tuning: str = key(
        "lora",
        "what is trained: all weights, or an adapter; dora trains its lengths apart, qlora keeps the base in 4 bits",
        choices=("full", "lora", "dora", "qlora"),
    )
    adapter: str = key(
        "", "go on with this adapter of model; its rank, alpha and dropout stand", foreign=True, kinds=("adapter",)
    )
    lora: LoraConfig = field(default_factory=LoraConfig, metadata={"help": "see below"})
    deepspeed: str = key(
        "none",
        "what is sharded over the processes: nothing, optimizer states, gradients too, weights too",
        choices=("none", "zero0", "zero1", "zero2", "zero3"),
    )
    offload: bool = key(False, "zero1 to 3: keep optimizer states, and under zero3 weights, in main memory")
    parallel: ParallelConfig = _parallel(pp=1, processes=0)
    gradient_checkpointing: bool = key(False, "recompute activations in the backward pass")
    evaluate_every: int = key(
        0, "steps between evaluations: strict F1 of the tasks that are trained; 0 for none", unit="steps"
    )
    evaluate_on: str = key("", "sentences to evaluate on", kinds=("corpus",))
    evaluate_split: str = key("dev", "their split")
    evaluate_schema: str = key("", "schema library of these sentences", kinds=("schema",))
    evaluate_sentences: int = key(200, "how many of them, drawn by the seed; 0 for all", unit="sentences")
    evaluate_decoding: str = key(
        "free", "free shows what has been learnt; constrained by a grammar", choices=("free", "constrained")
    )
    evaluate_max_new_tokens: int = key(640, "longest answer in an evaluation", unit="tokens", least=1)
    keep_best: bool = key(
        False, "end with the model of the evaluation with the highest mean F1 of the tasks, not with the last one"
    )
    patience: int = key(0, "stop after so many evaluations without a new highest F1; 0 never", unit="evaluations")


@dataclass
class PlanConfig:
    of: str = key(MISSING, "verb to plan; its own keys follow", choices=("pretrain", "sft"))
    max_length: int = key(2048, "tokens of a row, where no data= is given", unit="tokens", least=1)
    rows: int = key(0, "rows, where no data= is given; 0 leaves epochs unsaid", unit="rows")
