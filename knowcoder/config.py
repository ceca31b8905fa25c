"""Every key of every verb: type, unit, default and help; and the way from a command line to a checked object.

The dataclasses below hold the keys; ``configs/VERB.yaml`` and ``experiment=NAME`` only choose values, composed by
Hydra's Compose API, so that neither launchers nor ranks can resolve them twice. ``key=value`` words come last; text
is taken literally: commas, quotes, brackets and ``=`` need no escaping.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias, get_type_hints

from knowcoder.errors import ConfigError

MISSING = "???"
Names: TypeAlias = list[str]
TASK_NAMES = ("NER", "RE", "ED", "EAE")


def key(
    default: Any,
    help: str,
    *,
    unit: str = "",
    choices: Sequence[str] = (),
    kinds: Sequence[str] = (),
    foreign: bool = False,
    least: float | None = 0,
) -> Any:
    """Declare a key.

    Args:
        default: its value where nothing else is said; ``MISSING`` where the user must say.
        help: one line for ``--help``.
        unit: what the value counts, such as "tokens".
        choices: the values accepted, where they are few.
        kinds: for an input, the artefact kinds accepted.
        foreign: for an input, whether files that no stage wrote are accepted too.
        least: the least number accepted, None for any.
    """
    meta: dict[str, Any] = {"help": help, "unit": unit, "choices": tuple(choices), "kinds": tuple(kinds)}
    meta |= {"foreign": foreign, "least": least}
    if isinstance(default, list):
        return field(default_factory=lambda: list(default), metadata=meta)
    return field(default=default, metadata=meta)


def _parallel(pp: int, processes: int) -> Any:
    return field(default_factory=lambda: ParallelConfig(pp=pp, processes=processes), metadata={"help": "see below"})


@dataclass
class ParallelConfig:
    """How the work is spread over processes."""

    pp: int = key(1, "pipeline stages: the layers are cut into so many parts", unit="stages", least=1)
    processes: int = key(
        0, "processes on this machine; 0 takes one per GPU, or pp where there is none", unit="processes"
    )


@dataclass
class LoraConfig:
    """Low-rank adapters (paper, section 4)."""

    rank: int = key(32, "rank of the update", least=1)
    alpha: float = key(64.0, "scale of the update is alpha / rank")
    dropout: float = key(0.1, "dropout before the adapter", unit="probability")


@dataclass
class StyleConfig:
    """How schemas and answers are written as code."""

    dialect: str = key(
        "clean", "clean: valid typed Python; released: the published bytes", choices=("clean", "released")
    )
    descriptions: bool = key(True, "print descriptions in docstrings")
    examples: int = key(10, "examples printed per class, at most", unit="examples")
    parents: str = key(
        "nearest",
        "a parent outside the prompt is replaced by the nearest ancestor in it, defined, or imported",
        choices=("nearest", "define", "import"),
    )
    hints: bool = key(True, "print the types of heads, tails and roles")


@dataclass
class OutputConfig:
    """Keys that every stage which writes shares."""

    output: str = key(MISSING, "folder to write")
    overwrite: bool = key(False, "replace an existing output, keeping the old one until the new one is whole")


@dataclass
class LongConfig(OutputConfig):
    """Keys of stages that can be cut off and continued."""

    resume: bool = key(False, "continue an output that was cut off")


@dataclass
class WorldConfig(OutputConfig):
    seed: int = key(1, "seed of names, facts and sentences")
    sentences: int = key(20000, "training sentences", unit="sentences")
    test_sentences: int = key(400, "held-out sentences, a quarter in each cell of seen and unseen", unit="sentences")


@dataclass
class SchemaConfig(OutputConfig):
    output: str = key("", "folder to write; not needed where the stage only prints")
    source: str = key("json", "what INPUT is", choices=("wikidata", "kgtk", "python", "json"))
    input: str = key("", "file or folder to read", foreign=True)
    benchmark: list[str] = key([], "take the types of these benchmarks (names in configs/benchmark, or YAML files)")
    language: str = key("en", "language of labels and descriptions")
    show: str = key("", "print the concept of this name in an existing library (schema=DIR) instead of writing")
    schema: str = key("", "library that show looks in", kinds=("schema",))
    merge: list[str] = key([], "libraries to unite with this one, whose names and hints stay", kinds=("schema",))
    only_for: list[str] = key(
        [], "corpora: keep the types that they offer, with all that those inherit from and name", kinds=("corpus",)
    )


@dataclass
class CorpusConfig(OutputConfig):
    output: str = key("", "folder to write; not needed where the stage only prints")
    benchmark: Names = key([], "names in configs/benchmark, or YAML files like those; without any, format says it")
    train_on_dev: Names = key([], "benchmarks whose development text becomes training text")
    format: str = key("columns", "family of format of INPUT", choices=("columns", "triples"))
    input: str = key("", "file or folder to read", foreign=True)
    source: str = key("corpus", "name of the data set, for a file that is no benchmark")
    split: str = key("train", "split that the file becomes, for a file that is no benchmark")
    language: str = key("en", "language of the text")
    schema: str = key("", "triples: library with their relations", kinds=("schema",))
    separator: str = key("\t", "columns: what stands between columns")
    token_column: int = key(0, "columns: index of the token", least=None)
    tag_column: int = key(-1, "columns: index of the tag", least=None)
    scheme: str = key("BIO", "columns: tagging scheme", choices=("BIO", "IO", "IOB1", "BILOU", "BMES"))
    joiner: str = key(" ", "columns: what stands between tokens in the text; empty for characters")
    list: bool = key(False, "print the benchmarks that are known, and stop")


@dataclass
class EnrichConfig(OutputConfig):
    schema: str = key(MISSING, "library to enrich", kinds=("schema",))
    corpus: str = key(MISSING, "annotated sentences", kinds=("corpus",))
    exclude: list[str] = key([], "corpora whose dev and test mentions must not become examples", kinds=("corpus",))
    examples: int = key(10, "examples kept per type, at most", unit="examples")


@dataclass
class InitConfig(OutputConfig):
    config: str = key("tiny-llama", "architecture: a name in configs/model, or a folder with config.json")
    schema: str = key("", "library whose code the tokenizer is trained on", kinds=("schema",))
    corpus: list[str] = key([], "sentences that the tokenizer is trained on", kinds=("corpus",))
    sentences: int = key(3000, "sentences taken from each corpus, at most", unit="sentences")
    vocab_size: int = key(2048, "size of the vocabulary to train", unit="pieces", least=1)
    tokenizer: str = key("", "take this tokenizer instead of training one", foreign=True, kinds=("model",))
    seed: int = key(1, "seed of the weights")


@dataclass
class SamplesConfig(OutputConfig):
    phase: str = key(MISSING, "which training it is for", choices=("understanding", "following", "refinement"))
    schema: str = key(MISSING, "schema library", kinds=("schema",))
    corpus: str = key("", "annotated sentences", kinds=("corpus",))
    split: str = key("train", "split of the corpus")
    tasks: list[str] = key(["NER", "RE", "ED", "EAE"], "tasks to build samples for", choices=TASK_NAMES)
    tokenizer: str = key(MISSING, "model folder whose tokenizer counts tokens", foreign=True, kinds=("model",))
    wrapper: str = key("plain", "what stands around a prompt", choices=("plain", "published", "chat"))
    max_length: int = key(2048, "budget of a sample: prompt, completion and end", unit="tokens", least=1)
    style: StyleConfig = field(default_factory=StyleConfig, metadata={"help": "see below"})
    passes: int = key(
        1, "understanding: times that every concept is defined; following: passes over the corpus", least=1
    )
    negatives: float = key(0.2, "following: other classes offered, per gold class, rounded up (paper, 3.2.2)")
    fully_negative: float = key(0.05, "following: share of sentences offered only classes that they do not have")
    fully_negative_classes: int = key(5, "following: classes offered to those", unit="classes")
    whole: float = key(0.0, "following: share of samples that are offered the whole label set, as at prediction")
    seed: int = key(1, "seed of negatives and order")


@dataclass
class PackConfig(OutputConfig):
    samples: list[str] = key(MISSING, "samples to pack together", kinds=("samples",))
    tokenizer: str = key(MISSING, "model folder with the tokenizer", foreign=True, kinds=("model",))
    max_length: int = key(2048, "length of a row", unit="tokens", least=1)


@dataclass
class ConvertConfig(OutputConfig):
    to: str = key(MISSING, "direction", choices=("pipeline", "hf"))
    model: str = key("", "to=pipeline: Hugging Face model folder", foreign=True, kinds=("model",))
    checkpoint: str = key("", "to=hf: pipeline checkpoint", foreign=True, kinds=("pretrain", "checkpoint"))


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
    log_to: list[str] = key(
        [], "further records; wandb stays offline unless logged in", choices=("tensorboard", "wandb")
    )
    dry_run: bool = key(False, "print the command that would start the processes, and stop")


@dataclass
class PretrainConfig(TrainConfig):
    parallel: ParallelConfig = _parallel(pp=1, processes=0)
    activation_checkpointing: int = key(0, "recompute activations every so many layers; 0 keeps them", unit="layers")


@dataclass
class SftConfig(TrainConfig):
    tuning: str = key("lora", "what is trained", choices=("full", "lora"))
    lora: LoraConfig = field(default_factory=LoraConfig, metadata={"help": "see below"})
    deepspeed: str = key(
        "none", "how optimizer states, gradients and weights are sharded", choices=("none", "zero1", "zero2", "zero3")
    )
    parallel: ParallelConfig = _parallel(pp=1, processes=0)
    gradient_checkpointing: bool = key(False, "recompute activations in the backward pass")


@dataclass
class MergeConfig(OutputConfig):
    model: str = key(MISSING, "base model", foreign=True, kinds=("model",))
    adapter: str = key(MISSING, "adapter made by sft, or by peft", foreign=True, kinds=("adapter",))
    dtype: str = key("", "number format of the result; empty keeps the base's", choices=("", "fp32", "bf16", "fp16"))


@dataclass
class PredictConfig(LongConfig):
    model: str = key("", "model to ask; not for method=dictionary", foreign=True, kinds=("model",))
    method: str = key(
        "model",
        "the model; as baselines, the same model with random weights, or a dictionary of the training mentions",
        choices=("model", "random", "dictionary"),
    )
    schema: str = key(MISSING, "schema library", kinds=("schema",))
    corpus: str = key(MISSING, "sentences; every one is offered the whole label set of its source", kinds=("corpus",))
    split: str = key("test", "split of the corpus")
    training_split: str = key("train", "method=dictionary: split that mentions are learnt from")
    tasks: list[str] = key(["NER", "RE", "ED", "EAE"], "tasks to predict", choices=TASK_NAMES)
    decoding: str = key(
        "auto", "constrained by a grammar where the engine can, or free", choices=("auto", "constrained", "free")
    )
    classes_per_prompt: int = key(0, "classes offered at a time; 0 offers as many as fit", unit="classes")
    max_new_tokens: int = key(640, "longest answer", unit="tokens", least=1)
    max_items: int = key(32, "objects in one answer under a grammar, at most", unit="objects", least=1)
    batch_size: int = key(32, "prompts at a time", unit="prompts", least=1)
    limit: int = key(0, "sentences to predict, 0 for all", unit="sentences")


@dataclass
class ScoreConfig(OutputConfig):
    predictions: list[str] = key(
        MISSING, "predictions; the first is the headline, others stand beside it", kinds=("predictions",)
    )
    gold: str = key(MISSING, "annotated sentences", kinds=("corpus",))
    schema: str = key(MISSING, "schema library", kinds=("schema",))
    split: str = key("test", "split of the corpus")
    limit: int = key(0, "sentences that were predicted, 0 for all", unit="sentences")
    seed: int = key(1, "seed of the bootstrap")


@dataclass
class ExtractConfig:
    model: str = key(MISSING, "model folder", foreign=True, kinds=("model",))
    schema: str = key(MISSING, "schema library", kinds=("schema",))
    text: str = key(MISSING, "what to extract from")
    classes: list[str] = key([], "class names to look for; empty takes the whole library")
    decoding: str = key("auto", "constrained by a grammar, or free", choices=("auto", "constrained", "free"))


@dataclass
class PlanConfig:
    of: str = key(MISSING, "verb to plan; its own keys follow", choices=("pretrain", "sft"))


@dataclass
class RunConfig:
    recipe: str = key(MISSING, "name in configs/recipe, or a path to a recipe file")
    size: str = key("full", "smoke runs the same stages and code in about a minute", choices=("full", "smoke"))
    output: str = key(
        "", "folder of the run; empty: outputs/RECIPE, and the size and phase1=false where they are chosen"
    )
    data_root: str = key("", "where the recipe's corpora lie", foreign=True)
    model: str = key("", "start from this model instead of a small new one", foreign=True)
    phase1: bool = key(True, "train schema understanding first; false gives its tokens to phase 2")
    dry_run: bool = key(False, "print the stages and their keys, and stop")


@dataclass
class EnvConfig:
    """`env` has no keys."""


VERB_KEYS: dict[str, type] = {
    "world": WorldConfig,
    "schema": SchemaConfig,
    "corpus": CorpusConfig,
    "enrich": EnrichConfig,
    "init": InitConfig,
    "samples": SamplesConfig,
    "pack": PackConfig,
    "convert": ConvertConfig,
    "plan": PlanConfig,
    "pretrain": PretrainConfig,
    "sft": SftConfig,
    "merge": MergeConfig,
    "predict": PredictConfig,
    "score": ScoreConfig,
    "extract": ExtractConfig,
    "run": RunConfig,
    "env": EnvConfig,
}


@dataclass(frozen=True)
class Key:
    """One key as the command line sees it: ``name`` is dotted, ``type`` a plain type."""

    name: str
    type: type
    default: Any
    help: str
    unit: str = ""
    choices: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    foreign: bool = False
    least: float | None = 0

    @property
    def is_input(self) -> bool:
        return bool(self.kinds) or self.foreign

    @property
    def kind(self) -> str:
        """What its value is, in a user's words."""
        words = {"str": "text", "int": "whole number", "float": "number", "bool": "true or false"}
        return words.get(getattr(self.type, "__name__", ""), "list")


def configs_dir() -> Path:
    """The folder of YAML files: beside the package in a clone, inside it in an installed wheel."""
    here = Path(__file__).resolve().parent
    return next(d for d in (here / "configs", here.parent / "configs") if d.is_dir())


def keys_of(config_type: type, prefix: str = "") -> list[Key]:
    """All keys of a configuration dataclass, nested ones dotted."""
    types = get_type_hints(config_type)
    found: list[Key] = []
    for item in dataclasses.fields(config_type):
        kind = types[item.name]
        if dataclasses.is_dataclass(kind):
            found += keys_of(kind, f"{prefix}{item.name}.")  # type: ignore[arg-type]
        else:
            default = item.default_factory() if callable(item.default_factory) else item.default
            found.append(Key(prefix + item.name, kind, default, **item.metadata))
    return found


def load(verb: str, overrides: Sequence[str]) -> Any:
    """The checked configuration of a verb: dataclass defaults, then YAML, then overrides.

    Raises:
        ConfigError: an unknown or malformed key, a value of the wrong type, a missing key.
    """
    keys = {k.name: k for k in keys_of(VERB_KEYS[verb])}
    given: dict[str, str] = {}
    for override in overrides:
        name, sign, value = override.partition("=")
        if not sign:
            raise ConfigError(f"{override!r} is not key=value; see knowcoder {verb} --help")
        if name not in keys and name != "experiment":
            raise ConfigError(_unknown(verb, name, keys))
        given[name] = value
    return _check(_compose(verb, given, keys), keys)


def as_overrides(values: Mapping[str, Any]) -> list[str]:
    """Keys and values as ``key=value`` words."""
    return [f"{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in values.items()]


def changed(settings: Any, besides: Collection[str] = ()) -> list[str]:
    """The keys that differ from their defaults, and those named ``besides``, as ``key=value`` words."""
    values = {k.name: (value_of(settings, k.name), k.default) for k in keys_of(type(settings))}
    return as_overrides(
        {name: value for name, (value, default) in values.items() if value != default or name in besides}
    )


def _unknown(verb: str, name: str, keys: Mapping[str, Key]) -> str:
    if name[:1] in "+~":
        return f"{name}: keys cannot be added or removed here; write {name.lstrip('+~')}=value"
    near = difflib.get_close_matches(name, keys, n=1)
    hint = f"did you mean {near[0]}?" if near else f"see knowcoder {verb} --help"
    return f"unknown key {name!r}; {hint}"


def _compose(verb: str, given: dict[str, str], keys: Mapping[str, Key]) -> Any:
    """Compose defaults, YAML and the experiment with Hydra, then lay the given keys over them.

    The keys themselves do not pass through Hydra, which would read one that is called like a folder of
    ``configs`` (model, benchmark) as a choice of file.
    """
    from hydra import compose, initialize_config_dir
    from hydra.core.config_store import ConfigStore
    from hydra.errors import HydraException
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    ConfigStore.instance().store(name=f"{verb}_keys", node=VERB_KEYS[verb])
    experiment = [f"experiment={_preset(given.pop('experiment'))}"] if "experiment" in given else []
    try:
        with initialize_config_dir(str(configs_dir()), version_base="1.3"):
            composed = compose(verb, overrides=experiment)
        for name, value in given.items():
            literal = keys[name].type is str
            try:
                OmegaConf.update(composed, name, value.replace("${", "\\${") if literal else _yaml(value))
            except (OmegaConfBaseException, YAMLError) as error:
                example = f", such as {name}=[a,b]" if keys[name].kind == "list" else ""
                raise ConfigError(f"{name}={value}: must be a {keys[name].kind}{example}") from error
        missing = sorted(OmegaConf.missing_keys(composed))
        if not missing:
            return OmegaConf.to_object(composed)
    except (HydraException, OmegaConfBaseException, YAMLError) as error:
        cause = error.__cause__ or error
        raise ConfigError(" ".join(str(cause).split())) from error
    raise ConfigError(f"missing {', '.join(f'{name}=' for name in missing)}; see knowcoder {verb} --help")


def _preset(name: str) -> str:
    """The name of an experiment, which Hydra would pass over in silence where there is none."""
    known = sorted(path.stem for path in (configs_dir() / "experiment").glob("*.yaml"))
    if name not in known:
        raise ConfigError(f"experiment={name}: no such file in configs/experiment; known are {known}")
    return name


def _yaml(value: str) -> Any:
    """A number, a truth value or a list as YAML writes it."""
    from omegaconf import OmegaConf

    return OmegaConf.to_container(OmegaConf.create(f"value: {value}"))["value"]  # type: ignore[index, call-overload]


def _check(config: Any, keys: Mapping[str, Key]) -> Any:
    """Refuse values outside the choices, numbers that are too small, and required lists that are empty."""
    for name, item in keys.items():
        value = value_of(config, name)
        values = value if isinstance(value, list) else [value]
        if item.choices and not set(values) <= set(item.choices):
            raise ConfigError(f"{name}={value}: must be one of {', '.join(c or repr(c) for c in item.choices)}")
        if item.default == MISSING and not values:
            raise ConfigError(f"{name}=[]: is empty; give at least one")
        for number in values:
            if isinstance(number, int | float) and item.least is not None and number < item.least:
                raise ConfigError(f"{name}={number}: must be at least {item.least}")
    return config


def value_of(config: Any, name: str) -> Any:
    """The value of a dotted key."""
    for part in name.split("."):
        config = getattr(config, part)
    return config


def inputs_of(config: Any) -> dict[str, str]:
    """The inputs that a configuration names: dotted key (with an index in a list) to path."""
    found: dict[str, str] = {}
    for item in keys_of(type(config)):
        if item.is_input:
            value = value_of(config, item.name)
            if isinstance(value, list):
                found |= {f"{item.name}[{i}]": path for i, path in enumerate(value)}
            elif value:
                found[item.name] = value
    return found
