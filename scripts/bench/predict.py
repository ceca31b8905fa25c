"""Prediction with a transformers model: batches beside one prompt at a time, and what a grammar costs and gives.

    python scripts/bench/predict.py [--sentences 24] [--tokens 48] [--batch 16] [--model DIR]

A model of random weights of the shape of configs/model/tiny-llama.yaml, with a tokenizer trained on the demonstration
world, or a model of yours (--model); all four tasks, the whole label set. Works take turns in one process. Random
weights write until they are cut, under a grammar too, so that answers are compared by the token.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import Counter
from pathlib import Path

import torch
from measure import show, side_by_side, world

from knowcoder.checkpoint.init import init_model
from knowcoder.codec.grammar import answer_grammar
from knowcoder.codec.model_card import ModelCard
from knowcoder.predict.engines import open_model
from knowcoder.predict.hf_engine import HfEngine, grammar_tokenizer
from knowcoder.predict.predict import Decoding, Predictor, Request, requests_of
from knowcoder.schema.concepts import TASKS
from knowcoder.schema.library import SchemaLibrary
from knowcoder.schema.render import Style

ROUNDS = 3
CONFIG = Path(__file__).resolve().parents[2] / "configs/model/tiny-llama.yaml"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sentences", type=int, default=24)
    parser.add_argument("--tokens", type=int, default=48, help="longest answer")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--model", help="a model folder")
    given = parser.parse_args()
    torch.set_num_threads(1)
    sentences, library, labels = world(given.sentences)
    requests = list(requests_of(sentences, labels, TASKS))
    with tempfile.TemporaryDirectory() as folder:
        model = Path(given.model or f"{folder}/model")
        if not given.model:
            texts = [sentence.text for sentence in world(400)[0]]
            init_model(str(CONFIG), texts, vocab_size=1024, seed=1, output_dir=model)
        engine, card = open_model(model, device="cpu", batch_size=given.batch)
    engine.context = None  # nothing is split or cut but by --tokens
    batches(engine, card, library, requests, given.tokens)
    grammars(engine, card, library, requests, given.tokens)
    compiling(engine, library, requests)


def batches(engine: HfEngine, card: ModelCard, library: SchemaLibrary, requests: list[Request], tokens: int) -> None:
    """Answers a second: sorted, in batches, sharing their beginning; and each prompt by itself."""
    predictor = Predictor(library, engine, card, decoding="free", max_new_tokens=tokens)
    seconds = side_by_side(
        {
            "one by one": lambda: [predictor.predict([request]) for request in requests],
            "batched and sorted": lambda: predictor.predict(requests),
        },
        ROUNDS,
    )
    show(seconds, len(requests), "one by one", "answers")


def grammars(engine: HfEngine, card: ModelCard, library: SchemaLibrary, requests: list[Request], tokens: int) -> None:
    """Seconds a generated token, with and without a grammar, and how many answers had no problem."""
    found: dict[Decoding, Counter[str]] = {}

    def answer(decoding: Decoding) -> None:
        predictor = Predictor(library, engine, card, decoding=decoding, max_new_tokens=tokens)
        made = predictor.predict(requests)
        found[decoding] = Counter(
            tokens=sum(answer.tokens for prediction in made for answer in prediction.answers),
            sound=sum(not prediction.problems for prediction in made),
            uncut=sum(all("cut" not in problem for problem in prediction.problems) for prediction in made),
        )

    seconds = side_by_side({"free": lambda: answer("free"), "constrained": lambda: answer("constrained")}, ROUNDS)
    each = {name: spent / found[name]["tokens"] for name, spent in seconds.items()}  # type: ignore[index]
    for name, counts in found.items():
        print(
            f"{name}: {1000 * each[name]:.3f} ms a token, {each[name] / each['free']:.3f} of free; "
            f"{counts['sound'] / len(requests):.1%} of answers without a problem, "
            f"{counts['uncut'] / len(requests):.1%} not cut"
        )


def compiling(engine: HfEngine, library: SchemaLibrary, requests: list[Request]) -> None:
    """Milliseconds to write and to compile the grammar of an answer."""
    from llguidance import LLMatcher

    guide = grammar_tokenizer(engine.wrapper, engine.vocab_size, sorted(engine.eos_ids))

    def write() -> list[str]:
        return [
            answer_grammar(r.task, r.classes, r.sentence.text, library, Style(), r.sentence.triggers if r.told else ())
            for r in requests
        ]

    written = write()
    seconds = side_by_side({"write": write, "compile": lambda: [LLMatcher(guide, text) for text in written]}, ROUNDS)
    for name, spent in seconds.items():
        print(f"{name} a grammar: {1000 * spent / len(requests):.3f} ms")


if __name__ == "__main__":
    main()
