"""Run by torchrun: builds every rank's stage from several folders, and says what it read of their files."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import torch.distributed as dist

from knowcoder.config import ParallelConfig, PretrainConfig
from knowcoder.train import stage
from knowcoder.train.pipeline import Piece
from knowcoder.train.process_group import start_process_group

opened = []
weights_of = stage.weights_of


def keep(*arguments: object) -> object:
    """Keep the files mapped, so that it can be seen which of their pages were touched."""
    opened.append(weights_of(*arguments))
    return opened[-1]


def resident(folder: str) -> int:
    """Bytes of the files in a folder that this process has in memory."""
    total, inside = 0, False
    for line in Path("/proc/self/smaps").read_text().splitlines():
        if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
            inside = folder in line
        elif inside and line.startswith("Rss:"):
            total += 1024 * int(line.split()[1])
    return total


start_process_group()
stage.weights_of = keep
found = {}
for folder in json.loads(sys.argv[1]):
    config = PretrainConfig(model=folder, data="", precision="fp32", parallel=ParallelConfig(pp=2))
    module, _ = stage.build_pipeline(Path(folder), config)
    pieces = [piece for piece in module.modules() if isinstance(piece, Piece)]
    tensors = {
        f"{piece.piece} {name}": tensor.sum().item() for piece in pieces for name, tensor in piece.state_dict().items()
    }
    found[folder] = {"pieces": [piece.piece for piece in pieces], "sums": tensors, "resident": resident(folder)}
Path(sys.argv[2], f"rank-{dist.get_rank()}.json").write_text(json.dumps(found))
dist.barrier()
