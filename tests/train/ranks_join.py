"""Run by torchrun: every rank joins a pre-training run as if the cluster had started the verb itself."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import msgspec

from knowcoder.config import PretrainConfig
from knowcoder.train.launch import join

settings = msgspec.convert(json.loads(Path(sys.argv[1]).read_text()), PretrainConfig)
join("pretrain", "pretrain", settings, {"model": settings.model, "data": settings.data})
