"""Every key of every verb, and the way from a command line to a checked configuration."""

from knowcoder.config.answers import ExtractConfig, PredictConfig
from knowcoder.config.common import TASK_NAMES, LongConfig, OutputConfig, StyleConfig
from knowcoder.config.corpus import CorpusConfig
from knowcoder.config.enrich import EnrichConfig
from knowcoder.config.keys import MISSING, Key, as_overrides, changed, inputs_of, keys_of, value_of
from knowcoder.config.load import VERB_KEYS, configs_dir, load
from knowcoder.config.models import ConvertConfig, InitConfig, MergeConfig
from knowcoder.config.run import EnvConfig, RunConfig
from knowcoder.config.samples import PackConfig, SamplesConfig
from knowcoder.config.schema import SchemaConfig, WorldConfig
from knowcoder.config.score import ScoreConfig
from knowcoder.config.training import (
    ClusterConfig,
    LoraConfig,
    ParallelConfig,
    PlanConfig,
    PretrainConfig,
    SftConfig,
    TrainConfig,
)

__all__ = [
    "MISSING",
    "TASK_NAMES",
    "VERB_KEYS",
    "ClusterConfig",
    "ConvertConfig",
    "CorpusConfig",
    "EnrichConfig",
    "EnvConfig",
    "ExtractConfig",
    "InitConfig",
    "Key",
    "LongConfig",
    "LoraConfig",
    "MergeConfig",
    "OutputConfig",
    "PackConfig",
    "ParallelConfig",
    "PlanConfig",
    "PredictConfig",
    "PretrainConfig",
    "RunConfig",
    "SamplesConfig",
    "SchemaConfig",
    "ScoreConfig",
    "SftConfig",
    "StyleConfig",
    "TrainConfig",
    "WorldConfig",
    "as_overrides",
    "changed",
    "configs_dir",
    "inputs_of",
    "keys_of",
    "load",
    "value_of",
]
