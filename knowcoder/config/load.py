"""From a command line to a checked object.

The dataclasses hold the keys; ``configs/VERB.yaml`` and ``experiment=NAME`` only choose values, composed by
Hydra's Compose API, so that neither launchers nor ranks can resolve them twice. ``key=value`` words come last;
text is taken literally: commas, quotes, brackets and ``=`` need no escaping.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from knowcoder.config.answers import ExtractConfig, PredictConfig
from knowcoder.config.corpus import CorpusConfig
from knowcoder.config.enrich import EnrichConfig
from knowcoder.config.keys import MISSING, Key, keys_of, value_of
from knowcoder.config.models import ConvertConfig, InitConfig, MergeConfig
from knowcoder.config.run import EnvConfig, RunConfig
from knowcoder.config.samples import PackConfig, SamplesConfig
from knowcoder.config.schema import SchemaConfig, WorldConfig
from knowcoder.config.score import ScoreConfig
from knowcoder.config.training import PlanConfig, PretrainConfig, SftConfig
from knowcoder.errors import ConfigError

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
#: Folders of `configs` with sets of values that a word chooses by name.
PRESETS = ("experiment", "cluster")


def configs_dir() -> Path:
    """The folder of YAML files: beside the package in a clone, inside it in an installed wheel."""
    here = Path(__file__).resolve().parents[1]
    return next(d for d in (here / "configs", here.parent / "configs") if d.is_dir())


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
        if name not in keys and not _is_preset(name, keys):
            raise ConfigError(_unknown(verb, name, keys))
        given[name] = value
    return _check(_compose(verb, given, keys), keys)


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
    presets = [f"{name}={_preset(name, given.pop(name))}" for name in PRESETS if name in given and name not in keys]
    try:
        with initialize_config_dir(str(configs_dir()), version_base="1.3"):
            composed = compose(verb, overrides=presets)
        for name, value in given.items():
            try:
                OmegaConf.update(composed, name, _value(value, keys[name]))
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


def _is_preset(name: str, keys: Mapping[str, Key]) -> bool:
    """Whether a word names a preset: an experiment, or machines for a verb that has keys of them."""
    return name == "experiment" or (name in PRESETS and any(key.startswith(f"{name}.") for key in keys))


def _preset(group: str, name: str) -> str:
    """The name of a preset; Hydra would pass one that is not there over in silence."""
    known = sorted(path.stem for path in (configs_dir() / group).glob("*.yaml"))
    if name not in known:
        raise ConfigError(f"{group}={name}: no such file in configs/{group}; known are {known}")
    return name


def _value(value: str, key: Key) -> Any:
    """What a word means: text literally, a list of one without its brackets, all else as YAML writes it."""
    literal = value.replace("${", "\\${")
    if key.kind == "list" and not value.startswith("["):
        return [literal]
    return literal if key.type is str else _yaml(value)


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
