"""Reading a checkpoint with another cut into stages and ranks than it was written with.

DeepSpeed's universal checkpoint holds every parameter and its optimizer state as one whole tensor. It is made in a
process of its own, `python -m knowcoder.train.universal CHECKPOINT OUTPUT`, whose workers read the ranks' files side by
side.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from knowcoder.errors import ModelError
from knowcoder.train.checkpoints import UNIVERSAL

_WORKERS = 8
_MOST_GROUPS = 8  # of parameters, on a stage: DeepSpeed reads as many as the checkpoint tells of
#: For a checkpoint: tied weights are the same on every stage that holds them, so the first stage's are taken.
INFORMATION = {
    "universal_checkpoint_info": {
        "universal_checkpoint_version": 0.4,
        "pipeline_replicated_parameter_patterns": [r"^tied_modules\."],
    }
}


def make_universal(checkpoint: Path) -> Path:
    """Write the universal form of a checkpoint beside it and return the folder; `checkpoints.sweep` removes it.

    Raises:
        ModelError: it cannot be made, with what the converter said.
    """
    output = checkpoint.parent / UNIVERSAL / checkpoint.name
    shutil.rmtree(output.parent, ignore_errors=True)
    words = [sys.executable, "-m", __name__, str(checkpoint), str(output)]
    environment = {name: value for name, value in os.environ.items() if name not in ("RANK", "LOCAL_RANK")}
    done = subprocess.run(
        words, env=environment | {"CUDA_VISIBLE_DEVICES": "", "DS_ACCELERATOR": "cpu"}, capture_output=True, text=True
    )
    if done.returncode:
        shutil.rmtree(output.parent, ignore_errors=True)
        last = (done.stderr.strip() or "no message").splitlines()[-1]
        raise ModelError(
            f"{checkpoint}: cannot be read for another number of stages or processes ({last}); resume with those that "
            "it was written with"
        )
    return output


def main(checkpoint: str, output: str) -> None:
    """Convert."""
    from deepspeed.checkpoint import ds_to_universal

    from knowcoder.train.writer import CLASSES

    # The converter would run whatever a file says.
    load = torch.load
    torch.serialization.add_safe_globals(CLASSES)
    torch.load = lambda *arguments, **settings: load(*arguments, **(settings | {"weights_only": True}))
    # Muon has no second average: an empty tensor has no part that a parameter could be given.
    dump = ds_to_universal.dump_param_fragment

    def dump_filled(folder: Any, tp: Any, dp: Any, state: str, flat: Any, *fragment: Any) -> None:
        if not (torch.is_tensor(flat) and flat.dim() and not flat.numel()):
            dump(folder, tp, dp, state, flat, *fragment)

    ds_to_universal.dump_param_fragment = dump_filled
    workers = min(_WORKERS, os.cpu_count() or 1)
    ds_to_universal.main(
        argparse.Namespace(
            input_folder=checkpoint,
            output_folder=output,
            num_extract_workers=workers,
            num_merge_workers=workers,
            keep_temp_folder=False,
            strict=True,
            inject_missing_state=False,
        )
    )
    # It tells the settings of the first stage's groups of parameters; other stages have other groups, and their own.
    path = Path(output) / "zero" / "optimizer_state.pt"
    torch.save(load(path, weights_only=True) | {"param_groups": [{}] * _MOST_GROUPS}, path)


if __name__ == "__main__":
    main(*sys.argv[1:])
