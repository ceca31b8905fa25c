"""What a predictor says about one sentence and task: a line of ``predictions.jsonl``, which scoring reads."""

from __future__ import annotations

from dataclasses import dataclass, field

from knowcoder.corpus.locate import Alignment
from knowcoder.corpus.sentence import Annotations
from knowcoder.schema.concepts import Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The raw answer to one prompt.

    Attributes:
        prompt_hash: first 16 hexadecimal digits of the SHA-256 of the bare prompt.
        tokens: number of generated tokens, EOS not counted.
    """

    prompt_hash: str
    text: str
    tokens: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Prediction:
    """One (sentence, task): what was found, what went wrong on the way, and the raw answers.

    Attributes:
        id: the sentence's id; with ``task`` it is matched to gold.
        source, group: copied from the sentence, for breakdowns.
        annotations: the united annotations of all prompts, with offsets where the text has the mention.
        alignment: how each mention of ``annotations`` stands in the text, in the order of ``mentions()``; empty where
            a predictor does not say.
        problems: the parser's problems, in words; empty where every answer parsed whole.
        not_offered: what the answers say of classes that their prompts did not offer: scored as mistakes.
        answers: one for each batch of classes; empty for a predictor that writes no text.
    """

    id: str
    task: Task
    source: str = ""
    group: str = ""
    annotations: Annotations = field(default_factory=Annotations)
    alignment: tuple[Alignment, ...] = ()
    problems: tuple[str, ...] = ()
    answers: tuple[Answer, ...] = ()
    not_offered: Annotations = field(default_factory=Annotations)
