"""On flat BIO data the counts are those of the scorers that the field has used: conlleval, seqeval, nervaluate."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest
from conlleval import evaluate
from nervaluate.evaluator import Evaluator

from knowcoder.corpus.sentence import Annotations, LabelSet, Mention, Sentence
from knowcoder.score.metrics import Metrics, score
from knowcoder.score.prediction import Prediction

TYPES = ("LOC", "ORG", "PER")
SEEDS = range(6)
#: Counts of seqeval 1.2.2 with mode="strict", scheme=IOB2, on ``tagged`` of each seed.
SEQEVAL = json.loads(Path(__file__).with_name("seqeval_counts.json").read_text())


def tagged(seed: int) -> tuple[list[list[str]], list[list[str]]]:
    """Made-up gold tags, and predictions that go wrong in every way that BIO allows."""
    drawn = random.Random(seed)
    gold, said = [], []
    for _ in range(30):
        row = _tags(drawn, drawn.randint(1, 14))
        other = _tags(drawn, len(row))
        cut = drawn.randint(0, len(row))
        mixed = row[:cut] + other[cut:]
        gold.append(row)
        said.append([_begun(mixed, place) for place in range(len(mixed))])
    return gold, said


def _tags(drawn: random.Random, length: int) -> list[str]:
    tags: list[str] = []
    while len(tags) < length:
        if drawn.random() < 0.5:
            tags.append("O")
        else:
            name = drawn.choice(TYPES)
            tags += [f"B-{name}", *[f"I-{name}"] * drawn.randint(0, 2)]
    return tags[:length]


def _begun(tags: list[str], place: int) -> str:
    """A tag, with B where nothing of its type stands before it: all scorers agree only on whole BIO."""
    tag = tags[place]
    if tag.startswith("I-") and (place == 0 or tags[place - 1][1:] != tag[1:]):
        return "B" + tag[1:]
    return tag


def _sentence(number: int, tags: list[str]) -> Sentence:
    words = [f"w{place % 3}" for place in range(len(tags))]  # words that repeat: offsets must tell them apart
    mentions, place = [], 0
    while place < len(tags):
        end = place + 1
        if tags[place] != "O":
            while end < len(tags) and tags[end] == "I" + tags[place][1:]:
                end += 1
            text = " ".join(words[place:end])
            mentions.append(Mention(tags[place][2:], text, 3 * place, 3 * place + len(text)))
        place = end
    return Sentence(id=str(number), text=" ".join(words), source="x", tasks=("NER",), entities=tuple(mentions))


def _ours(gold: list[list[str]], said: list[list[str]]) -> Metrics:
    predictions = [
        Prediction(id=str(number), task="NER", annotations=Annotations(_sentence(number, tags).entities))
        for number, tags in enumerate(said)
    ]
    sentences = [_sentence(number, tags) for number, tags in enumerate(gold)]
    return score(sentences, predictions, {"x": LabelSet(entities=TYPES)})


@pytest.mark.parametrize("seed", SEEDS)
def test_counts_are_those_of_the_others(seed: int) -> None:
    gold, said = tagged(seed)
    ours = _ours(gold, said).tasks["NER"].columns["strict_offsets"]
    assert min(ours.tp, ours.fp, ours.fn) > 5

    lines = []
    for row, other in zip(gold, said, strict=True):
        lines += [*(f"w {tag} {guess}" for tag, guess in zip(row, other, strict=True)), ""]
    chunks = evaluate(lines)["overall"]["chunks"]["stats"]
    assert {"correct": ours.tp, "pred": ours.tp + ours.fp, "gold": ours.tp + ours.fn} == chunks
    strict = Evaluator(gold, said, tags=list(TYPES), loader="list").evaluate()["overall"]["strict"]
    assert (ours.tp, ours.tp + ours.fp, ours.tp + ours.fn) == (strict.correct, strict.actual, strict.possible)
    assert [ours.tp, ours.fp, ours.fn] == SEQEVAL[str(seed)]
