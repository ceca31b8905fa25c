"""Relaxations: rules that forgive what ``strict`` does not, each a column of its own beside it.

A column applies its rules to one example and compares what is left by the strict keys, one to one as ever. Whatever
their order in a column, rules work in the order of ``RULES``: on texts first, on classes next (superclass induction
before the type filter), on repeats last.
"""

from __future__ import annotations

import re
import string
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from msgspec.structs import replace

from knowcoder.corpus.class_methods import Rules, apply_rules, rules_of
from knowcoder.corpus.sentence import Annotations, Mention
from knowcoder.schema.concepts import Task
from knowcoder.schema.library import SchemaLibrary
from knowcoder.score.match import COLUMNS, Example, Key, pair

Rule = Literal[
    "class_methods",
    "text_filter",
    "as_often_as_said",
    "no_reflexive",
    "letter_case",
    "normalized_text",
    "head_words",
    "no_trigger",
    "coarse",
    "superclass",
    "type_filter",
    "distinct",
]

#: Rule -> what it forgives, in the words of the report.
RULES: dict[Rule, str] = {
    "class_methods": "predictions are first finished by the rules of the library's classes",
    "text_filter": "predictions of what the sentence does not say are dropped",
    "as_often_as_said": "predictions of what the sentence does not say, or not as often, are dropped; case aside",
    "no_reflexive": "predicted relations of a mention with itself are dropped",
    "letter_case": "texts are compared without case and outer blanks",
    "normalized_text": "texts are compared without case, punctuation, articles and further blanks",
    "head_words": "mentions are compared by their head words, as a dependency parser finds them",
    "no_trigger": "arguments are compared without their event's trigger",
    "coarse": "classes are replaced by coarser ones, on both sides, by a given map",
    "superclass": "a predicted class counts as one of its ancestors, where gold has that one or only that was offered",
    "type_filter": "predictions of classes outside the label set are dropped",
    "distinct": "both sides are sets: repeats neither help nor harm",
}

HeadWord = Callable[[str, Mention], str]


@dataclass(frozen=True, slots=True)
class Profile:
    """The rules by which a paper's numbers were made: a column that is not comparable with ``strict``.

    Attributes:
        rules: by task; the profile says nothing of a task that is not there.
        reference: the paper, and where its scorer can be read.
        note: where this column and the paper's own scorer still differ.
    """

    name: str
    rules: Mapping[Task, tuple[Rule, ...]]
    reference: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Context:
    """What relaxations need beside the examples; a column stands only where its need is met.

    Attributes:
        ancestors: class -> its ancestors, nearest first.
        class_rules: class -> the rules that finish its predictions.
        coarse: class -> coarser class; a class that is not there stays as it is.
        head_word: the head word of a mention in a text.
        profiles: further columns.
    """

    ancestors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    class_rules: Rules = field(default_factory=dict)
    coarse: Mapping[str, str] = field(default_factory=dict)
    head_word: HeadWord | None = None
    profiles: tuple[Profile, ...] = ()

    @classmethod
    def of(cls, library: SchemaLibrary) -> Context:
        """The taxonomy and the rules of a library."""
        ancestors = {
            concept.name: tuple(library.by_id(id).name for id in library.ancestors(concept.id))
            for concept in library
            if concept.parent is not None
        }
        return cls(ancestors, rules_of(library))

    def has(self, rule: Rule) -> bool:
        """Whether what a rule needs is there."""
        needs: dict[Rule, object] = {
            "class_methods": self.class_rules,
            "coarse": self.coarse,
            "superclass": self.ancestors,
            "head_words": self.head_word,
        }
        return bool(needs.get(rule, True))


#: The rules that stand as columns of their own, in the order of the report.
_ALONE: tuple[Rule, ...] = (
    "distinct",
    "superclass",
    "type_filter",
    "text_filter",
    "class_methods",
    "head_words",
    "coarse",
)


def relaxed_columns(task: Task, context: Context) -> dict[str, tuple[Rule, ...]]:
    """Column -> its rules: the relaxations, then the profiles that know the task."""
    columns: dict[str, tuple[Rule, ...]] = {rule: (rule,) for rule in _ALONE if context.has(rule)}
    return columns | {profile.name: profile.rules[task] for profile in context.profiles if task in profile.rules}


def relaxed_keys(example: Example, rules: Collection[Rule], context: Context) -> tuple[list[Key], list[Key]]:
    """The keys of gold and of predictions of an example under the rules of one column."""
    text, gold, predicted = example.sentence.text, example.gold, example.predicted
    if "class_methods" in rules:
        predicted = apply_rules(context.class_rules, text, predicted)
    if "text_filter" in rules:
        predicted = _kept(predicted, lambda mention: mention.text in text)
    if "as_often_as_said" in rules:
        predicted = _as_often_as_said(predicted, text)
    if "no_reflexive" in rules:
        predicted = replace(predicted, relations=tuple(r for r in predicted.relations if r.head.text != r.tail.text))
    for spell in _spellings(text, rules, context):
        gold, predicted = _respelled(gold, spell), _respelled(predicted, spell)
    if "no_trigger" in rules:
        gold, predicted = _without_triggers(gold), _without_triggers(predicted)
    strict = COLUMNS[example.task]["strict"]
    return _relaxed_classes(example, strict(gold), strict(predicted), rules, context)


# -- rules on texts ------------------------------------------------------------------------------------------------


def _kept(annotations: Annotations, is_kept: Callable[[Mention], bool]) -> Annotations:
    """Annotations without the mentions that are not kept, and without what cannot be without them."""
    return Annotations(
        tuple(mention for mention in annotations.entities if is_kept(mention)),
        tuple(r for r in annotations.relations if is_kept(r.head) and is_kept(r.tail)),
        tuple(
            replace(event, arguments=tuple(argument for argument in event.arguments if is_kept(argument.mention)))
            for event in annotations.events
            if event.trigger is None or is_kept(event.trigger)
        ),
    )


def _as_often_as_said(annotations: Annotations, text: str) -> Annotations:
    """Drop what the text does not say, and entities and triggers beyond the times that it says them."""
    lower = text.lower()
    said = _kept(annotations, lambda mention: mention.text.lower().strip() in lower)
    seen: Counter[str] = Counter()

    def is_in_time(mention: Mention | None) -> bool:
        spelled = mention.text.lower() if mention else ""
        seen[spelled] += 1
        return not spelled or seen[spelled] <= lower.count(spelled)

    entities = tuple(mention for mention in said.entities if is_in_time(mention))
    return replace(said, entities=entities, events=tuple(event for event in said.events if is_in_time(event.trigger)))


def _spellings(text: str, rules: Collection[Rule], context: Context) -> list[Callable[[Mention], str]]:
    """How the rules spell a mention, one after the other."""
    found: list[Callable[[Mention], str]] = []
    head_word = context.head_word
    if "head_words" in rules and head_word:
        found.append(lambda mention: head_word(text, mention))
    if "letter_case" in rules:
        found.append(lambda mention: mention.text.lower().strip())
    if "normalized_text" in rules:
        found.append(lambda mention: _normalized(mention.text))
    return found


_PUNCTUATION = str.maketrans("", "", string.punctuation)
_ARTICLES = re.compile(r"\b(?:a|an|the)\b")


def _normalized(text: str) -> str:
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def _respelled(annotations: Annotations, spell: Callable[[Mention], str]) -> Annotations:
    return annotations.mapped(lambda mention: replace(mention, text=spell(mention)))


def _without_triggers(annotations: Annotations) -> Annotations:
    return replace(annotations, events=tuple(replace(event, trigger=None) for event in annotations.events))


# -- rules on classes, the first element of a strict key -----------------------------------------------------------


def _relaxed_classes(
    example: Example, gold: list[Key], predicted: list[Key], rules: Collection[Rule], context: Context
) -> tuple[list[Key], list[Key]]:
    labels: Collection[str] = example.labels
    if "coarse" in rules:
        coarse = context.coarse
        labels = {coarse.get(name, name) for name in labels}
        gold, predicted = ([(coarse.get(key[0], key[0]), *key[1:]) for key in keys] for keys in (gold, predicted))
    if "superclass" in rules:
        predicted = _lifted(gold, predicted, example.task, labels, context.ancestors)
    if "type_filter" in rules:
        predicted = [key for key in predicted if key[0] in labels]
    if "distinct" in rules:
        gold, predicted = list(dict.fromkeys(gold)), list(dict.fromkeys(predicted))
    return gold, predicted


def _lifted(
    gold: Sequence[Key],
    predicted: Sequence[Key],
    task: Task,
    labels: Collection[str],
    ancestors: Mapping[str, tuple[str, ...]],
) -> list[Key]:
    """Predicted keys with the classes of ancestors, where gold has such a key, else where only that is a label.

    The deepest gold class chooses first: what stands below it stands below its ancestors too, so that no other
    order pairs more.
    """
    lifted, partners = list(predicted), pair(gold, predicted, task)
    wrong = [j for j, partner in enumerate(partners) if partner < 0 and predicted[j][0] in ancestors]
    if not wrong:
        return lifted
    taken = {partner for partner in partners if partner >= 0}
    open_gold = [key for place, key in enumerate(gold) if place not in taken]
    for key in sorted(open_gold, key=lambda key: -len(ancestors.get(key[0], ()))):
        below = (j for j in wrong if key[0] in ancestors[predicted[j][0]] and _same_rest(key, predicted[j], task))
        place = next(below, None)
        if place is not None:
            wrong.remove(place)
            lifted[place] = (key[0], *predicted[place][1:])
    for j in wrong:
        name = predicted[j][0]
        if name not in labels:
            nearest = next((ancestor for ancestor in ancestors[name] if ancestor in labels), name)
            lifted[j] = (nearest, *predicted[j][1:])
    return lifted


def _same_rest(one: Key, other: Key, task: Task) -> bool:
    if task == "EAE" and (one[1] is None or other[1] is None):
        return one[2:] == other[2:]
    return one[1:] == other[1:]
