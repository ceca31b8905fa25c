"""Samples: what the label set, the budget and the seed make of annotated sentences."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers

from knowcoder.codec.parse import Offer, parse_answer
from knowcoder.codec.wrapper import Wrapper
from knowcoder.corpus.sentence import LabelSet
from knowcoder.samples.budget import Budget, Draft
from knowcoder.samples.draw import Draw
from knowcoder.samples.following import Form, Recipe, SampleTask, following_drafts
from knowcoder.samples.negatives import NegativeSampling
from knowcoder.samples.sample import Sample
from knowcoder.samples.understanding import definition_samples, instance_drafts
from knowcoder.schema.concepts import TASKS
from knowcoder.schema.library import SchemaLibrary
from knowcoder.schema.render import Style
from knowcoder.world.generate import generate_world

WORLD = generate_world(3, 60, 8)
LIBRARY = SchemaLibrary(tuple(WORLD.entities), tuple(WORLD.relations), tuple(WORLD.events))
LABELS = {
    "world": LabelSet(
        entities=LIBRARY.names("entity"), relations=LIBRARY.names("relation"), events=LIBRARY.names("event")
    )
}
STYLE = Style(descriptions=False, examples=0)


def words() -> Wrapper:
    """A tokenizer whose tokens are words: every one is <unk>, but they can be counted."""
    tokenizer = Tokenizer(models.WordLevel({"<unk>": 0}, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    return Wrapper.of("plain", tokenizer, 1, 2)


def recipe(
    sampling: NegativeSampling | None = None, form: Form | None = None, tasks: Sequence[SampleTask] = TASKS
) -> Recipe:
    return Recipe(LIBRARY, LABELS, tasks, sampling or NegativeSampling(), form or Form(), "1")


def built(made: Recipe | None = None, max_length: int = 4000) -> list[Sample]:
    return list(Budget(words(), max_length).fit(following_drafts(WORLD.train, made or recipe()), STYLE))


@given(st.integers(0, 6), st.integers(1, 30), st.floats(0, 2), st.integers(0, 1000))
def test_negatives_are_other_classes_in_the_published_number(gold: int, others: int, rate: float, seed: int) -> None:
    names = [f"C{i}" for i in range(gold + others)]
    sampling = NegativeSampling(rate=rate, fully_negative=0.0)
    kept, negatives = sampling.offer(names[:gold], names, Draw(str(seed)))
    assert kept == names[:gold]
    assert not set(negatives) & set(kept)
    assert len(set(negatives)) == len(negatives)
    assert len(negatives) == min(others, -int(-rate * gold // 1) if gold else 5)


def test_fully_negative_samples_offer_no_gold_and_answer_nothing() -> None:
    samples = built(recipe(NegativeSampling(fully_negative=1.0)))
    assert {s.completion for s in samples if s.kind != "EAE"} == {"results = []"}


def test_the_whole_label_set_is_offered_where_asked() -> None:
    ner = [s for s in built(recipe(NegativeSampling(whole=1.0))) if s.kind == "NER"]
    assert all(f"class {name}(" in sample.prompt for sample in ner for name in LIBRARY.names("entity"))


def test_answers_read_back_as_the_annotations() -> None:
    sentences = {sentence.id: sentence for sentence in WORLD.train}
    for sample in built(recipe(NegativeSampling(fully_negative=0.0))):
        sentence, task = sentences[sample.id], sample.kind
        offer = Offer.of(LIBRARY, sentence.classes(task))  # type: ignore[arg-type]
        parsed = parse_answer(sample.completion, offer, task)  # type: ignore[arg-type]
        assert parsed.problems == ()
        if task == "NER":
            assert sorted((m.type, m.text) for m in parsed.annotations.entities) == sorted(
                (m.type, m.text) for m in sentence.entities
            )
        if task == "RE":
            assert sorted((r.type, r.head.text, r.tail.text) for r in parsed.annotations.relations) == sorted(
                (r.type, r.head.text, r.tail.text) for r in sentence.relations
            )


def test_no_sample_is_longer_than_the_budget_and_none_loses_sentence_or_answer() -> None:
    whole = {(s.id, s.kind): s for s in built(recipe(NegativeSampling(rate=9)))}
    budget = Budget(words(), 110)
    drafts = following_drafts(WORLD.train, recipe(NegativeSampling(rate=9)))
    kept = list(budget.fit(drafts, STYLE))
    assert budget.shortened > 0
    assert len(kept) + budget.rejected.total() == len(whole)
    for sample in kept:
        full = whole[sample.id, sample.kind]
        assert budget.length(sample) <= 110
        assert sample.completion == full.completion
        assert sample.prompt.splitlines()[-1] == full.prompt.splitlines()[-1]


def test_what_goes_first_is_negatives_then_examples_then_descriptions() -> None:
    written: list[tuple[int, Style]] = []

    def write(negatives: Sequence[str], style: Style) -> Sample:
        written.append((len(negatives), style))
        size = 5 + 10 * len(negatives) + (20 if style.examples else 0) + (20 if style.descriptions else 0)
        return Sample("w " * size, "answer", "NER", "x")

    def last(max_length: int) -> tuple[int, int, bool]:
        list(Budget(words(), max_length).fit(iter([Draft(("a", "b", "c"), write)]), Style(examples=3)))
        number, style = next(
            (n, s) for n, s in reversed(written) if Budget(words(), 999).length(write(["x"] * n, s)) <= max_length
        )
        return number, style.examples, style.descriptions

    assert last(200) == (3, 3, True)
    assert last(70) == (2, 3, True)
    assert last(50) == (0, 3, True)
    assert last(40) == (0, 0, True)
    assert last(15) == (0, 0, False)


def test_what_does_not_fit_at_all_is_counted() -> None:
    budget = Budget(words(), 12)
    drafts = following_drafts(WORLD.train, recipe(tasks=["NER"]))
    kept = list(budget.fit(drafts, STYLE))
    assert len(kept) + budget.rejected.total() == len(WORLD.train)
    assert budget.rejected.total() > 0


def test_every_concept_is_defined_once_per_pass() -> None:
    budget = Budget(words(), 150)
    samples = [sample for key in "12" for sample in definition_samples(LIBRARY, Style(), budget, key)]
    code = "\n".join(sample.completion for sample in samples)
    assert all(sample.prompt == "" and budget.length(sample) <= 150 for sample in samples)
    assert budget.rejected.total() == 0
    for name in (concept.name for concept in LIBRARY):
        assert code.count(f"class {name}(") >= 2


def test_instance_code_shows_the_sentence_and_every_instance_of_one_class() -> None:
    drafts = list(instance_drafts(WORLD.train, LIBRARY))
    samples = [draft.write((), Style()) for draft in drafts]
    expected = sum(len(s.classes("NER")) + len(s.classes("RE")) + len(s.classes("EAE")) for s in WORLD.train)
    assert len(samples) == expected
    assert all("sentence = " in s.completion and "results = [" in s.completion for s in samples)


@pytest.mark.parametrize("hash_seed", ["0", "1"])
def test_the_same_seed_gives_the_same_bytes_whatever_the_hash_seed(hash_seed: str) -> None:
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import hashlib, test_samples as t;"
        "print(hashlib.sha256(repr(t.built()).encode()).hexdigest())"
    )
    environment = os.environ | {"PYTHONHASHSEED": hash_seed}
    done = subprocess.run(
        [sys.executable, "-c", code, os.path.dirname(__file__)],
        capture_output=True,
        text=True,
        env=environment,
        check=True,
    )
    import hashlib

    assert done.stdout.strip() == hashlib.sha256(repr(built()).encode()).hexdigest()
