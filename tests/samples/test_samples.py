"""Samples: what the label set, the budget and the seed make of annotated sentences."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from itertools import chain

import pytest
from hypothesis import given
from hypothesis import strategies as st
from samples_example import LABELS, LIBRARY, STYLE, WORLD, built, recipe, words
from tokenizers import Tokenizer, decoders, models
from tokenizers.pre_tokenizers import ByteLevel

from knowcoder.codec.model_card import ModelCard
from knowcoder.codec.parse import Offer, parse_answer
from knowcoder.codec.wrapper import Wrapper
from knowcoder.corpus.sentence import Event
from knowcoder.predict.engines import Completion
from knowcoder.predict.predict import Predictor, requests_of
from knowcoder.samples.budget import Budget, Draft
from knowcoder.samples.draw import Draw
from knowcoder.samples.following import Form, following_drafts, split
from knowcoder.samples.negatives import NegativeSampling, siblings
from knowcoder.samples.sample import Sample
from knowcoder.samples.understanding import definition_lengths, definition_samples, instance_drafts
from knowcoder.schema.render import Style


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


def offered(sample: Sample, task: str) -> list[str]:
    """The classes that a prompt asks for, without those that only its type hints name."""
    return [name for name in LABELS["world"].of(task) if f"class {name}(" in sample.prompt]  # type: ignore[arg-type]


def test_events_are_found_with_their_arguments_without_being_told() -> None:
    sentences = {sentence.id: sentence for sentence in WORLD.train}
    samples = built(recipe(NegativeSampling(fully_negative=0.0), tasks=["EE"]))
    assert len(samples) == len(WORLD.train)
    assert any(sentences[sample.id].events for sample in samples)
    for sample in samples:
        events = sentences[sample.id].events
        assert "events = [" not in sample.prompt
        assert {event.type for event in events} <= set(offered(sample, "ED"))
        parsed = parse_answer(sample.completion, Offer.of(LIBRARY, LIBRARY.names("event")), "EAE")
        assert parsed.problems == ()

        def said(events: Sequence[Event]) -> list[object]:
            return sorted(
                (e.type, e.trigger and e.trigger.text, sorted((a.role, a.mention.text) for a in e.arguments))
                for e in events
            )

        assert said(parsed.annotations.events) == said(events)


def test_siblings_are_offered_first_and_then_any() -> None:
    near = siblings(LIBRARY)
    for kind in ("entity", "relation", "event"):
        for concept in LIBRARY.of_kind(kind):
            assert concept.name in near[concept.name]
            assert {LIBRARY.by_name(name).parent for name in near[concept.name]} == {concept.parent}
    sampling = NegativeSampling(rate=2, fully_negative=0, near={"A": ("B", "C", "Z"), "D": ("E",)})
    names = list("ABCDEFGH")
    for seed in range(50):
        assert sorted(sampling.offer(["A"], names, Draw(str(seed)))[1]) == ["B", "C"]
        drawn = sampling.offer(["D"], names, Draw(str(seed)))[1]
        assert drawn[0] == "E"
        assert drawn[1] in set("ABCFGH")


@given(st.lists(st.integers(), unique=True, max_size=40), st.integers(0, 12))
def test_batches_hold_every_class_once_and_are_alike_in_size(classes: list[int], most: int) -> None:
    batches = split(classes, most)
    assert [name for batch in batches for name in batch] == classes
    assert all(batches)
    assert len(batches) == (-(-len(classes) // most) if most else len(classes) > 0)
    assert not batches or max(map(len, batches)) - min(map(len, batches)) <= 1


def test_classes_in_batches_divide_the_answer() -> None:
    sampling = NegativeSampling(whole=1.0)
    whole = {(s.id, s.kind): s for s in built(recipe(sampling))}
    parts: dict[tuple[str, str], list[Sample]] = {}
    for sample in built(recipe(sampling, Form(classes_per_prompt=4))):
        parts.setdefault((sample.id, sample.kind), []).append(sample)
    assert parts.keys() == whole.keys()
    several = 0
    for key, samples in parts.items():
        asked = [offered(sample, key[1]) for sample in samples]
        assert all(len(classes) <= 4 for classes in asked)
        several += len(samples) > 1
        assert sorted(chain.from_iterable(asked)) == sorted(offered(whole[key], key[1]))
        lines = [line for sample in samples for line in sample.completion.splitlines() if line.startswith("    ")]
        assert sorted(lines) == sorted(line for line in whole[key].completion.splitlines() if line.startswith("    "))
    assert several


def test_descriptions_and_examples_are_dropped_from_a_share_of_the_samples() -> None:
    form = Form(drop_descriptions=0.5, drop_examples=0.5)
    drafts = list(following_drafts(WORLD.train, recipe(form=form, tasks=["NER"])))
    prompts = [draft.write(draft.negatives, Style()).prompt for draft in drafts]
    described = ["settlement" in prompt.partition("sentence = ")[0].lower() for prompt in prompts]
    with_examples = ["Examples:" in prompt for prompt in prompts]
    assert len({*zip(described, with_examples, strict=True)}) == 4
    assert 0.3 < sum(with_examples) / len(prompts) < 0.7


class Recorder:
    """An engine that notes what it is asked and answers nothing."""

    def __init__(self) -> None:
        tokenizer = Tokenizer(models.BPE({c: i for i, c in enumerate(sorted(ByteLevel.alphabet()))}, []))
        tokenizer.pre_tokenizer, tokenizer.decoder = ByteLevel(add_prefix_space=False), decoders.ByteLevel()
        self.wrapper = Wrapper.of("plain", tokenizer, None, None)
        self.context, self.can_constrain = None, False
        self.asked: list[list[int]] = []

    def complete(
        self, prompts: Sequence[list[int]], _: object, __: int, progress: Callable[[int, Completion], None]
    ) -> list[Completion]:
        self.asked += prompts
        made = [Completion("results = []", 4, True) for _ in prompts]
        for index, completion in enumerate(made):
            progress(index, completion)
        return made


@pytest.mark.parametrize("dialect", ["clean", "released"])
def test_a_refined_model_is_asked_in_the_form_that_it_was_trained_in(dialect: str) -> None:
    """Offered the whole label set, whose order is shuffled for training, both say the same lines."""
    style = Style(dialect, examples=2)  # type: ignore[arg-type]
    sentences = WORLD.train[:20]
    engine = Recorder()
    card = ModelCard(style=style, tagged=True)
    predictor = Predictor(LIBRARY, engine, card, decoding="free")
    predictor.predict(list(requests_of(sentences, LABELS, ["NER", "RE", "ED", "EAE"])))
    made = recipe(NegativeSampling(whole=1.0), Form(tagged=True))
    samples = [draft.write(draft.negatives, style) for draft in following_drafts(sentences, made)]

    def lines(prompts: Sequence[list[int]]) -> list[list[str]]:
        return sorted(sorted(engine.wrapper.decode(ids).splitlines()) for ids in prompts)

    asked = [ids for ids in engine.asked if ids]
    assert lines(asked) == lines([engine.wrapper.prompt_ids(sample.prompt) for sample in samples])
    assert all("For DATASET world, " in engine.wrapper.decode(ids) for ids in asked)


def test_refinement_names_the_data_set() -> None:
    tagged, plain = built(recipe(form=Form(tagged=True))), built()
    assert all("DATASET world" in sample.prompt for sample in tagged)
    assert not any("DATASET" in sample.prompt for sample in plain)
    assert [sample.completion for sample in tagged] == [sample.completion for sample in plain]


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
    lengths = definition_lengths(LIBRARY, Style(), budget)
    samples = [sample for key in "12" for sample in definition_samples(LIBRARY, Style(), budget, lengths, key)]
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
        "import sys; sys.path.insert(0, sys.argv[1]); import hashlib, samples_example as t;"
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
