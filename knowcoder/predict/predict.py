"""Sentences -> predictions: every sentence is offered the whole label set of its source, never chosen from its gold.

Only argument extraction is told gold event types and triggers (KnowCoder, section 4.1). A label set that does not
fit into the model's length is split into batches of classes whose answers are united.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tqdm import tqdm

from knowcoder.codec.grammar import MAX_ITEMS, answer_grammar
from knowcoder.codec.model_card import ModelCard
from knowcoder.codec.parse import Offer, parse_answer
from knowcoder.codec.prompt import build_prompt
from knowcoder.corpus.alignment import align, occurrences
from knowcoder.corpus.sentence import Annotations, Event, LabelSet, Mention, Sentence
from knowcoder.errors import DataError
from knowcoder.predict.journal import Journal
from knowcoder.schema.concepts import TASKS, Task
from knowcoder.schema.library import SchemaLibrary
from knowcoder.score.prediction import Answer, Prediction

if TYPE_CHECKING:
    from knowcoder.predict.engines import Completion, Engine

Decoding = Literal["auto", "constrained", "free"]
# Sentences between two writes: enough for the engine to sort and share, little to lose when killed.
_CHUNK = 512


@dataclass(frozen=True, slots=True)
class Request:
    """A sentence, what is asked of it, and the classes offered."""

    sentence: Sentence
    task: Task
    classes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Question:
    """One prompt of a request: a batch of its classes and, for argument extraction, the given triggers."""

    request: int
    classes: tuple[str, ...]
    triggers: tuple[Mention, ...]
    prompt: str


class Predictor:
    """Asks an engine in the language of its model.

    Args:
        card: style, wrapper and length of the model; the engine's wrapper must be of that kind.
        decoding: "constrained" by a grammar, or "free"; "auto" is constrained.
        classes_per_prompt: classes offered at a time; 0 offers as many as the model's length allows.
        max_new_tokens: longest answer.
        max_items: objects in one constrained answer, at most.
    """

    def __init__(
        self,
        library: SchemaLibrary,
        engine: Engine,
        card: ModelCard,
        *,
        decoding: Decoding = "auto",
        classes_per_prompt: int = 0,
        max_new_tokens: int = 640,
        max_items: int = MAX_ITEMS,
    ) -> None:
        self.library = library
        self.engine = engine
        self.card = card
        self.constrained = decoding != "free"
        self.classes_per_prompt = classes_per_prompt
        self.max_new_tokens = max_new_tokens
        self.max_items = max_items
        self._lengths: dict[tuple[Task, tuple[str, ...], tuple[Mention, ...]], int] = {}

    def predict(self, requests: Sequence[Request], bar: tqdm[None] | None = None) -> list[Prediction]:
        """Answer requests, in their order; ``bar`` moves by the share of each answer in its request."""
        questions = [question for index in range(len(requests)) for question in self._questions(index, requests[index])]
        prompts = self.engine.wrapper.prompt_ids_many([question.prompt for question in questions])
        grammars = [self._grammar(requests[question.request], question) for question in questions]
        open_questions = [0] * len(requests)
        for question in questions:
            open_questions[question.request] += 1

        def answered(index: int, _: Completion) -> None:
            request = questions[index].request
            open_questions[request] -= 1
            if bar is not None and not open_questions[request]:
                bar.update()

        completions = self.engine.complete(prompts, grammars, self.max_new_tokens, answered)
        answers: list[list[tuple[_Question, Completion, int]]] = [[] for _ in requests]
        for question, completion, ids in zip(questions, completions, prompts, strict=True):
            answers[question.request].append((question, completion, len(ids)))
        if bar is not None:
            bar.update(sum(1 for found in answers if not found))
        return [self._unite(request, found) for request, found in zip(requests, answers, strict=True)]

    def _questions(self, index: int, request: Request) -> Iterator[_Question]:
        for classes in self._batches(request):
            given = _given(request, classes)
            prompt = self._prompt(request, classes, given, request.sentence.text)
            yield _Question(index, classes, given, prompt)

    def _batches(self, request: Request) -> list[tuple[str, ...]]:
        """The fewest batches, alike in size, whose prompts leave room for the answer."""
        classes = request.classes
        if self.classes_per_prompt:
            return _split(classes, -(-len(classes) // self.classes_per_prompt))
        if self.card.max_length is None:
            return _split(classes, 1)
        # An answer repeats parts of the sentence: its length and a little is room enough for most.
        room = self.card.max_length - 2 * len(self.engine.wrapper.prompt_ids(request.sentence.text)) - 32
        for count in range(1, len(classes)):
            batches = _split(classes, count)
            if all(self._schema_length(request, batch) <= room for batch in batches):
                return batches
        return _split(classes, len(classes))

    def _schema_length(self, request: Request, classes: tuple[str, ...]) -> int:
        """Tokens of a prompt with an empty sentence."""
        given = _given(request, classes)
        if (request.task, classes, given) not in self._lengths:
            prompt = self._prompt(request, classes, given, "")
            self._lengths[request.task, classes, given] = len(self.engine.wrapper.prompt_ids(prompt))
        return self._lengths[request.task, classes, given]

    def _prompt(self, request: Request, classes: tuple[str, ...], given: tuple[Mention, ...], text: str) -> str:
        dataset = request.sentence.source if self.card.tagged else ""
        return build_prompt(request.task, classes, text, self.library, self.card.style, given, dataset)

    def _grammar(self, request: Request, question: _Question) -> str | None:
        if not self.constrained:
            return None
        text = request.sentence.text
        return answer_grammar(
            request.task, question.classes, text, self.library, self.card.style, question.triggers, self.max_items
        )

    def _unite(self, request: Request, answered: Sequence[tuple[_Question, Completion, int]]) -> Prediction:
        """One prediction of the answers to all batches of classes."""
        sentence, task = request.sentence, request.task
        found, not_offered = Annotations(), Annotations()
        problems: list[str] = []
        for question, completion, prompt_length in answered:
            parsed = parse_answer(completion.text, self._offer(question.classes), task)
            annotations = parsed.annotations
            problems += map(str, parsed.problems)
            if self.card.max_length is not None and prompt_length >= self.card.max_length:
                problems.append(f"the prompt has {prompt_length} tokens, the model's length is {self.card.max_length}")
            if task == "EAE":
                annotations = replace(annotations, events=_with_offsets(annotations.events, question.triggers))
            found, not_offered = _joined(found, annotations), _joined(not_offered, parsed.not_offered)
        if self.constrained:
            found, dropped = drop_surplus(sentence.text, found)
            if dropped:
                problems.append(f"{dropped} objects were repeated more often than the text has their mentions")
        return Prediction(
            id=sentence.id,
            task=task,
            source=sentence.source,
            group=sentence.group,
            annotations=align(found, sentence.text),
            problems=tuple(problems),
            answers=tuple(
                Answer(prompt_hash=_hash(question.prompt), text=completion.text, tokens=completion.tokens)
                for question, completion, _ in answered
            ),
            not_offered=align(not_offered, sentence.text),
        )

    @cache  # noqa: B019 -- a predictor lives as long as its stage
    def _offer(self, classes: tuple[str, ...]) -> Offer:
        return Offer.of(self.library, classes)


def predict(
    sentences: Sequence[Sentence],
    labels: Mapping[str, LabelSet],
    tasks: Sequence[Task],
    predictor: Predictor,
    output: Path,
) -> dict[str, int]:
    """Predict a corpus into ``output/predictions.jsonl``; lines that are there already are skipped.

    Args:
        labels: source -> its label set.
        tasks: what to predict; a sentence is asked only what it has been annotated with, if that is known.

    Returns:
        Counts: predictions written, found there, with problems, and generated tokens.

    Raises:
        DataError: a sentence's source has no label set.
    """
    counts = {"written": 0, "already there": 0, "with problems": 0, "tokens": 0}
    with Journal(output) as journal:
        requests = list(requests_of(sentences, labels, tasks))
        todo = [request for request in requests if (request.sentence.id, request.task) not in journal.done]
        counts["already there"] = len(requests) - len(todo)
        # Of one task and source at a time: their prompts share a beginning.
        todo.sort(key=lambda request: (TASKS.index(request.task), request.sentence.source))
        with tqdm(total=len(todo), desc="predict", unit="answer", disable=None) as bar:
            for begin in range(0, len(todo), _CHUNK):
                for prediction in predictor.predict(todo[begin : begin + _CHUNK], bar):
                    journal.write(prediction)
                    counts["written"] += 1
                    counts["with problems"] += bool(prediction.problems)
                    counts["tokens"] += sum(answer.tokens for answer in prediction.answers)
    return counts


def requests_of(
    sentences: Sequence[Sentence], labels: Mapping[str, LabelSet], tasks: Sequence[Task]
) -> Iterator[Request]:
    """What to ask of every sentence, with the whole label set of its source.

    Raises:
        DataError: a sentence's source has no label set.
    """
    for sentence in sentences:
        if sentence.source not in labels:
            known = ", ".join(sorted(labels)) or "none"
            raise DataError(f"sentence {sentence.id}: no label set for source {sentence.source!r}; there are: {known}")
        offered = labels[sentence.source]
        for task in tasks:
            if not sentence.tasks or task in sentence.tasks:
                yield Request(sentence, task, tuple(sentence.classes(task)) if task == "EAE" else offered.of(task))


def drop_surplus(text: str, annotations: Annotations) -> tuple[Annotations, int]:
    """Drop equal objects beyond the number of places where the text has their mentions, which a grammar cannot count.

    Returns:
        The annotations that stay, and how many entities, relations, triggers and arguments were dropped.
    """
    seen: Counter[Hashable] = Counter()

    def fits(key: Hashable, *mentions: str) -> bool:
        seen[key] += 1
        return seen[key] <= max(len(occurrences(text, mention)) for mention in mentions)

    entities = tuple(e for e in annotations.entities if fits(("entity", e.type, e.text), e.text))
    relations = tuple(
        r
        for r in annotations.relations
        if fits(("relation", r.type, r.head.text, r.tail.text), r.head.text, r.tail.text)
    )
    events = tuple(
        replace(
            event,
            arguments=tuple(a for a in event.arguments if fits((number, a.role, a.mention.text), a.mention.text)),
        )
        for number, event in enumerate(annotations.events)
        if not event.trigger
        or event.trigger.start is not None  # it was given
        or fits(("event", event.type, event.trigger.text), event.trigger.text)
    )
    kept = Annotations(entities, relations, events)
    return kept, _size(annotations) - _size(kept)


def _joined(one: Annotations, other: Annotations) -> Annotations:
    return Annotations(one.entities + other.entities, one.relations + other.relations, one.events + other.events)


def _size(annotations: Annotations) -> int:
    arguments = sum(len(event.arguments) for event in annotations.events)
    return len(annotations.entities) + len(annotations.relations) + len(annotations.events) + arguments


def _given(request: Request, classes: tuple[str, ...]) -> tuple[Mention, ...]:
    """The triggers that a prompt is told."""
    return tuple(t for t in request.sentence.triggers if t.type in classes) if request.task == "EAE" else ()


def _with_offsets(events: tuple[Event, ...], given: Sequence[Mention]) -> tuple[Event, ...]:
    """Answered events with the offsets of the triggers that were given."""
    left = list(given)
    found = []
    for event in events:
        match = next((t for t in left if event.trigger and (t.type, t.text) == (event.type, event.trigger.text)), None)
        if match is not None:
            left.remove(match)
            event = replace(event, trigger=match)
        found.append(event)
    return tuple(found)


def _split(classes: tuple[str, ...], count: int) -> list[tuple[str, ...]]:
    """``count`` runs of classes, alike in length; no run where there is no class."""
    bounds = [len(classes) * number // count for number in range(count + 1)] if classes else []
    return [classes[start:end] for start, end in pairwise(bounds)]


def _hash(prompt: str) -> str:
    return hashlib.sha256(prompt.encode("utf-8", "surrogatepass")).hexdigest()[:16]
