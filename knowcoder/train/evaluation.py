"""Strict F1 of a model in training on a sample of held-out sentences, by the code of `predict` and `score`."""

from __future__ import annotations

import random
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal, cast

from transformers import PreTrainedModel

from knowcoder.codec.wrapper import Wrapper
from knowcoder.config import SftConfig
from knowcoder.corpus.reading import load_labels, load_split
from knowcoder.errors import ConfigError
from knowcoder.predict.hf_engine import HfEngine
from knowcoder.predict.predict import Predictor, Request, requests_of
from knowcoder.schema.concepts import TASKS
from knowcoder.schema.library import SchemaLibrary
from knowcoder.score.bootstrap import f1_of
from knowcoder.score.match import join
from knowcoder.score.metrics import tally
from knowcoder.score.prediction import Prediction
from knowcoder.train import launch
from knowcoder.train.attention import own_attention
from knowcoder.train.process_group import of_all_ranks

# Answering holds keys and values alone, so that many more prompts fit than rows in training, with room to spare.
_PROMPTS_PER_ROW = 4


class Evaluation:
    """The sentences, what is asked of them, and how. Every rank answers its share; all ranks know the result.

    Asked are the tasks that the training data has, in the style of the training data, with the whole label set of each
    source. Nothing random happens, so training goes on as if there had been no evaluation.

    Args:
        kinds: kinds of samples in the training data.

    Raises:
        ConfigError: no sentence is annotated with a task that is trained.
    """

    def __init__(self, config: SftConfig, kinds: Collection[str]) -> None:
        self._config = config
        self._card = launch.card_of(config.data)
        self._wrapper = Wrapper.from_folder(config.model, self._card.wrapper)
        self._library = SchemaLibrary.load(config.evaluate_schema)
        self._labels = load_labels(config.evaluate_on)
        self._tasks = [task for task in TASKS if task in kinds]
        sentences = load_split(config.evaluate_on, config.evaluate_split)
        sentences = [sentence for sentence in sentences if set(sentence.tasks) & set(self._tasks)]
        if not sentences:
            raise ConfigError(
                f"evaluate_on={config.evaluate_on}: no sentence of {config.evaluate_split} is annotated with a task of "
                f"the training data, which has {', '.join(sorted(kinds))}"
            )
        self.sentences = sentences
        if 0 < config.evaluate_sentences < len(sentences):
            self.sentences = random.Random(config.seed).sample(sentences, config.evaluate_sentences)
        requests = list(requests_of(self.sentences, self._labels, self._tasks))
        # Of one task and source at a time: their prompts share a beginning.
        requests.sort(key=lambda request: (TASKS.index(request.task), request.sentence.source))
        self._requests: list[Request] = requests

    def measure(self, model: PreTrainedModel) -> dict[str, float]:
        """Return strict F1 by task (`f1_NER`), their mean (`f1`), and the seconds that it took.

        `model` may be wrapped by peft; it is left in training mode.
        """
        started = time.perf_counter()
        model.eval()
        with own_attention(model), _own_arithmetic(model):
            engine = HfEngine(model, self._wrapper, _PROMPTS_PER_ROW * self._config.micro_batch)
            predictor = Predictor(
                self._library,
                engine,
                self._card,
                decoding=cast(Literal["free", "constrained"], self._config.evaluate_decoding),
                max_new_tokens=self._config.evaluate_max_new_tokens,
            )
            answered = predictor.predict(self._requests[launch.rank() :: launch.world_size()])
        model.train()
        examples = join(self.sentences, _gathered(answered), self._labels, self._tasks)
        scores = {
            f"f1_{task}": float(f1_of(counted.columns["strict"].sum(axis=0, keepdims=True))[0])
            for task, counted in tally(examples).items()
        }
        mean = sum(scores.values()) / len(scores)
        return {"f1": mean, **scores, "evaluate_seconds": round(time.perf_counter() - started, 3)}


@contextmanager
def _own_arithmetic(model: PreTrainedModel) -> Iterator[None]:
    """On processors let `model` compute as `predict` does: casting all weights anew for every token takes longer."""
    casting = vars(model).pop("forward", None) if model.device.type == "cpu" else None
    try:
        yield
    finally:
        if casting is not None:
            vars(model)["forward"] = casting


def _gathered(own: Sequence[Prediction]) -> list[Prediction]:
    """Return the predictions of all ranks, on every rank: they must agree on what is best and when to stop."""
    return [prediction for share in of_all_ranks(own) for prediction in share]
