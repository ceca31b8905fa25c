"""What a dictionary of the training mentions reaches: the baseline that a model has to beat.

Strings that training annotates are tagged with their most frequent type; relations and roles follow from the
strings, or else from their types. Every table has a threshold, tuned on the training sentences, below which it
says nothing. No model, no gold but the triggers that argument extraction is given.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from itertools import permutations
from pathlib import Path

from tqdm import tqdm

from knowcoder.corpus.alignment import align
from knowcoder.corpus.sentence import Annotations, Argument, Event, LabelSet, Mention, Relation, Sentence
from knowcoder.predict.journal import Journal
from knowcoder.predict.predict import Request, requests_of
from knowcoder.schema.concepts import Task
from knowcoder.score.prediction import Prediction

# A mention begins and ends with one of these: a word, a sign, or a letter of a script without spaces.
_TOKEN = re.compile("[\u2e80-\U0010ffff]|[^\\W\u2e80-\U0010ffff]+|[^\\w\\s]")
_THRESHOLDS = tuple(step / 20 for step in range(20))


class Table:
    """Which labels a key has had, and how often it had none."""

    def __init__(self) -> None:
        self.seen: Counter[Hashable] = Counter()
        self.labels: defaultdict[Hashable, Counter[str]] = defaultdict(Counter)
        self.threshold = 0.0

    def add(self, key: Hashable, labels: Collection[str]) -> None:
        """Count one occurrence of a key."""
        self.seen[key] += 1
        if labels:
            self.labels[key].update(labels)

    def tune(self) -> None:
        """Choose the share of occurrences below which a key gets no label, by F1 on what was added."""
        gold = sum(labels.total() for labels in self.labels.values())
        best = [(labels.most_common(1)[0][1], self.seen[key]) for key, labels in self.labels.items()]

        def f1(threshold: float) -> float:
            said = [(right, count) for right, count in best if right / count >= threshold]
            return 2 * sum(right for right, _ in said) / (gold + sum(count for _, count in said) or 1)

        self.threshold = max(_THRESHOLDS, key=f1)

    def label(self, key: Hashable, allowed: Collection[str] | None) -> str | None:
        """The most frequent allowed label of a key, if it is frequent enough."""
        counts = [
            (count, label)
            for label, count in self.labels.get(key, Counter()).items()
            if allowed is None or label in allowed
        ]
        if not counts:
            return None
        count, label = max(counts, key=lambda entry: (entry[0], entry[1]))
        return label if count / self.seen[key] >= self.threshold else None


class Dictionary:
    """The tables of a training corpus."""

    def __init__(self, training: Iterable[Sentence]) -> None:
        sentences = list(training)
        self.entities = _Strings((s.text, s.entities) for s in sentences if "NER" in s.tasks)
        # A trigger is a word of the language and may begin a sentence; a name is written in one way.
        self.triggers = _Strings(((s.text, s.triggers) for s in sentences if "ED" in s.tasks), key=str.casefold)
        self.pairs, self.type_pairs = Table(), Table()
        self.roles, self.type_roles = Table(), Table()
        for sentence in sentences:
            found = self.find_entities(sentence.text, None)
            if "RE" in sentence.tasks:
                self._learn_relations(sentence, found)
            for event in sentence.events:
                self._learn_roles(event, found)
        for table in (self.pairs, self.type_pairs, self.roles, self.type_roles):
            table.tune()

    def _learn_relations(self, sentence: Sentence, found: Sequence[Mention]) -> None:
        gold: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        for relation in sentence.relations:
            gold[relation.head.text, relation.tail.text].append(relation.type)
        for head, tail in permutations(found, 2):
            labels = set(gold.get((head.text, tail.text), ()))
            self.pairs.add((head.text, tail.text), labels)
            self.type_pairs.add((head.type, tail.type), labels)

    def _learn_roles(self, event: Event, found: Sequence[Mention]) -> None:
        roles: defaultdict[str, set[str]] = defaultdict(set)
        for argument in event.arguments:
            roles[argument.mention.text].add(argument.role)
        for mention in found:
            labels = roles.get(mention.text, set())
            self.roles.add((event.type, mention.text), labels)
            self.type_roles.add((event.type, mention.type), labels)

    def find_entities(self, text: str, allowed: Collection[str] | None) -> list[Mention]:
        """Known mentions in a text, longest match first."""
        return self.entities.find(text, allowed)

    def answer(self, request: Request) -> Annotations:
        """What the dictionary says to a request."""
        text, task, offered = request.sentence.text, request.task, frozenset(request.classes)
        if task == "NER":
            return Annotations(entities=tuple(self.find_entities(text, offered)))
        if task == "ED":
            triggers = self.triggers.find(text, offered)
            return Annotations(events=tuple(Event(trigger.type, trigger) for trigger in triggers))
        found = self.find_entities(text, None)
        if task == "RE":
            return Annotations(relations=tuple(self._relations(found, offered)))
        events = (Event(t.type, t, tuple(self._arguments(t, found))) for t in request.sentence.triggers)
        return Annotations(events=tuple(events))

    def _relations(self, found: Sequence[Mention], offered: Collection[str]) -> Iterator[Relation]:
        for head, tail in permutations(found, 2):
            key = (head.text, tail.text)
            label = (
                self.pairs.label(key, offered)
                if key in self.pairs.seen
                else self.type_pairs.label((head.type, tail.type), offered)
            )
            if label is not None:
                yield Relation(label, head, tail)

    def _arguments(self, trigger: Mention, found: Sequence[Mention]) -> Iterator[Argument]:
        for mention in found:
            if (mention.start, mention.end) == (trigger.start, trigger.end):
                continue
            key = (trigger.type, mention.text)
            role = (
                self.roles.label(key, None)
                if key in self.roles.seen
                else self.type_roles.label((trigger.type, mention.type), None)
            )
            if role is not None:
                yield Argument(role, mention)


class _Strings:
    """Strings that are annotated in training, found again by longest match from left to right.

    Args:
        key: strings with the same key count as the same string.
    """

    def __init__(self, training: Iterable[tuple[str, tuple[Mention, ...]]], key: Callable[[str], str] = str) -> None:
        self.key = key
        annotated = [(text, align(Annotations(entities=mentions), text).entities) for text, mentions in training]
        known = {key(mention.text) for _, mentions in annotated for mention in mentions if mention.text}
        self.longest = max((len(_TOKEN.findall(string)) for string in known), default=0)
        self.table = Table()
        for text, mentions in annotated:
            types: defaultdict[tuple[int | None, int | None], set[str]] = defaultdict(set)
            for mention in mentions:
                types[mention.start, mention.end].add(mention.type)
            for start, end in self._spans(text, lambda string: key(string) in known):
                self.table.add(key(text[start:end]), types.get((start, end), set()))
        self.table.tune()

    def find(self, text: str, allowed: Collection[str] | None) -> list[Mention]:
        """Mentions in order of appearance, none overlapping another."""

        def label(string: str) -> str | None:
            return self.table.label(self.key(string), allowed)

        spans = self._spans(text, lambda string: label(string) is not None)
        return [Mention(label(text[start:end]) or "", text[start:end], start, end) for start, end in spans]

    def _spans(self, text: str, accept: Callable[[str], bool]) -> Iterator[tuple[int, int]]:
        tokens = [match.span() for match in _TOKEN.finditer(text)]
        place = 0
        while place < len(tokens):
            start = tokens[place][0]
            for last in range(min(place + self.longest, len(tokens)) - 1, place - 1, -1):
                if accept(text[start : tokens[last][1]]):
                    yield start, tokens[last][1]
                    place = last
                    break
            place += 1


def predict_with_dictionary(
    training: Iterable[Sentence],
    sentences: Sequence[Sentence],
    labels: Mapping[str, LabelSet],
    tasks: Sequence[Task],
    output: Path,
) -> dict[str, int]:
    """Predict a corpus with a dictionary of ``training`` into ``output/predictions.jsonl``.

    Args:
        labels: source -> its label set.

    Returns:
        Counts of all predictions there, see ``Journal``.

    Raises:
        DataError: a sentence's source has no label set.
    """
    dictionary = Dictionary(training)
    with Journal(output) as journal:
        for request in tqdm(list(requests_of(sentences, labels, tasks)), "dictionary", unit="answer", disable=None):
            sentence = request.sentence
            if (sentence.id, request.task) in journal.done:
                continue
            found = dictionary.answer(request)
            journal.write(
                Prediction(
                    id=sentence.id,
                    task=request.task,
                    source=sentence.source,
                    group=sentence.group,
                    annotations=found,
                )
            )
    return journal.counts
