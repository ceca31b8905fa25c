"""One function per verb: check the inputs, call the package that does the work, write the artefact.

Heavy imports stand inside the functions, so that the command and the light verbs start without torch.
"""

from knowcoder.stages.answers import extract, predict
from knowcoder.stages.corpus import corpus, world
from knowcoder.stages.enrich import enrich
from knowcoder.stages.environment import env
from knowcoder.stages.models import convert, init, merge
from knowcoder.stages.samples import pack, samples
from knowcoder.stages.schema import schema
from knowcoder.stages.score import score, score_table
from knowcoder.stages.shared import checked_inputs
from knowcoder.stages.training import plan, pretrain, sft

__all__ = [
    "checked_inputs",
    "convert",
    "corpus",
    "enrich",
    "env",
    "extract",
    "init",
    "merge",
    "pack",
    "plan",
    "predict",
    "pretrain",
    "samples",
    "schema",
    "score",
    "score_table",
    "sft",
    "world",
]
