"""Parts of a corpus that experiments ask for: shares of the training text, a few sentences of it, a sampled test set.

Every part is drawn from each source by itself, since a source is a data set with a label set of its own, and keeps
the order of the text. The same seed draws the same sentences.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from math import ceil
from random import Random

from knowcoder.corpus.sentence import Sentence
from knowcoder.errors import ConfigError
from knowcoder.schema.concepts import Task

EVERY: dict[Task, int] = {"NER": 14, "RE": 4}
"""Of the test sentences with a type, the published evaluation draws one in so many (appendix F); of events, all."""


def share_names(percents: Iterable[float]) -> list[str]:
    """The splits that hold shares: 5 percent is ``train-5``, half a percent ``train-0.5``.

    Raises:
        ConfigError: a share is not above 0 and below 100.
    """
    percents = list(percents)
    if wrong := [percent for percent in percents if not 0 < percent < 100]:
        raise ConfigError(f"shares={wrong[0]:g}: a share is a percentage above 0 and below 100")
    return [f"train-{percent:g}" for percent in percents]


def shares(sentences: Sequence[Sentence], percents: Sequence[float], seed: int) -> dict[str, list[Sentence]]:
    """Shares of the text, in percent rounded up to a sentence; a smaller one lies within a larger one."""
    found: dict[str, list[Sentence]] = {}
    for name, percent in zip(share_names(percents), percents, strict=True):
        found[name] = _drawn(sentences, seed, partial(_part, percent))
    return found


def _part(percent: float, count: int) -> int:
    return ceil(round(count * percent / 100, 10))  # 7 percent of 100 is 7, not 7.000000000000001 and so 8


def few(sentences: Sequence[Sentence], count: int, seed: int | None = None) -> list[Sentence]:
    """``count`` sentences of each source: its first, or with a seed any."""
    if seed is not None:
        return _drawn(sentences, seed, lambda _: count)
    return _in_order(sentences, (place for places in _by_source(sentences).values() for place in places[:count]))


def sampled_test(sentences: Sequence[Sentence], seed: int) -> list[Sentence]:
    """The test set as the published evaluation draws it (KnowCoder, appendix F).

    Of the x sentences that have a type, ceil(x/14) are drawn where the type is an entity's and ceil(x/4) where it is
    a relation's; of those without any type as many as of one with a type. What is drawn twice, or stands twice in
    the text, is taken once. A source with events is taken whole. One with relations is drawn by these alone.
    """
    chosen: list[int] = []
    for source, places in _by_source(sentences).items():
        random = Random(f"{seed} {source}")
        tasks = {task for place in places for task in sentences[place].tasks}
        if tasks & {"ED", "EAE"} or not tasks:
            chosen += places
            continue
        task: Task = "RE" if "RE" in tasks else "NER"
        seen: set[str] = set()
        for _, found in sorted(_by_type(sentences, places, task).items()):
            for place in random.sample(found, ceil(len(found) / EVERY[task])):
                if sentences[place].text not in seen:
                    seen.add(sentences[place].text)
                    chosen.append(place)
    return _in_order(sentences, chosen)


def _by_type(sentences: Sequence[Sentence], places: Iterable[int], task: Task) -> Mapping[str, list[int]]:
    """Type -> places of the sentences that have it; under "" those that have none."""
    found: dict[str, list[int]] = defaultdict(list)
    for place in places:
        for kind in sentences[place].classes(task) or [""]:
            found[kind].append(place)
    return found


def _drawn(sentences: Sequence[Sentence], seed: int, size: Callable[[int], int]) -> list[Sentence]:
    """``size`` of each source's sentences. What is drawn is the beginning of one order, so that draws are nested."""

    def places() -> Iterator[int]:
        for source, found in _by_source(sentences).items():
            order = list(found)
            Random(f"{seed} {source}").shuffle(order)
            yield from order[: size(len(found))]

    return _in_order(sentences, places())


def _by_source(sentences: Iterable[Sentence]) -> Mapping[str, list[int]]:
    found: dict[str, list[int]] = defaultdict(list)
    for place, sentence in enumerate(sentences):
        found[sentence.source].append(place)
    return found


def _in_order(sentences: Sequence[Sentence], places: Iterable[int]) -> list[Sentence]:
    return [sentences[place] for place in sorted(places)]
