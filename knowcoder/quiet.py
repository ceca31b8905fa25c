"""Keeps what libraries say of themselves off the terminal: their progress bars, guesses and deprecations; errors stay.

The command and its ranks call `quiet` before they import a library; programs that import knowcoder are left alone.
"""

from __future__ import annotations

import logging
import os
import warnings

# Read by the libraries when they are imported; what the user has set stays.
_SETTINGS = {
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",  # transformers' bars too: loading weights, writing shards
    "HF_DATASETS_DISABLE_PROGRESS_BARS": "1",
    "TRANSFORMERS_VERBOSITY": "error",
}


def quiet() -> None:
    """Silence the libraries of this process and of those that it starts, and print our own warnings as one line."""
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    warnings.filterwarnings("ignore", category=FutureWarning)
    logging.getLogger("DeepSpeed").addFilter(_no_guess)
    root = logging.getLogger()
    if not root.handlers:
        handler = logging.StreamHandler()
        handler.setLevel(logging.WARNING)
        handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
        root.addHandler(handler)


def _no_guess(record: logging.LogRecord) -> bool:
    """Say whether a record is none of those that tell a machine without GPUs that it has none."""
    return not record.getMessage().startswith("Setting accelerator to CPU")
