"""The parser is total and safe, gives back what was rendered, and reads what models write instead."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from codec_example import ANNOTATIONS, CLASSES, LIBRARY
from hypothesis import given, settings
from hypothesis import strategies as st

from knowcoder.codec.answer import build_answer
from knowcoder.codec.parse import Offer, ParsedAnswer, parse_answer
from knowcoder.codec.prompt import build_prompt
from knowcoder.codec.scan import MAX_LENGTH, MAX_OBJECTS
from knowcoder.corpus.sentence import Annotations, Argument, Event, Mention, Relation
from knowcoder.schema.concepts import TASKS, EventType, RelationType, Task
from knowcoder.schema.render import Style

AWKWARD = ['"', "\\", "\n", ")", "]", ",", "(", "results = [", "#", "x", " ", "```\n"]
MENTIONS = st.one_of(st.text(min_size=1), st.lists(st.sampled_from(AWKWARD), min_size=1).map("".join))
OFFERS: dict[Task, Offer] = {task: Offer.of(LIBRARY, CLASSES[task]) for task in TASKS}


@st.composite
def annotations(draw: st.DrawFn, task: Task, texts: st.SearchStrategy[str] = MENTIONS) -> Annotations:
    """Annotations as answers give them: arguments named by hinted classes, roles in the order declared."""

    def slot(types: tuple[str, ...]) -> st.SearchStrategy[Mention]:
        names = [LIBRARY.by_id(id).name for id in types] or ["Entity"]
        return st.builds(Mention, st.sampled_from(names), texts)

    name = st.sampled_from(CLASSES[task])
    if task == "NER":
        return Annotations(tuple(draw(st.lists(st.builds(Mention, name, texts), max_size=4))))
    found: list[Any] = []
    for _ in range(draw(st.integers(0, 4))):
        concept = LIBRARY.by_name(draw(name))
        if isinstance(concept, RelationType):
            found.append(Relation(concept.name, draw(slot(concept.head)), draw(slot(concept.tail))))
        elif isinstance(concept, EventType):
            trigger = Mention(concept.name, draw(texts))
            roles = concept.roles if task == "EAE" else ()
            arguments = [
                Argument(role.name, mention)
                for role in roles
                for mention in draw(st.lists(slot(role.types), max_size=2))
            ]
            found.append(Event(concept.name, trigger, tuple(arguments)))
    return Annotations(relations=tuple(found)) if task == "RE" else Annotations(events=tuple(found))


@settings(deadline=None)
@given(st.data(), st.sampled_from(TASKS))
def test_what_was_rendered_is_given_back(data: st.DataObject, task: Task) -> None:
    found = data.draw(annotations(task))
    answer = build_answer(task, found, CLASSES[task], LIBRARY, Style())
    assert parse_answer(answer, OFFERS[task], task) == ParsedAnswer(found)


@settings(deadline=None)
@given(st.data(), st.sampled_from(TASKS))
def test_a_cut_leaves_exactly_the_complete_objects(data: st.DataObject, task: Task) -> None:
    found = data.draw(annotations(task))
    answer = build_answer(task, found, CLASSES[task], LIBRARY, Style())
    cut = data.draw(st.integers(0, len(answer) - 1))
    ends: list[int] = []
    position = 0
    for line in answer.split("\n"):
        position += len(line) + 1
        if line.startswith("    "):
            ends.append(position - 2)  # behind the closing bracket, before the comma
    whole = sum(end <= cut for end in ends)
    parsed = parse_answer(answer[:cut], OFFERS[task], task).annotations
    assert parsed == Annotations(found.entities[:whole], found.relations[:whole], found.events[:whole])


PIECES = [
    "results", " = ", "=", "[", "]", "(", ")", "{", "}", ",", '"', "'", '"""', "\\", "\n", "\t", "#", "```", "r", "f",
    "b", "City", "Poet", "BornIn", "Attack", "attacker", "Nobody", "x", "1", "for", "in", "+", ".", "lambda: 0", "*",
    "\\N{",     "\\u00", "\ud800", "\x00", "\u4eba", "head=", 'City("London")', "\\U00110000", "\\x",
]  # fmt: skip


# The published answers quote mentions raw, so that only such as these come back whatever they are.
PLAIN = st.text("ab 人'.,-()[]{}#=é", min_size=1)
BEHIND = [*PIECES[1:], "```json\n", " if ", " else ", "+ [", "\n\n", "'''", "//", ";", "`"]
SUFFIXES = st.one_of(st.text(st.characters()), st.lists(st.sampled_from(BEHIND)).map("".join))


@settings(max_examples=200, deadline=None)
@given(st.data(), st.sampled_from(TASKS), st.sampled_from(["clean", "released"]), SUFFIXES)
def test_whole_objects_survive_whatever_follows(data: st.DataObject, task: Task, dialect: Any, suffix: str) -> None:
    """But for one thing: ``results`` may be set anew."""
    found = data.draw(annotations(task, MENTIONS if dialect == "clean" else PLAIN))
    answer = build_answer(task, found, CLASSES[task], LIBRARY, Style(dialect=dialect))
    unclosed = answer.removesuffix("]").rstrip().rstrip(",") + ",\n"
    for text in (answer + suffix, unclosed + suffix if "\n" in answer else answer):
        parsed = parse_answer(text, OFFERS[task], task).annotations
        read = Annotations(
            parsed.entities[: len(found.entities)],
            parsed.relations[: len(found.relations)],
            parsed.events[: len(found.events)],
        )
        assert read == found


@settings(max_examples=50, deadline=None)
@given(st.data(), st.sampled_from(TASKS), st.sampled_from(["clean", "released"]), st.sampled_from(["", "\n", "\n\n"]))
def test_a_model_that_goes_on_with_another_sentence_says_nothing_of_this_one(
    data: st.DataObject, task: Task, dialect: Any, between: str
) -> None:
    style = Style(dialect=dialect)
    found, other = (data.draw(annotations(task, PLAIN)) for _ in range(2))
    prompt = build_prompt(task, CLASSES[task], data.draw(PLAIN), LIBRARY, style)
    answer, answer_to_it = (build_answer(task, said, CLASSES[task], LIBRARY, style) for said in (found, other))
    parsed = parse_answer(f"{answer}\n{between}{prompt}{answer_to_it}", OFFERS[task], task)
    assert parsed.annotations == parse_answer(answer, OFFERS[task], task).annotations
    assert [problem.kind for problem in parsed.problems] == ["talk"]


@settings(max_examples=400, deadline=None)
@given(st.one_of(st.text(st.characters()), st.lists(st.sampled_from(PIECES)).map("".join)), st.sampled_from(TASKS))
def test_any_text_gives_annotations_of_offered_classes(text: str, task: Task) -> None:
    for answer in (text, "results = [" + text):
        parsed = parse_answer(answer, OFFERS[task], task)
        kinds = {"NER": "entities", "RE": "relations", "ED": "events", "EAE": "events"}
        for kind in ("entities", "relations", "events"):
            items = getattr(parsed.annotations, kind)
            assert kind == kinds[task] or not items
            assert {item.type for item in items} <= set(CLASSES[task])
        json.dumps(str(parsed)).encode()


@pytest.mark.parametrize(
    "text",
    [
        'results = [City("' * 4000,
        "results = " + "[" * 30_000,
        "results = [" + "City(" * 8000,
        'City("abc\n' * 4000,
        "results = [" + 'City("a "b" ' * 4000,
        'results = [City("' + "\\" * 30_000,
        "results = [" + "([{" * 10_000,
        "results = []\n" * 4000,
    ],
)
def test_hostile_texts_are_read_once(text: str) -> None:
    assert parse_answer(text, OFFERS["NER"], "NER").annotations == Annotations()


def test_length_number_and_depth_are_bounded() -> None:
    many = parse_answer("results = [" + 'City("x"),' * (MAX_OBJECTS + 5) + "]", OFFERS["NER"], "NER")
    assert len(many.annotations.entities) == MAX_OBJECTS
    assert [problem.kind for problem in many.problems] == ["limit"]
    long = parse_answer('results = [City("x"),' + " " * MAX_LENGTH + "]", OFFERS["NER"], "NER")
    assert [problem.kind for problem in long.problems] == ["limit", "cut"]
    deep = parse_answer("results = [City(" + "[" * 40 + "]" * 40 + ')\n, City("x")]', OFFERS["NER"], "NER")
    assert deep.annotations.entities == (Mention("City", "x"),)
    assert "limit" in {problem.kind for problem in deep.problems}


def test_nothing_is_run(tmp_path: Path) -> None:
    file = tmp_path / "touched"
    answer = f"results = [City(open({str(file)!r}, 'w').name), __import__('os').abort(), City(\"London\")]"
    parsed = parse_answer(answer, OFFERS["NER"], "NER")
    assert parsed.annotations.entities == (Mention("City", "London"),)
    assert not file.exists()


def texts(answer: str) -> list[str]:
    return [mention.text for mention in parse_answer(answer, OFFERS["NER"], "NER").annotations.entities]


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        ('results = [City(r"a\\b"), City(f"c"), City(u\'d\'), City(f"{{e}}")]', ["a\\b", "c", "d", "{e}"]),
        ('results = [City("""a "b"\nc"""), City(\'\'\'d\'\'\')]', ['a "b"\nc', "d"]),
        ('results = [City("\\x41\\101\\N{BULLET}\\\n!\\q")]', ["AA\u2022!\\q"]),
        ('results = [City("\\ud83d\\ude00")]', ["\U0001f600"]),
        ("results = [City(b'a'), City(f'{x}'), City('b')]", ["b"]),
        ('results = [City("The "Best" Town")]', ['The "Best" Town']),
        ('results = [City(""Best" Town"), City("x")]', ['"Best" Town', "x"]),
        ('results = [City("the "Best"")]', ['the "Best"']),
        ("results = [City('O'Hara'), City('x')]", ["O'Hara", "x"]),
        ('results = [City("Ana), City("London")]', ["London"]),
        ('results = [City("London"]', []),
        ('results = [City("London"))]', ["London"]),
        ('results = (City("a"), City("b"))', ["a", "b"]),
        ('results = City("a")', ["a"]),
        ('results: list[Entity] = [City("a")]', ["a"]),
        ('[City("a"), City("b")]', ["a", "b"]),
        ('Sure! Here it is: results = [City("a")]', ["a"]),
        ('- City("a")\n- City("b")', ["a", "b"]),
        ('It\'s City("a"), I think', []),
        ('towns = [City("a")]\nresults = towns', ["a"]),
        ('towns = [City("a"), City("b', ["a"]),
        ('results = [City("a")]\n```\nCity("b")', ["a"]),
        ('```\nresults = [City("a")', ["a"]),
        ('results = [City("a")]\nresults = []', []),
        ('results = [[City("a")], City("b")]', ["a", "b"]),
        ('results = [City(), City(None), City(""), City(x), City("a")]', ["a"]),
        ('results = [City("a") if True else City("b"), City("c")]', ["c"]),
        ('results = [*towns, -City("a"), {"a": City("b")}, City("c")]', ["c"]),
        ('results = [City("a"), # City("b"),\nCity("c")]', ["a", "c"]),
        ("results = [\u0043\u0131ty('a'), \uff23ity('b')]", ["b"]),
    ],
)
def test_what_models_write(answer: str, found: list[str]) -> None:
    assert texts(answer) == found


@pytest.mark.parametrize(
    ("task", "answer", "problems"),
    [
        ("NER", "", ["no answer: "]),
        ("NER", "I see none.", ["no answer: I see none."]),
        ("NER", "results = []", []),
        ("NER", "results = [Twon('x')]", ["unknown class: Twon"]),
        ("NER", "results = [x, 'y', 4]", ["unknown name: x", "argument: 'y' has no class", "not a literal: 4"]),
        ("NER", "results = []\nThat is all.", ["talk: That is all."]),
        ("NER", 'results = [City("a "b" c")]', ["punctuation: raw quotes in 'a \"b\" c'"]),
        ("RE", 'results = [BornIn(Human("a"))]', ["argument: BornIn.tail: nothing where a text was expected"]),
        ("RE", 'results = [BornIn(Ghost("a"), Place("b"))]', ["unknown class: Ghost"]),
        ("RE", 'results = [Human("a")]', ["unknown class: Human"]),
        ("ED", 'results = [Attack("a", place=["b"])]', ["argument: Attack: surplus place"]),
        ("ED", "results = [Attack()]", ["argument: Attack: nothing where a text was expected"]),
        ("EAE", 'results = [Attack("a", mood=["b"])]', ["unknown role: Attack.mood"]),
        ("EAE", 'results = [Attack("a", ["b"])]', ["argument: Attack: surplus a list"]),
    ],
)
def test_problems_are_named(task: Task, answer: str, problems: list[str]) -> None:
    assert [str(problem) for problem in parse_answer(answer, OFFERS[task], task).problems] == problems


def test_relations_by_any_name_and_through_variables() -> None:
    answer = (
        'a = Human("Ada")\nresults = [BornIn(tail=Settlement(name="London"), head=a),\n'
        'BornIn(head_entity="Bo", tail_entity=[Place("Cork"), "Bray"]), Knows(Ghost("x"), "y")]'
    )
    found = parse_answer(answer, OFFERS["RE"], "RE").annotations.relations
    assert found == (
        Relation("BornIn", Mention("Human", "Ada"), Mention("Settlement", "London")),
        Relation("BornIn", Mention("Entity", "Bo"), Mention("Place", "Cork")),
        Relation("BornIn", Mention("Entity", "Bo"), Mention("Entity", "Bray")),
        Relation("Knows", Mention("Entity", "x"), Mention("Entity", "y")),
    )


def test_the_released_dialect_is_read() -> None:
    style = Style(dialect="released")
    for task in TASKS:
        answer = build_answer(task, ANNOTATIONS, CLASSES[task], LIBRARY, style)
        clean = build_answer(task, ANNOTATIONS, CLASSES[task], LIBRARY, Style())
        released, expected = (parse_answer(text, OFFERS[task], task).annotations for text in (answer, clean))
        assert set(released.entities) == set(expected.entities)
        assert set(released.relations) == set(expected.relations)
        assert released.events == expected.events


def test_the_given_cases(cases_root: Path) -> None:
    """The cases name classes alone; the one with an unknown role says which roles it takes for known."""
    roles = {"Attack": frozenset({"attacker", "target", "place"})}
    for line in (cases_root / "answers.jsonl").read_text("utf-8").splitlines():
        case = json.loads(line)
        parsed = parse_answer(case["output"], Offer(frozenset(case["schema"]), roles=roles), case["task"])
        found = plain(parsed.annotations, case["task"])
        assert found == case["expected"], case["id"]
        unknown = [problem.detail for problem in parsed.problems if problem.kind.startswith("unknown")]
        assert unknown == case.get("unknown", []), case["id"]
        assert any(problem.kind == "cut" for problem in parsed.problems) == case.get("truncated", False), case["id"]


def plain(found: Annotations, task: Task) -> list[Any]:
    if task == "NER":
        return [[mention.type, mention.text] for mention in found.entities]
    if task == "RE":
        return [[relation.type, relation.head.text, relation.tail.text] for relation in found.relations]
    events = []
    for event in found.events:
        arguments: dict[str, list[str]] = {}
        for argument in event.arguments:
            arguments.setdefault(argument.role, []).append(argument.mention.text)
        events.append({"type": event.type, "trigger": event.trigger and event.trigger.text, "args": arguments})
    return events
