"""What each relaxation forgives, and the columns and profiles that are made of them."""

from __future__ import annotations

from itertools import permutations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from omegaconf import OmegaConf

from knowcoder import jsonl
from knowcoder.config import configs_dir
from knowcoder.config.keys import keys_of
from knowcoder.config.score import ScoreConfig
from knowcoder.corpus.sentence import Annotations, Argument, Event, LabelSet, Mention, Relation
from knowcoder.schema.concepts import TASKS, EntityType
from knowcoder.schema.library import SchemaLibrary
from knowcoder.score.match import Example, join, pair
from knowcoder.score.metrics import score
from knowcoder.score.mistakes import find_mistakes
from knowcoder.score.prediction import Prediction
from knowcoder.score.profiles import PROFILES
from knowcoder.score.published import published_for
from knowcoder.score.relax import RULES, Context, relaxed_columns, relaxed_keys
from tests.score.strategies import LABELS, predict, sentence, systems

LIBRARY = SchemaLibrary(
    (
        EntityType(id="thing", name="Firm"),
        EntityType(id="human", name="Human", parent="thing"),
        EntityType(id="poet", name="Poet", parent="human"),
        EntityType(id="sonneteer", name="Sonneteer", parent="poet"),
        EntityType(id="city", name="City"),
    )
)
TAXONOMY = Context.of(LIBRARY)
EVERYTHING = Context(
    TAXONOMY.ancestors,
    coarse={"City": "Firm"},
    head_word=lambda text, mention: mention.text.split()[-1],
    profiles=tuple(PROFILES.values()),
)


def entities(*found: tuple[str, str]) -> Annotations:
    return Annotations(tuple(Mention(*one) for one in found))


def example(gold: Annotations, predicted: Annotations, task: str = "NER") -> Example:
    return join([sentence(0, gold)], predict(0, predicted), LABELS, tasks=[task])[0]


def counts(gold: Annotations, predicted: Annotations, *rules: str, task: str = "NER", context: Context = EVERYTHING):
    one, other = relaxed_keys(example(gold, predicted, task), rules, context)
    right = sum(partner >= 0 for partner in pair(one, other, task))
    return right, len(other) - right, len(one) - right


def test_a_class_counts_as_its_ancestor_and_induction_comes_before_the_type_filter() -> None:
    gold, said = entities(("Human", "Ana")), entities(("Sonneteer", "Ana"))
    assert counts(gold, said) == (0, 1, 1)
    assert counts(gold, said, "type_filter") == (0, 0, 1)
    assert counts(gold, said, "superclass") == (1, 0, 0)
    assert counts(gold, said, "type_filter", "superclass") == (1, 0, 0)
    assert counts(entities(("Sonneteer", "Ana")), entities(("Human", "Ana")), "superclass")[0] == 0  # never downwards


def test_what_stands_for_an_offered_ancestor_is_not_filtered_away() -> None:
    assert counts(entities(("City", "Ana")), entities(("Poet", "Ana")), "superclass", "type_filter") == (0, 1, 1)


_depths = st.sampled_from(["Firm", "Human", "Poet", "Sonneteer", "City"])


@settings(max_examples=60)
@given(st.lists(_depths, max_size=4), st.lists(_depths, max_size=4))
def test_induction_pairs_as_many_as_can_be_paired(gold, said) -> None:
    labels = {"one": LabelSet(entities=("Firm", "Human", "Poet", "Sonneteer", "City"))}
    whole, guess = (entities(*((name, "Ana") for name in names)) for names in (gold, said))
    one = join([sentence(0, whole)], predict(0, guess), labels, tasks=["NER"])[0]
    keys = relaxed_keys(one, ["superclass"], TAXONOMY)
    found = sum(partner >= 0 for partner in pair(*keys, "NER"))

    def fits(one: str, other: str) -> bool:
        return one == other or one in TAXONOMY.ancestors.get(other, ())

    orders = permutations([*gold, *[""] * len(said)], len(said))
    assert found == max(sum(map(fits, order, said)) for order in orders)


@pytest.mark.parametrize(
    ("rules", "gold", "said", "expected"),
    [
        (["text_filter"], [("City", "Oslo")], [("City", "Oslo"), ("City", "Rome")], (1, 0, 0)),
        (["text_filter"], [("City", "Oslo")], [("City", "OSLO")], (0, 0, 1)),
        (["as_often_as_said"], [("Human", "Bo")], [("Human", "Bo")] * 3, (1, 1, 0)),
        (["as_often_as_said"], [], [("City", "Rome")], (0, 0, 0)),
        (["letter_case"], [("City", "Oslo")], [("City", " oslo")], (1, 0, 0)),
        (["normalized_text"], [("City", "Oslo")], [("City", "the Oslo;")], (1, 0, 0)),
        (["normalized_text"], [("City", "Oslo")], [("City", "theOslo")], (0, 1, 1)),
        (["head_words"], [("City", "Oslo")], [("City", "Bo in Oslo")], (1, 0, 0)),
        (["coarse"], [("Firm", "Oslo")], [("City", "Oslo")], (1, 0, 0)),
        (["coarse", "type_filter"], [("City", "Oslo")], [("Firm", "Oslo")], (1, 0, 0)),
        (["distinct"], [("City", "Oslo")] * 2, [("City", "Oslo")] * 3, (1, 0, 0)),
    ],
)
def test_rules_on_entities(rules, gold, said, expected) -> None:
    assert counts(entities(*gold), entities(*said), *rules) == expected


def test_rules_on_relations_and_arguments() -> None:
    ana, bo = Mention("Human", "Ana"), Mention("Human", "Bo")
    reflexive = Annotations(relations=(Relation("Firm", ana, ana), Relation("Firm", ana, bo)))
    good = Annotations(relations=(Relation("Firm", ana, bo),))
    assert counts(good, reflexive, "no_reflexive", task="RE") == (1, 0, 0)

    def event(trigger: str) -> Annotations:
        return Annotations(events=(Event("Firm", Mention("Firm", trigger), (Argument("agent", ana),)),))

    assert counts(event("met"), event("paid"), task="EAE") == (0, 1, 1)
    assert counts(event("met"), event("paid"), "no_trigger", task="EAE") == (1, 0, 0)


@settings(max_examples=40)
@given(systems())
def test_columns_that_skip_what_is_right_count_as_the_rules_themselves_do(case) -> None:
    gold, predictions = case
    examples = join(gold, predictions, LABELS)
    for task, numbers in score(gold, predictions, LABELS, context=EVERYTHING).tasks.items():
        found = numbers.columns | {name: profile.score for name, profile in numbers.profiles.items()}
        for name, rules in relaxed_columns(task, EVERYTHING).items():
            totals = [0, 0, 0]
            for one in (example for example in examples if example.task == task):
                whole, said = relaxed_keys(one, rules, EVERYTHING)
                right = sum(partner >= 0 for partner in pair(whole, said, task))
                totals = [totals[0] + right, totals[1] + len(said) - right, totals[2] + len(whole) - right]
            assert [found[name].tp, found[name].fp, found[name].fn] == totals


def test_an_answer_of_a_class_that_was_not_offered_is_wrong_but_under_the_type_filter() -> None:
    gold = [sentence(0, entities(("Human", "Ana")))]
    said = Prediction(
        id="s0",
        task="NER",
        annotations=entities(("Human", "Ana")),
        not_offered=entities(("Ship", "Oslo")),
        problems=("unknown class: Ship",),
    )
    columns = score(gold, [said], LABELS).tasks["NER"].columns
    wrong = {name: (one.tp, one.fp, one.fn) for name, one in columns.items()}
    assert wrong.pop("type_filter") == (1, 0, 0)
    assert set(wrong.values()) == {(1, 1, 0)}
    mistakes = find_mistakes(join(gold, [said], LABELS))
    assert [(m.kind, m.predicted and m.predicted.type) for m in mistakes] == [("unknown class", "Ship")]


def test_columns_stand_only_where_their_needs_are_met() -> None:
    assert list(relaxed_columns("NER", Context())) == ["distinct", "type_filter", "text_filter"]
    assert list(relaxed_columns("NER", EVERYTHING)) == [
        *("distinct", "superclass", "type_filter", "text_filter", "head_words", "coarse"),
        *PROFILES,
    ]
    assert "uniner" not in relaxed_columns("RE", EVERYTHING)


def test_profiles_are_choices_of_the_key_and_made_of_known_rules() -> None:
    choices = next(key.choices for key in keys_of(ScoreConfig) if key.name == "profile")
    assert tuple(PROFILES) == choices
    for profile in PROFILES.values():
        assert profile.reference
        for rules in profile.rules.values():
            assert set(rules) <= set(RULES)


def test_the_coarse_classes_of_ace_are_those_that_its_labels_begin_with() -> None:
    coarse = jsonl.read_json(configs_dir() / "coarse" / "ace05-ee.json", dict[str, str])
    events = OmegaConf.load(configs_dir() / "benchmark" / "ace05-ee.yaml").events
    assert coarse == {event.name: label.partition(":")[0] for label, event in events.items()}
    assert (len(coarse), len(set(coarse.values()))) == (33, 8)


def test_published_numbers_are_given_for_the_same_profile_and_benchmark_alone() -> None:
    rows = published_for("knowcoder-paper", "NER", ["crossner-ai"])
    assert {(row.system, row.f1["crossner-ai"]) for row in rows if row.setting == "zero-shot"} == {
        ("KnowCoder-7B", 60.3)
    }
    assert published_for("knowcoder-paper", "NER", ["world"]) == []
    assert published_for("iepile", "NER", ["crossner-ai"]) == []
    assert {task for task in TASKS if published_for("knowcoder-paper", task, ["conll04", "ace05-ee", "gids"])} == {
        "RE",
        "ED",
        "EAE",
    }
