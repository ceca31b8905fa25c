"""Missing descriptions, written by a language model (KnowCoder, section 2.2), kept as they come, marked as such."""

from __future__ import annotations

import hashlib
import re
import threading
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

import msgspec

from knowcoder import jsonl
from knowcoder.errors import ConfigError, ModelError
from knowcoder.schema.concepts import Concept, EventType, RelationType
from knowcoder.schema.library import SchemaLibrary, kind_of
from knowcoder.schema.quoting import list_examples, one_line
from knowcoder.server import Server, Unanswered

LONGEST = 300  # characters of a description
MOST_LISTED = 5  # parents, aliases
MOST_EXAMPLES = 10
FAILURES_IN_A_ROW = 20  # after so many, the server is taken to be out of order

_LABEL = re.compile(r"(definition|description)\s*:[\s*\"“]*", re.I)
_KINDS = {
    "entity": "a type of entity",
    "relation": "a type of relation between a head and a tail",
    "event": "a type of event",
}
C = TypeVar("C", bound=Concept)
Watch = Callable[[Iterable["Future[None]"]], Iterable["Future[None]"]]


@dataclass(slots=True)
class Described:
    """How the missing descriptions were got: from the model now, from the cache, or not, with the reasons."""

    asked: int = 0
    cached: int = 0
    failed: Counter[str] = field(default_factory=Counter)


def describe(
    library: SchemaLibrary, server: Server, cache: Cache, concurrency: int = 8, watch: Watch = iter
) -> tuple[SchemaLibrary, Described]:
    """Ask a model for every description that the library lacks.

    What cannot be answered stays without description; asking again later costs only that, for answers are kept.

    Args:
        cache: answers of earlier runs; each new one is on disk before the next is waited for.
        concurrency: prompts at a time.
        watch: wraps the prompts as they are done, to show progress.

    Raises:
        ModelError: the server is away, refuses all prompts, or fails many in a row; answers so far are kept.
    """
    prompts = {concept.id: prompt_of(concept, library) for concept in library if not concept.description}
    made = Described(cached=sum(key_of(prompt, server) in cache for prompt in prompts.values()))
    missing = [prompt for prompt in dict.fromkeys(prompts.values()) if key_of(prompt, server) not in cache]
    made.failed = _ask_all(missing, server, cache, concurrency, watch)
    answers = {id: cache.get(key_of(prompt, server)) for id, prompt in prompts.items()}
    made.asked = sum(answer is not None for answer in answers.values()) - made.cached

    def described(concept: C) -> C:
        answer = answers.get(concept.id)
        return replace(concept, description=clean(answer), described_by=server.model) if answer else concept

    return (
        SchemaLibrary(
            tuple(map(described, library.entities)),
            tuple(map(described, library.relations)),
            tuple(map(described, library.events)),
        ),
        made,
    )


def _ask_all(prompts: Iterable[str], server: Server, cache: Cache, concurrency: int, watch: Watch) -> Counter[str]:
    """Put the answers into the cache; returns how many prompts got none, by reason."""

    def ask(prompt: str) -> None:
        answer = server.ask(prompt)
        if not clean(answer):
            raise Unanswered("an empty answer")
        cache.add(key_of(prompt, server), answer)

    failed: Counter[str] = Counter()
    in_a_row = 0
    pool = ThreadPoolExecutor(concurrency)
    try:
        for done in watch(as_completed([pool.submit(ask, prompt) for prompt in prompts])):
            try:
                done.result()
                in_a_row = 0
            except Unanswered as reason:
                failed[reason.why] += 1
                in_a_row += 1
                if in_a_row == FAILURES_IN_A_ROW:
                    raise ModelError(
                        f"describe.url={server.url}: {in_a_row} prompts in a row got no answer, the last because: "
                        f"{reason}; mend the server and run the same command, answers so far are kept in {cache.path}"
                    ) from reason
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        server.close()
        raise
    pool.shutdown()
    return failed


def prompt_of(concept: Concept, library: SchemaLibrary) -> str:
    """What the model is asked: to define a type by its label, other names, place, slots and examples."""
    said = {
        "Type": _label(concept),
        "Also called": ", ".join(map(one_line, concept.aliases[:MOST_LISTED])),
        "Kind of": _labels(library.ancestors(concept.id)[:MOST_LISTED], library, ", "),
        **_slots(concept, library),
        "Examples": list_examples(concept.examples[:MOST_EXAMPLES]),
    }
    return "\n".join(
        [
            f"Define {_KINDS[kind_of(concept)]} in one sentence, as a dictionary would. Answer with that sentence.",
            *(f"{what}: {text}" for what, text in said.items() if text),
            "Definition:",
        ]
    )


def _slots(concept: Concept, library: SchemaLibrary) -> Mapping[str, str]:
    if isinstance(concept, RelationType):
        return {
            slot: _labels(types, library, " or ") for slot, types in (("Head", concept.head), ("Tail", concept.tail))
        }
    if isinstance(concept, EventType):
        return {"Roles": ", ".join(role.name.replace("_", " ").strip() for role in concept.roles)}
    return {}


def _labels(ids: Iterable[str], library: SchemaLibrary, between: str) -> str:
    return between.join(_label(library.by_id(id)) for id in ids)


def _label(concept: Concept) -> str:
    return one_line(concept.label) or re.sub(r"(?<=[a-z])(?=[A-Z])", " ", concept.name)


def clean(answer: str) -> str:
    """An answer as a description: one line of at most 300 characters, whole sentences if they fit; empty if it is none.

    Reasoning that ends in ``</think>``, a label that the prompt asked with, quotes around all of it, and characters
    that do not show are left out.
    """
    visible = (c for c in answer.rpartition("</think>")[2] if c.isspace() or unicodedata.category(c)[0] != "C")
    text = one_line("".join(visible)).strip('"“”`* ')
    if label := _LABEL.match(text):
        text = text[label.end() :]
    if len(text) > LONGEST:
        head = text[:LONGEST]
        end = head.rfind(". ") + 1 or head.rfind(" ")
        text = head[:end].rstrip() if end > 0 else head
    return text if any(c.isalnum() for c in text) else ""


def key_of(prompt: str, server: Server) -> str:
    """A hash of all that decides an answer."""
    return hashlib.sha256(jsonl.dumps([server.model, server.api, server.max_tokens, prompt]).encode()).hexdigest()


class _Line(msgspec.Struct):
    key: str
    answer: str


class Cache:
    """Answers by key, in a file that grows by a line for each; a line that a killed run left half-written is ignored.

    Raises:
        ConfigError: the file cannot be read or written.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._answers: dict[str, str] = {}
        self._lock = threading.Lock()
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self.path.touch()
            lines = self.path.read_bytes().splitlines()
        except OSError as error:
            raise ConfigError(f"describe.cache={path}: {error.strerror}; give a file that can be written") from error
        for line in lines:
            try:
                found = msgspec.json.decode(line, type=_Line)
            except (msgspec.DecodeError, UnicodeDecodeError):
                continue
            self._answers[found.key] = found.answer

    def __contains__(self, key: str) -> bool:
        return key in self._answers

    def get(self, key: str) -> str | None:
        """The answer, if it is known."""
        return self._answers.get(key)

    def add(self, key: str, answer: str) -> None:
        """Keep an answer, on disk too. Begins a line of its own, whatever the file ends with."""
        with self._lock, open(self.path, "ab") as file:
            file.write(b"\n" + jsonl.dumps(_Line(key, answer)).encode() + b"\n")
            self._answers[key] = answer
