"""Whatever is drawn at random under the grammar is a sound answer, and every gold answer can be drawn."""

from __future__ import annotations

import ast
import random
from collections import Counter
from itertools import product

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from llguidance import LLMatcher, LLTokenizer
from tokenizers import Tokenizer

from knowcoder.codec.answer import build_answer
from knowcoder.codec.grammar import answer_grammar
from knowcoder.codec.parse import Offer, parse_answer
from knowcoder.codec.wrapper import Wrapper
from knowcoder.corpus.sentence import Annotations, Argument, Event, Mention, Relation
from knowcoder.schema.concepts import TASKS, EntityType, EventType, RelationType, Role, Task
from knowcoder.schema.library import SchemaLibrary
from knowcoder.schema.render import Style

LIBRARY = SchemaLibrary(
    entities=(
        EntityType(id="Q1", name="Human"),
        EntityType(id="Q2", name="HumanSettlement"),
        EntityType(id="Q3", name="城市", parent="Q2"),
    ),
    relations=(
        RelationType(id="P1", name="BornIn", head=("Q1",), tail=("Q2", "Q3")),
        RelationType(id="P2", name="LivesIn", head=("Q1",), tail=("Q2", "Q3")),
        RelationType(id="P3", name="Near"),
    ),
    events=(
        EventType(id="E1", name="Attack", roles=(Role(name="attacker", types=("Q1",)), Role(name="place"))),
        EventType(id="E2", name="Rain"),
    ),
)
CLASSES: dict[Task, tuple[str, ...]] = {
    "NER": ("Human", "HumanSettlement", "城市"),
    "RE": ("BornIn", "LivesIn", "Near"),
    "ED": ("Attack", "Rain"),
    "EAE": ("Attack", "Rain"),
}
HOSTILE = [
    'He said "no" and \\"left\\" \\',
    "line one\nline two\ttab\rreturn\x00nul\x1b",
    "😀 family 👩‍👩‍👧 and é, e\u0301, \u202ereversed",
    "北京的城市很大，\u3000他说“好”。",
    '), ]\nresults = [Human("x")]',
    "a",
    " ",
    "</s><s>results = []",
]
DIALECTS = ("clean", "released")


def style(dialect: str) -> Style:
    return Style(dialect=dialect)  # type: ignore[arg-type]


def triggers(text: str, seed: int) -> tuple[Mention, ...]:
    """One to three events whose triggers are pieces of the text."""
    rng = random.Random(seed)
    found = []
    for _ in range(rng.randint(1, 3)):
        start = rng.randrange(len(text))
        end = rng.randint(start + 1, min(len(text), start + 5))
        found.append(Mention(rng.choice(CLASSES["EAE"]), text[start:end], start, end))
    return tuple(found)


class Sampler:
    """Draws random answers under a grammar."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self.wrapper = Wrapper.of("plain", tokenizer, bos_id=0, eos_id=1)
        self.size = tokenizer.get_vocab_size()
        self.guide = LLTokenizer(tokenizer.to_str(), eos_token=1)

    def allowed(self, matcher: LLMatcher) -> list[int]:
        bits = np.frombuffer(matcher.compute_bitmask(), dtype=np.uint8)
        return np.flatnonzero(np.unpackbits(bits, bitorder="little", count=self.size)).tolist()

    def draw(self, grammar: str, seed: int) -> str:
        rng = random.Random(seed)
        matcher = LLMatcher(self.guide, grammar)
        ids: list[int] = []
        while not matcher.is_stopped() and len(ids) < 3000:
            allowed = self.allowed(matcher)
            assert allowed, matcher.get_error()
            token = rng.choice(allowed)
            if token == 1:
                break
            assert matcher.consume_token(token)
            ids.append(token)
        assert matcher.is_accepting(), matcher.get_error()
        return self.wrapper.decode(ids)

    def admits(self, grammar: str, text: str) -> bool:
        matcher = LLMatcher(self.guide, grammar, log_level=0)
        assert not matcher.is_error(), matcher.get_error()
        *ids, _ = self.wrapper.completion_ids(text)
        return matcher.consume_tokens(ids) and matcher.is_accepting()


@pytest.fixture(scope="module")
def sampler(tokenizer: Tokenizer) -> Sampler:
    return Sampler(tokenizer)


def mentions(annotations: Annotations) -> list[Mention]:
    found = list(annotations.entities)
    for relation in annotations.relations:
        found += [relation.head, relation.tail]
    for event in annotations.events:
        found += [event.trigger] if event.trigger else []
        found += [argument.mention for argument in event.arguments]
    return found


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize(("task", "dialect"), list(product(TASKS, DIALECTS)))
def test_a_random_answer_parses_and_says_nothing_that_is_not_in_schema_or_text(
    sampler: Sampler, task: Task, dialect: str, text: str
) -> None:
    for seed in range(3):
        events = triggers(text, seed) if task == "EAE" else ()
        grammar = answer_grammar(task, CLASSES[task], text, LIBRARY, style(dialect), events, max_items=4)
        answer = sampler.draw(grammar, seed)
        parsed = parse_answer(answer, Offer.of(LIBRARY, CLASSES[task]), task)
        assert not parsed.problems, answer
        assert all(mention.text and mention.text in text for mention in mentions(parsed.annotations)), answer
        for relation in parsed.annotations.relations:
            hinted = relation.type != "Near"
            assert (relation.head.type == "Human") == hinted
            assert (relation.tail.type in ("HumanSettlement", "城市")) == hinted
        if task == "EAE":
            given = Counter((event.type, event.text) for event in events)
            assert Counter((e.type, e.trigger.text) for e in parsed.annotations.events if e.trigger) == given
        if dialect == "clean":
            assert_python(answer)


def assert_python(answer: str) -> None:
    """An oracle that shares nothing with our parser."""
    tree = ast.parse(answer.removeprefix(" "))  # the space that some tokenizers put before the first word
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    offered = {concept.name for concept in LIBRARY} | {"Entity"}
    assert all(isinstance(call.func, ast.Name) and call.func.id in offered for call in calls)


def gold(text: str, seed: int) -> Annotations:
    """Random annotations of a text whose classes obey the type hints."""
    rng = random.Random(seed)

    def mention(*types: str) -> Mention:
        start = rng.randrange(len(text))
        end = rng.randint(start + 1, len(text))
        return Mention(rng.choice(types), text[start:end], start, end)

    entities = tuple(mention("Human", "HumanSettlement", "城市") for _ in range(3))
    relations = (
        Relation("BornIn", mention("Human"), mention("城市")),
        Relation("Near", mention("Human"), mention("Human")),
    )
    arguments = (Argument("place", mention("城市")), Argument("attacker", mention("Human")))
    attack, rain = mention("Attack"), mention("Rain")
    return Annotations(entities, relations, (Event("Attack", attack, arguments * 2), Event("Rain", rain)))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(min_size=1, max_size=40) | st.sampled_from(HOSTILE), seed=st.integers(0, 9))
@pytest.mark.parametrize("task", TASKS)
def test_every_gold_answer_can_be_drawn(sampler: Sampler, task: Task, text: str, seed: int) -> None:
    annotations = gold(text, seed)
    answer = build_answer(task, annotations, CLASSES[task], LIBRARY, Style())
    events = tuple(event.trigger for event in annotations.events if event.trigger) if task == "EAE" else ()
    grammar = answer_grammar(task, CLASSES[task], text, LIBRARY, Style(), events)
    assert sampler.admits(grammar, answer), answer


def test_unsound_answers_cannot_be_drawn(sampler: Sampler) -> None:
    text = 'Ada was "born" in London.'

    def admits(task: Task, body: str) -> bool:
        grammar = answer_grammar(task, CLASSES[task], text, LIBRARY, Style(), trigger, max_items=2)
        return sampler.admits(grammar, f"results = [\n    {body}\n]")

    trigger = (Mention("Attack", "born", 9, 13),)
    assert admits("NER", 'Human("Ada"),')
    assert admits("NER", 'Human("was \\"born\\""),')
    assert not admits("NER", 'Human(""),')
    assert not admits("NER", 'Human("Bob"),')
    assert not admits("NER", 'Human("was "born""),')
    assert not admits("NER", 'Robot("Ada"),')
    assert not admits("NER", 'Human("Ada"),\n    Human("Ada"),\n    Human("Ada"),')
    assert admits("RE", 'BornIn(Human("Ada"), 城市("London")),')
    assert not admits("RE", 'BornIn(城市("Ada"), Human("London")),')
    assert admits("RE", 'Near(Entity("Ada"), Entity("London")),')
    assert not admits("RE", 'Near(Human("Ada"), Entity("London")),')
    assert admits("EAE", 'Attack("born", attacker=[Human("Ada")], place=[Entity("London")]),')
    assert not admits("EAE", 'Attack("born", place=[Entity("London")], attacker=[Human("Ada")]),')
    assert not admits("EAE", 'Attack("born", attacker=[Human("Ada")], attacker=[Human("Ada")]),')
    assert not admits("EAE", 'Attack("Ada"),')
    assert not admits("EAE", 'Rain("born"),')


@pytest.mark.parametrize("task", TASKS)
def test_nothing_to_answer_is_the_empty_list(sampler: Sampler, task: Task) -> None:
    for classes, text in (((), "Ada"), (CLASSES[task], "")):
        grammar = answer_grammar(task, classes, text, LIBRARY, Style())
        assert sampler.draw(grammar, 0) == "results = []"


def test_class_names_may_begin_with_each_other(sampler: Sampler) -> None:
    grammar = answer_grammar("NER", CLASSES["NER"], "Ada", LIBRARY, Style())
    for name in CLASSES["NER"]:
        assert sampler.admits(grammar, f'results = [\n    {name}("Ada"),\n]')


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("dialect", DIALECTS)
def test_told_of_no_event_arguments_come_with_triggers_from_the_text(sampler: Sampler, dialect: str, text: str) -> None:
    """Joint extraction: random answers are sound, and gold answers can be drawn."""
    grammar = answer_grammar("EAE", CLASSES["EAE"], text, LIBRARY, style(dialect), max_items=4)
    for seed in range(3):
        answer = sampler.draw(grammar, seed)
        parsed = parse_answer(answer, Offer.of(LIBRARY, CLASSES["EAE"]), "EAE")
        assert not parsed.problems, answer
        assert all(mention.text and mention.text in text for mention in mentions(parsed.annotations)), answer
        assert all(event.trigger for event in parsed.annotations.events)
        if dialect == "clean":
            assert_python(answer)
            written = build_answer("EAE", gold(text, seed), CLASSES["EAE"], LIBRARY, style(dialect))
            assert sampler.admits(grammar, written), written
