"""Errors that a user can mend: the command line prints them as one line and exits with their code."""

from __future__ import annotations


class KnowcoderError(Exception):
    """Something a user did or gave is wrong. The message says what, where, and the remedy."""

    #: Exit code of the command.
    code = 2


class ConfigError(KnowcoderError):
    """A key or value on the command line or in a YAML file is wrong."""


class ArtefactError(KnowcoderError):
    """A stage was given a folder of the wrong kind, an incomplete one, or one that already exists."""


class DataError(KnowcoderError):
    """A file that was read is malformed. The message names file, line and value."""


class ModelError(KnowcoderError):
    """A model, tokenizer or checkpoint does not fit what is asked of it."""


class TrainingError(KnowcoderError):
    """A training run ended before its last step. The message says where its logs are and how to go on."""


class StoppedError(TrainingError):
    """A signal ended a run after it had saved a checkpoint; exits with 75, which says: try again."""

    code = 75
