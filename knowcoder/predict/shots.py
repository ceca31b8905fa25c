"""Demonstrations: annotated sentences with their answers, shown in a prompt before the sentence that is asked."""

from __future__ import annotations

import logging
import random
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

from knowcoder.corpus.sentence import Sentence
from knowcoder.predict.retrieval import Bm25
from knowcoder.schema.concepts import Task

ShotsFrom = Literal["first", "random", "nearest"]
_logger = logging.getLogger(__name__)


class Shots:
    """Chooses demonstrations from training sentences of the same source.

    Args:
        count: demonstrations in a prompt, at most.
        shots_from: the first of the training sentences (as published), some drawn once, or those nearest to the
            sentence by their words, the nearest last.
    """

    def __init__(
        self, training: Iterable[Sentence], count: int, shots_from: ShotsFrom = "first", seed: int = 1
    ) -> None:
        self.count, self.shots_from = count, shots_from
        self._training = list(training)
        if shots_from == "random":
            random.Random(seed).shuffle(self._training)
        self._known: dict[tuple[str, Task], tuple[list[Sentence], Bm25 | None]] = {}

    def of(self, sentence: Sentence, text: str, task: Task, classes: Sequence[str], *, told: bool) -> list[Sentence]:
        """Demonstrations for a text of ``sentence``.

        Args:
            told: the prompt tells triggers, so that only sentences with an event of its classes can be shown.
        """
        candidates, index = self._candidates(sentence.source, task)
        order: Iterable[int] = index.ranked(text) if index else range(len(candidates))
        offered = frozenset(classes)
        chosen: list[Sentence] = []
        for candidate in (candidates[number] for number in order):
            if len(chosen) == self.count:
                break
            if candidate.text != sentence.text and (not told or _has_trigger(candidate, offered)):
                chosen.append(candidate)
        return chosen[::-1] if index else chosen

    def _candidates(self, source: str, task: Task) -> tuple[list[Sentence], Bm25 | None]:
        if (source, task) not in self._known:
            found = [s for s in self._training if s.source == source and task in s.tasks]
            if not found:
                _logger.warning("no training sentence of %r is annotated with %s, so none is shown", source, task)
            index = Bm25([s.text for s in found]) if self.shots_from == "nearest" else None
            self._known[source, task] = found, index
        return self._known[source, task]


def _has_trigger(sentence: Sentence, types: frozenset[str]) -> bool:
    return any(trigger.type in types for trigger in sentence.triggers)


def with_shots(empty: str, shown: Sequence[tuple[str, str]], asked: str) -> str:
    """A prompt that shows (prompt, answer) pairs after its class definitions, which all of them share.

    Args:
        empty: the same prompt with an empty text, which has no quotes but its own.
    """
    head = empty.rindex('\n\n"""') + 2
    return empty[:head] + "".join(_turns(head, shown)) + asked[head:]


def _turns(head: int, shown: Sequence[tuple[str, str]]) -> Iterator[str]:
    for prompt, answer in shown:
        yield f"{prompt[head:]}{answer}\n\n"
