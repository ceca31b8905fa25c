"""What stands where in a pipeline checkpoint.

A pipeline checkpoint is a folder with `latest`, a DeepSpeed folder of that name (`step100/layer_XX-model_states.pt` and
more), and the model's `config.json` and tokenizer beside them, so that the way back needs nothing else. The published
layout (`global_step001/layer_XX-model_00-model_states.pt`) is read too.
"""

from __future__ import annotations

from pathlib import Path

from knowcoder.checkpoint.init import copy_tokenizer
from knowcoder.errors import ModelError

LATEST = "latest"
#: Half of the published layouts write the place on the tensor-parallel axis into the name.
LAYER_NAMES = ("layer_{:02d}-model_states.pt", "layer_{:02d}-model_00-model_states.pt")
LAYER_FILES = "layer_*-model_states.pt"


def find_step(checkpoint_dir: Path) -> tuple[Path, Path]:
    """Return the folder with configuration and tokenizer, and the step's folder with the weights.

    Raises:
        ModelError: it is not a pipeline checkpoint.
    """
    if (checkpoint_dir / LATEST).is_file():
        step = checkpoint_dir / (checkpoint_dir / LATEST).read_text().strip()
        if not step.is_dir():
            raise ModelError(f"{checkpoint_dir / LATEST}: names {step.name}, which is not there")
        return checkpoint_dir, step
    if any(checkpoint_dir.glob(LAYER_FILES)):
        return checkpoint_dir.parent, checkpoint_dir
    raise ModelError(f"{checkpoint_dir}: not a pipeline checkpoint: neither {LATEST} nor {LAYER_FILES} in it")


def is_pipeline(folder: Path) -> bool:
    """Say whether a folder is a pipeline checkpoint rather than a Hugging Face model."""
    return (folder / LATEST).is_file() or any(folder.glob(LAYER_FILES))


def model_root(folder: Path) -> Path:
    """Return where a model folder of either form has its configuration and tokenizer."""
    return find_step(folder)[0] if is_pipeline(folder) else folder


def layer_path(step: Path, piece: int) -> Path:
    """Return the file of a piece, as the pipeline engine names it."""
    return step / LAYER_NAMES[0].format(piece)


def write_latest(folder: Path, name: str) -> None:
    """Make `name` the step that is read, atomically."""
    partial = folder / (LATEST + ".partial")
    partial.write_text(name)
    partial.replace(folder / LATEST)


def copy_model_files(source: Path, target: Path) -> None:
    """Copy configuration, tokenizer and generation settings, byte for byte."""
    (target / "config.json").write_bytes((source / "config.json").read_bytes())
    copy_tokenizer(source, target)
