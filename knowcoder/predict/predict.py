"""Requests -> predictions: every sentence is offered the whole label set of its source, never chosen from its gold.

Only argument extraction is told gold event types and triggers (KnowCoder, section 4.1). Classes that do not fit into
the model's context are asked in batches, and long texts in pieces; the answers are united.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, Literal

from msgspec.structs import replace

from knowcoder.codec.answer import build_answer
from knowcoder.codec.grammar import MAX_ITEMS, answer_grammar
from knowcoder.codec.model_card import ModelCard
from knowcoder.codec.parse import Offer, parse_answer
from knowcoder.codec.prompt import build_prompt
from knowcoder.corpus.alignment import align
from knowcoder.corpus.locate import alignment_of
from knowcoder.corpus.sentence import Annotations, Event, LabelSet, Mention, Sentence
from knowcoder.errors import ConfigError, DataError
from knowcoder.predict.engines import Completion, answer_room
from knowcoder.predict.pieces import Cut, Piece, cut, moved, triggers_in
from knowcoder.predict.retrieval import Bm25, class_index
from knowcoder.predict.shots import Shots, with_shots
from knowcoder.predict.surplus import drop_surplus
from knowcoder.schema.concepts import Task
from knowcoder.schema.library import SchemaLibrary
from knowcoder.score.prediction import Answer, Prediction

if TYPE_CHECKING:
    from knowcoder.predict.engines import Engine

Decoding = Literal["auto", "constrained", "free"]
# A prompt may have this many tokens more than its schema and its text have apart.
_SEAM = 8
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Request:
    """A sentence, what is asked of it, and the classes offered.

    ``joint`` asks (with task EAE) for events with their arguments at once, told of no trigger.
    """

    sentence: Sentence
    task: Task
    classes: tuple[str, ...]
    joint: bool = False

    @property
    def told(self) -> bool:
        return self.task == "EAE" and not self.joint


@dataclass(frozen=True, slots=True)
class _Question:
    """One prompt of a request: a piece of its text, a batch of its classes, and the triggers that are told."""

    request: int
    piece: Piece
    classes: tuple[str, ...]
    triggers: tuple[Mention, ...]
    prompt: str


class Predictor:
    """Asks an engine in the language of its model.

    Args:
        card: style, wrapper and length of the model; the engine's wrapper must be of that kind.
        decoding: "constrained" by a grammar, or "free"; "auto" is constrained where the engine can.
        classes_per_prompt: classes offered at a time; 0 offers as many as the model's context allows.
        retrieve: offer only so many classes, those nearest to the text by their words; 0 offers all.
        max_new_tokens: longest answer; at most half of the model's context.
        max_items: objects in one constrained answer, at most.
        shots: demonstrations to show.
        pieces, window: how long texts are cut, see ``pieces.cut``.

    Raises:
        ConfigError: decoding is "constrained", and the engine obeys no grammar.
    """

    def __init__(
        self,
        library: SchemaLibrary,
        engine: Engine,
        card: ModelCard,
        *,
        decoding: Decoding = "auto",
        classes_per_prompt: int = 0,
        retrieve: int = 0,
        max_new_tokens: int = 640,
        max_items: int = MAX_ITEMS,
        shots: Shots | None = None,
        pieces: Cut = "whole",
        window: int = 1000,
    ) -> None:
        if decoding == "constrained" and not engine.can_constrain:
            raise ConfigError(
                "decoding=constrained: this engine obeys no grammar of ours; use decoding=free, engine=hf, or a vLLM "
                "server that was started with the structured output backend guidance"
            )
        self.library = library
        self.engine = engine
        self.card = card
        self.constrained = decoding != "free" and engine.can_constrain
        self.classes_per_prompt = classes_per_prompt
        self.retrieve = retrieve
        self.max_new_tokens = max_new_tokens
        if engine.context is not None and max_new_tokens > engine.context // 2:
            self.max_new_tokens = engine.context // 2
            _logger.info("answers have at most %d tokens: half of the model's context", self.max_new_tokens)
        self.max_items = max_items
        self.shots = shots
        self.pieces: Cut = pieces
        self.window = window
        self._lengths: dict[str, int] = {}
        self._warned = False

    def predict(
        self, requests: Sequence[Request], done: Callable[[Prediction], None] | None = None
    ) -> list[Prediction]:
        """Answer requests, in their order; ``done`` hears of each prediction as its last answer ends."""
        questions = [question for index in range(len(requests)) for question in self._questions(index, requests[index])]
        prompts = self.engine.wrapper.prompt_ids_many([question.prompt for question in questions])
        self._warn_of_length(prompts)
        waiting = [0] * len(requests)
        for question in questions:
            waiting[question.request] += 1
        answers: list[dict[int, Completion]] = [{} for _ in requests]
        predictions: dict[int, Prediction] = {}

        def finish(request: int) -> None:
            in_order = [(questions[number], answer) for number, answer in sorted(answers[request].items())]
            predictions[request] = self._unite(requests[request], in_order)
            if done:
                done(predictions[request])

        def answered(number: int, completion: Completion) -> None:
            request = questions[number].request
            answers[request][number] = completion
            if len(answers[request]) == waiting[request]:
                finish(request)

        for request, count in enumerate(waiting):
            if not count:
                finish(request)
        fitting = []
        for number, prompt in enumerate(prompts):
            if answer_room(self.engine.context, prompt, self.max_new_tokens) > 0:
                fitting.append(number)
            else:
                problem = f"not asked: a prompt of {len(prompt)} tokens fills the model's context"
                answered(number, Completion("", 0, False, problem))
        self.engine.complete(
            [prompts[number] for number in fitting],
            [self._grammar(requests[questions[number].request], questions[number]) for number in fitting],
            self.max_new_tokens,
            lambda index, completion: answered(fitting[index], completion),
        )
        return [predictions[request] for request in range(len(requests))]

    def _warn_of_length(self, prompts: Sequence[Sequence[int]]) -> None:
        longest = max(map(len, prompts), default=0)
        if self.card.max_length is not None and longest >= self.card.max_length and not self._warned:
            self._warned = True
            _logger.warning(
                "a prompt has %d tokens, but the model was trained on samples of %d at most; answers may be worse "
                "(fewer classes_per_prompt make prompts shorter)",
                longest,
                self.card.max_length,
            )

    # -- what is asked ---------------------------------------------------------------------------------------------

    def _questions(self, index: int, request: Request) -> Iterator[_Question]:
        for piece in cut(request.sentence.text, self.pieces, self.window):
            told = triggers_in(piece, request.sentence.triggers) if request.told else ()
            offered = self._offered(request, piece, told)
            for classes in self._batches(request, piece.text, offered, told):
                given = _of(classes, told)
                yield _Question(index, piece, classes, given, self._prompt(request, classes, given, piece.text))

    def _offered(self, request: Request, piece: Piece, told: Sequence[Mention]) -> tuple[str, ...]:
        classes = request.classes
        if request.told and self.pieces != "whole":
            here = {trigger.type for trigger in told}
            return tuple(name for name in classes if name in here)
        if request.told or not self.retrieve or len(classes) <= self.retrieve:
            return classes
        nearest = self._class_index(classes).ranked(piece.text)[: self.retrieve]
        return tuple(classes[number] for number in sorted(nearest))

    @cache  # noqa: B019 -- a predictor lives as long as its stage
    def _class_index(self, classes: tuple[str, ...]) -> Bm25:
        return class_index(self.library, classes)

    def _batches(
        self, request: Request, text: str, classes: tuple[str, ...], told: tuple[Mention, ...]
    ) -> list[tuple[str, ...]]:
        """The fewest batches, alike in size, whose prompts and answers fit into the model's context."""
        if self.classes_per_prompt:
            return _split(classes, -(-len(classes) // self.classes_per_prompt))
        if self.engine.context is None or not classes:
            return _split(classes, 1)
        room = self.engine.context - self.max_new_tokens
        text_length = self._length(text)

        def fits(batch: tuple[str, ...]) -> bool:
            given = _of(batch, told)
            empty = self._prompt(request, batch, given, "", shown_for=text)
            if self._length(empty) + text_length + _SEAM <= room:
                return True
            return len(self.engine.wrapper.prompt_ids(self._prompt(request, batch, given, text))) <= room

        # As many as the whole needs by its length, then more: each batch repeats what stands around the classes.
        whole = self._length(self._prompt(request, classes, told, "", shown_for=text))
        first = max(1, (whole + text_length) // room)
        for count in range(min(first, len(classes)), len(classes)):
            batches = _split(classes, count)
            if all(map(fits, batches)):
                return batches
        return _split(classes, len(classes))

    def _length(self, text: str) -> int:
        if len(self._lengths) > 10_000:
            self._lengths.clear()
        if text not in self._lengths:
            self._lengths[text] = len(self.engine.wrapper.prompt_ids(text))
        return self._lengths[text]

    def _prompt(
        self,
        request: Request,
        classes: tuple[str, ...],
        given: Sequence[Mention],
        text: str,
        shown_for: str | None = None,
    ) -> str:
        """The bare prompt; ``shown_for`` is the text that demonstrations are chosen for, where it is another."""
        dataset = request.sentence.source if self.card.tagged else ""

        def bare(of: str, told: Sequence[Mention] = ()) -> str:
            return build_prompt(request.task, classes, of, self.library, self.card.style, told, dataset)

        if self.shots is None:
            return bare(text, given)
        wanted = text if shown_for is None else shown_for
        shown = [
            (bare(shot.text, _of(classes, shot.triggers) if request.told else ()), self._answer(request, classes, shot))
            for shot in self.shots.of(request.sentence, wanted, request.task, classes, told=request.told)
        ]
        return with_shots(bare(""), shown, bare(text, given))

    def _answer(self, request: Request, classes: tuple[str, ...], shot: Sentence) -> str:
        return build_answer(request.task, shot.annotations, classes, self.library, self.card.style)

    def _grammar(self, request: Request, question: _Question) -> str | None:
        if not self.constrained:
            return None
        return answer_grammar(
            request.task,
            question.classes,
            question.piece.text,
            self.library,
            self.card.style,
            question.triggers,
            self.max_items,
        )

    # -- what becomes of the answers -------------------------------------------------------------------------------

    def _unite(self, request: Request, answered: Sequence[tuple[_Question, Completion]]) -> Prediction:
        """One prediction of the answers to all pieces and batches of classes."""
        sentence = request.sentence
        found, not_offered = Annotations(), Annotations()
        problems = self._untold(request)
        for piece, answers in groupby(answered, key=lambda answer: answer[0].piece):
            here, others = Annotations(), Annotations()
            for question, completion in answers:
                if completion.problem:
                    problems.append(completion.problem)
                if not completion.text and completion.problem:
                    continue
                parsed = parse_answer(completion.text, self._offer(question.classes), request.task)
                annotations = parsed.annotations
                problems += map(str, parsed.problems)
                if request.told:
                    annotations = replace(annotations, events=_with_offsets(annotations.events, question.triggers))
                here, others = here + annotations, others + parsed.not_offered
            if self.constrained:
                here, dropped = drop_surplus(piece.text, here)
                if dropped:
                    problems.append(f"{dropped} objects were repeated more often than the text has their mentions")
            found += moved(align(here, piece.text), piece.start)
            not_offered += moved(align(others, piece.text), piece.start)
        return Prediction(
            id=sentence.id,
            task=request.task,
            source=sentence.source,
            group=sentence.group,
            annotations=found,
            alignment=alignment_of(found, sentence.text, sentence.triggers if request.told else ()),
            problems=tuple(problems),
            answers=tuple(
                Answer(prompt_hash=_hash(question.prompt), text=completion.text, tokens=completion.tokens)
                for question, completion in answered
            ),
            not_offered=not_offered,
        )

    def _untold(self, request: Request) -> list[str]:
        """A problem where a trigger that is to be told stands across a cut, so that no piece has it."""
        if not request.told or self.pieces == "whole":
            return []
        pieces = cut(request.sentence.text, self.pieces, self.window)
        lost = sum(not any(triggers_in(piece, (t,)) for piece in pieces) for t in request.sentence.triggers)
        return [f"{lost} triggers stand in no piece of the text"] if lost else []

    @cache  # noqa: B019 -- a predictor lives as long as its stage
    def _offer(self, classes: tuple[str, ...]) -> Offer:
        return Offer.of(self.library, classes)


def requests_of(
    sentences: Sequence[Sentence], labels: Mapping[str, LabelSet], tasks: Sequence[Task], *, joint: bool = False
) -> Iterator[Request]:
    """What to ask of every sentence, with the whole label set of its source.

    Args:
        joint: ask for events with their arguments at once (task EAE), told of no trigger.

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
                told = task == "EAE" and not joint
                yield Request(sentence, task, tuple(sentence.classes(task)) if told else offered.of(task), joint)


def _of(classes: Sequence[str], triggers: Sequence[Mention]) -> tuple[Mention, ...]:
    return tuple(trigger for trigger in triggers if trigger.type in classes)


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
