"""Keys of `samples` and `pack`."""

from __future__ import annotations

from dataclasses import dataclass, field

from knowcoder.config.common import TASK_NAMES, LongConfig, OutputConfig, StyleConfig
from knowcoder.config.keys import MISSING, key


@dataclass
class ClusterConfig:
    """What a worker is given on a cluster."""

    memory: int = key(2, "slurm, ray: memory of a worker", unit="GB", least=1)
    partition: str = key("", "slurm: partition")
    time: str = key("04:00:00", "slurm: time limit of a shard")
    setup: str = key("", "slurm: shell command that makes the environment, such as source .venv/bin/activate")


@dataclass
class SamplesConfig(LongConfig):
    phase: str = key(
        MISSING,
        "which training it is for; refinement names the data set in the instruction; published takes ROWS as they are",
        choices=("understanding", "following", "refinement", "published"),
    )
    schema: str = key("", "schema library", kinds=("schema",))
    corpus: list[str] = key([], "annotated sentences; each corpus keeps its label sets", kinds=("corpus",))
    rows: list[str] = key([], "published: files of training rows", foreign=True)
    split: str = key("train", "split of the corpora")
    tasks: list[str] = key(
        ["NER", "RE", "ED", "EAE"],
        "tasks to build samples for; EAE is told the triggers, EE finds events with their arguments by itself",
        choices=(*TASK_NAMES, "EE"),
    )
    tokenizer: str = key(MISSING, "model folder whose tokenizer counts tokens", foreign=True, kinds=("model",))
    wrapper: str = key("plain", "what stands around a prompt", choices=("plain", "published", "chat"))
    max_length: int = key(2048, "budget of a sample: prompt, completion and end", unit="tokens", least=1)
    style: StyleConfig = field(default_factory=StyleConfig, metadata={"help": "see below"})
    passes: int = key(
        1, "understanding: times that every concept is defined; following: passes over the corpora", least=1
    )
    weights: list[float] = key([], "times that each corpus is taken per pass, 0.5 for half of it; none for once")
    caps: list[int] = key([], "sentences taken of each corpus per pass, at most; 0 for all", unit="sentences")
    instances: str = key(
        "sentence", "understanding: what instance code begins with", choices=("sentence", "import", "whole")
    )
    negatives: float = key(0.2, "following: other classes offered, per gold class, rounded up (paper, 3.2.2)")
    negatives_from: str = key(
        "random",
        "following: other classes are any, first those with the same parent, or first those that CONFUSED names",
        choices=("random", "siblings", "confused"),
    )
    confused: str = key("", "JSON file: class name to the names of classes that are taken for it", foreign=True)
    fully_negative: float = key(0.05, "following: share of sentences offered only classes that they do not have")
    fully_negative_classes: int = key(5, "following: classes offered to those", unit="classes")
    whole: float = key(0.0, "following: share of samples that are offered the whole label set, as at prediction")
    classes_per_prompt: int = key(
        0, "following: classes offered at a time, a sample with more becomes several; 0 offers all", unit="classes"
    )
    drop_descriptions: float = key(0.0, "following: share of samples without descriptions")
    drop_examples: float = key(0.0, "following: share of samples without examples")
    mask_names: float = key(0.0, "following: share of samples whose classes are called Label1, Label2, ...")
    export: list[str] = key(
        [], "write the samples also as other trainers read them", choices=("prompt-completion", "messages")
    )
    seed: int = key(1, "seed of negatives and order")
    executor: str = key("local", "where shards are built", choices=("local", "slurm", "ray"))
    workers: int = key(1, "shards that are built at a time", unit="processes", least=1)
    shard: int = key(20_000, "size of a shard; the samples do not depend on it", unit="sentences", least=1)
    cluster: ClusterConfig = field(default_factory=ClusterConfig, metadata={"help": "see below"})
    dry_run: bool = key(False, "executor=slurm: print the script, and stop")


@dataclass
class PackConfig(OutputConfig):
    samples: list[str] = key(MISSING, "samples to pack together", kinds=("samples",))
    tokenizer: str = key(MISSING, "model folder with the tokenizer", foreign=True, kinds=("model",))
    max_length: int = key(2048, "length of a row", unit="tokens", least=1)
    workers: int = key(1, "processes that tokenize; the rows do not depend on it", unit="processes", least=1)
