"""What models write, case by case, with the reason for each reading. Short forms: A is Person, B is Place.

NER gives ``Type:text``, RE ``Type:head>tail``, ED and EAE ``Type:trigger`` and ``role=filler`` for each argument.
"""

from __future__ import annotations

import pytest

from knowcoder.codec.parse import Offer, parse_answer
from knowcoder.schema.concepts import TASKS, Task

OFFERS: dict[Task, Offer] = {
    "NER": Offer(frozenset({"A", "B", "人", "स्थान"})),
    "RE": Offer(frozenset({"R", "S"}), frozenset({"A", "B"})),
    "ED": Offer(frozenset({"E", "F"})),
    "EAE": Offer(frozenset({"E", "F"}), frozenset({"A", "B"}), {"E": frozenset({"r", "s", "from_"}), "F": frozenset()}),
}
FORMS: dict[Task, list[tuple[str, str, str]]] = {
    "NER": [
        ("results = [A('x'), B(\"y\")]", "A:x B:y", "either quote"),
        ('results=[A("x"),]', "A:x", "no blanks, a comma at the end"),
        ('results = [A(name="x"), B(name = "y")]', "A:x B:y", "by keyword"),
        ('results = [A("x", name="y")]', "A:y", "the declared name goes before a place"),
        ('results = [A("x", "y", 3)]', "A:x", "surplus arguments are left out"),
        ('results = [A(nam="x"), B("y")]', "B:y", "a keyword that was not declared"),
        ('results = [A(f"x"), A(F"{{y}}")]', "A:x A:{y}", "an f-string without a field is a text"),
        ('results = [A(f"{x}"), B("y")]', "B:y", "an f-string with a field is an expression"),
        ("results = [A(b'x'), A(Rb'x'), B('y')]", "B:y", "bytes are no text"),
        (r'results = [A(r"x\n"), A(R"\d"), A(u"y")]', r"A:x\n A:\d A:y", "raw strings are raw"),
        (r'results = [A("\x41\u0042\U00000043\104\N{BULLET}")]', "A:ABCD•", "escapes are decoded"),
        (r'results = [A("\q\ "), A("\xZZ")]', r"A:\q\_ A:\xZZ", "what is no escape stays"),
        (r'results = [A("\ud83d\ude00")]', "A:😀", "a pair of surrogates is one character"),
        ('results = [A("""x "y" z"""), B(\'\'\'u\nv\'\'\')]', 'A:x_"y"_z B:u\nv', "triple quotes"),
        ('results = [A("x\\\ny")]', "A:xy", "a line that goes on"),
        ('results = [A("x\ny")]', "A:x\ny", "a raw line break"),
        ('results = [A("x " "y"\n "z")]', "A:x_yz", "strings side by side are one"),
        ('results = [A("x" # "y"\n "z")]', "A:xz", "a comment between them"),
        ('results = [A(("x")), A(("y", "z"))]', "A:x A:y A:z", "parentheses, and a tuple of texts"),
        ('results = [A(["x", 1, "y"])]', "A:x A:y", "a list of texts, without the number"),
        ('results = [A({"x", "y"})]', "A:x A:y", "a set of texts"),
        ('results = [A({"name": "x"}), B("y")]', "B:y", "a dict is no text"),
        ('results = [A(*["x"]), A(**{"name": "x"}), B("y")]', "B:y", "unpacking is an expression"),
        ('results = [A("x".strip()), B("y")]', "B:y", "a method is an expression"),
        ('results = [A("x" + "y"), A("%s" % "x"), B("y")]', "B:y", "so is an operator"),
        ('results = [A("x" if z else "y"), B("y")]', "B:y", "and a condition"),
        ('results = [A(str("x")), A(B("z")), B("y")]', "B:y", "an object is no text"),
        ('results = [A(None), A(True), A(-1), A(3.5), A(...), A(), A(""), B("y")]', "B:y", "nor are these"),
        ("results = [A(n) for n in ['x']]", "", "a comprehension is not run"),
        ('results = [A("x") for _ in y]', "", "nor is this one"),
        ('results = [lambda: A("x"), B("y")]', "B:y", "a function is not called"),
        ('results = [m.A("x"), A.b("x"), A["x"], B("y")]', "B:y", "attributes and indices are expressions"),
        ('results = [A("x") | B("z"), B("y")]', "B:y", "objects are not combined"),
        ('results = [not A("x"), -A("x"), B("y")]', "B:y", "nor negated"),
        ('results = [A("x") and B("z"), B("y")]', "B:y", "nor tested"),
        ('results = [__import__("os").system("true"), B("y")]', "B:y", "nothing is run"),
        ('results = [A("x")]\nresults = [B("y")]', "B:y", "the last assignment stands"),
        ('results = [A("x")]\n"""Q"""\nsentence = "q"\nresults = [B("y")]', "A:x", "but not that of a next prompt"),
        ('results = [A("x")]\n\nclass B(C): ...\n\nresults = [B("y")]', "A:x", "which may begin with a class"),
        ('results = []\n\nfrom k import C\n\nresults = [B("y")]', "", "or an import"),
        ('results = [A("x")]\nsentence = "q"\nresults = []', "A:x", "or with its sentence"),
        ('results = (A("x"), B("y"))', "A:x B:y", "a tuple"),
        ('results = {A("x"), B("y")}', "A:x B:y", "a set"),
        ('results = A("x"), B("y")', "A:x B:y", "a tuple without parentheses"),
        ('results =\nA("x")\nB("y")', "A:x B:y", "lines instead of a list"),
        ('results = list([A("x")])', "A:x", "a list by its name"),
        ('results = [[A("x")], B("y")]', "A:x B:y", "one list too many"),
        ('results = [A("x")] + [B("y")]', "A:x B:y", "a sum of lists"),
        ('results = [A("x")]\nresults += [B("y")]', "A:x B:y", "added"),
        ('results = []\nresults.append(A("x"))\nresults.append(B("y"))', "A:x B:y", "appended"),
        ('results = [A("x")]\nresults.extend([B("y")])', "A:x B:y", "extended"),
        ('results: List[Entity] = [A("x")]', "A:x", "with a type"),
        ('results = [A("x")]; print(results)', "A:x", "a second statement"),
        ('results = [A("x")]\nresults = [B("y")]', "B:y", "the last assignment stands"),
        ('results = [A("x")]\nresults = []', "", "also an empty one"),
        ('results = [A("x")]\nresults = [', "A:x", "but not one that is cut off"),
        ('results = [A("x")]\nresults = [A("x"), B("y"), A("', "A:x B:y", "which adds what it has"),
        ('results = [A("x")]\nresults = the list above', "A:x", "nor prose"),
        ('results = [A("x")]\n\n"""\nNext\n"""\nresults = [B("y")]', "A:x", "the next prompt is not an answer"),
        ('p = A("x")\nq = B("y")\nresults = [q, p]', "B:y A:x", "variables"),
        ('p = A("x")\nnames = [p, B("y")]', "A:x B:y", "variables in another list, once"),
        ('n = "x"\nresults = [A(n)]', "A:x", "a text in a variable"),
        ('results = [A(n), B("y")]', "B:y", "a variable that is nothing"),
        ('entities = [A("x")]', "A:x", "another name for the list"),
        ('entities = []\nentities.append(A("x"))', "A:x", "appended to another name"),
        ('def f():\n    results = [\n        A("x")\n    ]\n    return results', "A:x", "inside a function"),
        ('return [A("x")]', "A:x", "returned"),
        ('print(A("x"))', "A:x", "printed"),
        ('A("x")\nB("y")', "A:x B:y", "no list"),
        ('1. A("x")\n2) B("y")', "A:x B:y", "a numbered list"),
        ('- A("x")\n* B("y")', "A:x B:y", "a list of points"),
        ('`A("x")`\n`B("y")`', "A:x B:y", "marked as code"),
        ('>>> results = [A("x")]', "A:x", "a prompt of the interpreter"),
        ('The answer is A("x").', "", "prose"),
        ('Results: [A("x")]', "A:x", "a heading"),
        ('**results** = [A("x")]', "A:x", "in bold"),
        ('So results = [A("x")].', "A:x", "in a sentence"),
        ('```\nresults = [A("x")]\n```', "A:x", "a fence"),
        ('```python\nA("x")\n```\nnot B("y")', "A:x", "talk after a fence"),
        ('~~~python\nresults = [A("x")]\n~~~', "A:x", "another fence"),
        ('```results = [A("x")]```', "A:x", "a fence in one line"),
        ('```python results = [A("x")]\n```', "A:x", "code beside the fence"),
        ('```\nx\n```\nresults = [A("x")]', "A:x", "the answer is outside"),
        ('```python\nresults = [A("x"),', "A:x", "a fence that is not closed"),
        ('results = [A("x")\n```', "A:x", "a fence that is only closed"),
        ('results = [\n# A("z")\nB("y") # A("z")\n]', "B:y", "comments"),
        ('results = [A("x"), // not B("z")\nB("y")]', "A:x B:y", "comments of another language"),
        ('results = [A("x")\n B("y")]', "A:x B:y", "no comma"),
        ('results = [A("x"); B("y")]', "A:x B:y", "a semicolon"),
        ('results = [A("x")，B("y")。]', "A:x B:y", "punctuation of Chinese"),
        ('results = [A("x"), ..., B("y"), …]', "A:x B:y", "dots"),
        ('results = [A("x")), B("y")]', "A:x B:y", "a parenthesis too many"),
        ('results = [A("x"]), B("y")]', "A:x B:y", "brackets in the wrong order"),
        ('results = [A("x", B("y"), A("z")]', "B:y A:z", "the object that is not closed is dropped alone"),
        ('results = [A("x), B("y")]', "B:y", "so is one whose string is not closed"),
        ('results = [A("x"), The next:\nB("y"), I don\'t know\nA("z")]', "A:x B:y A:z", "prose between objects"),
        ('results = [A("the "big" one")]', 'A:the_"big"_one', "raw quotes"),
        ("results = [A('O'Hara'), A(\"a) b\"), A(\"c] d\"), A('#9')]", "A:O'Hara A:a)_b A:c]_d A:#9", "signs in texts"),
        ('results = [A("x"), B', "A:x", "cut in a name"),
        ('results = [A("x"), B(', "A:x", "cut in a call"),
        ('results = [A("x"), B("y\\', "A:x", "cut in an escape"),
        ('results = [A("x"), B("y"', "A:x", "cut before the parenthesis"),
        ('results = [A("x"), B("""y', "A:x", "cut in a long string"),
        ('results = [A("x"), # B("y")', "A:x", "cut in a comment"),
        ('results = [人("北京"), स्थान("x")]', "人:北京 स्थान:x", "names of every script"),
        ('results = [Ａ("x"), a("z"), Á("z")]', "A:x", "names are compared as Python does"),
        ('results = [R(A("x"), B("y")), A("z")]', "A:z", "what is inside an object of another task stays there"),
        ('{"A": ["x", "y"], "b": ["z"]}', "A:x A:y B:z", "a dict of labels"),
        ("{'A': ['x'], 'B': [\"O'Hara\"]}", "A:x B:O'Hara", "as Python prints it"),
        ('```json\n{"A": "x", "B": []}\n```', "A:x", "in a fence"),
        ('Here: {"A": ["x"]}', "A:x", "in a sentence"),
        ('results = {"A": ["x"]}', "A:x", "by the name of results"),
        ('{"A": ["x"], "B": ["y", "z', "A:x B:y", "a dict that is cut off"),
        ('[{"entity": "x", "entity_type": "A"}, {"type": "B", "name": "y"}, {"type": "A"', "A:x B:y", "records"),
        ('{"results": [{"type": "A", "text": "x"}]}', "A:x", "records under a label"),
        ("{}", "", "an empty dict"),
        ("None", "", "nothing"),
    ],
    "RE": [
        ('results = [R(A("x"), B("y")), S("u", "v")]', "R:x>y S:u>v", "objects or texts"),
        ('results = [R(tail=B("y"), head=A("x"))]', "R:x>y", "by keyword, in any order"),
        ('results = [R(head_entity=A(name="x"), tail_entity="y")]', "R:x>y", "the other names of the arguments"),
        ('results = [R(A("x"), tail="y")]', "R:x>y", "by place and by keyword"),
        ('results = [R(A("x"), B("y"), B("z"))]', "R:x>y", "the third is left out"),
        ('results = [R(A("x")), R(), R(A(""), B("y")), S("u", "v")]', "S:u>v", "an end is missing"),
        ('results = [R(["x", "z"], B("y"))]', "R:x>y R:z>y", "a list of heads"),
        ('results = [R(A("x"), A("x"))]', "R:x>x", "with itself"),
        ('results = [R(A("x"), B("y")), R(A("x"), B("y"))]', "R:x>y R:x>y", "twice"),
        ('results = [A("x"), S("u", "v")]', "S:u>v", "an entity is no relation"),
        ('results = [R(A("x"), B("y"), S(A("u"), B("v"))]', "S:u>v", "one that is not closed"),
        ('a = A("x")\nb = B("y")\nresults = [R(a, b)]', "R:x>y", "through variables"),
        ('a = A("x")\nb = B("y")\nR(a, b)', "R:x>y", "and without a list"),
        ('results = [R(A("x"), B("y")), S(A("u"), B("v")', "R:x>y", "cut before the last parenthesis"),
        ('{"R": [{"subject": "x", "object": "y"}, {"subject": "u"', "R:x>y", "a dict that is cut off"),
        ('[{"head": "x", "relation": "R", "tail": "y"}]', "R:x>y", "records"),
        ('{"A": {"x": {"R": ["y", "z"], "S": "v"}}}', "R:x>y R:x>z S:x>v", "entities with attributes"),
    ],
    "ED": [
        ('results = [E("x"), F(trigger="y")]', "E:x F:y", "by place or by keyword"),
        ('results = [E("x", r=["y"])]', "E:x", "arguments are not asked for"),
        ('results = [E(["x", "y"])]', "E:x E:y", "two triggers"),
        ('results = [E(F("x")), E(None), F("y")]', "F:y", "no text"),
        ('{"E": ["x"], "F": []}', "E:x", "a dict of labels"),
        ('[{"event_trigger": "x", "event_type": "E", "arguments": []}]', "E:x", "records"),
    ],
    "EAE": [
        ('results = [E("x", r=[A("y")], s=[B("z"), "u"])]', "E:x,r=y,s=z,s=u", "objects or texts"),
        ('results = [E(trigger = "x", r = [A("y")])]', "E:x,r=y", "the released form"),
        ('results = [E("x", r=A("y"), s="z")]', "E:x,r=y,s=z", "one filler without a list"),
        ('results = [E("x", r=("y", "z"), s={"u"})]', "E:x,r=y,r=z,s=u", "tuples and sets"),
        ('results = [E("x", r=[], s=None)]', "E:x", "no filler"),
        ('results = [E(None, r=["y"]), E(trigger="", r=["z"])]', "E:-,r=y E:-,r=z", "no trigger"),
        ('results = [E(r=["y"])]', "E:-,r=y", "none at all"),
        ('results = [E(3, r=["y"]), F("z")]', "F:z", "a trigger is text"),
        ('results = [E("x", r=["y"], mood=["z"])]', "E:x,r=y", "a role that was not declared"),
        ('results = [E("x", from=["y"])]', "E:x,from_=y", "a role that is a word of Python"),
        ('results = [E("x", r=[A("y")], r=[A("z")])]', "E:x,r=y,r=z", "a role twice"),
        ('results = [E("x", r=[A("y"), s=[B("z")]), F("u")]', "E:x,r=y,s=z F:u", "a list that is not closed"),
        ('results = [E("x", r=[A("y"), B("z"], s=["u"]), F("v")]', "E:x,r=y,s=u F:v", "nor an object in it"),
        ('results = [E("x", r=[A("y")], F("z")]', "F:z", "an event that is not closed"),
        ('results = [E("x", r=[A("b) c")]), E("u", r=["d] e"])]', "E:x,r=b)_c E:u,r=d]_e", "brackets in texts"),
        ('results = [F("z"), E("x", r=[A("y"), A("', "F:z", "cut in an argument"),
        ('{"E": [{"trigger": "x", "arguments": {"r": "y", "s": ["z"], "from": "NAN"}}]}', "E:x,r=y,s=z", "a dict"),
        ('{"E": [{"trigger": "x", "arguments": {"r": "y"}}, {"trigger": "u", "arguments": {"r"', "E:x,r=y", "cut off"),
        (
            '[{"event_trigger": "x", "event_type": "E", "arguments": [{"argument": "y", "role": "r"}]}]',
            "E:x,r=y",
            "records",
        ),
    ],
}  # fmt: skip


def found(answer: str, task: Task) -> str:
    annotations = parse_answer(answer, OFFERS[task], task).annotations
    parts = [f"{entity.type}:{entity.text}" for entity in annotations.entities]
    parts += [f"{relation.type}:{relation.head.text}>{relation.tail.text}" for relation in annotations.relations]
    for event in annotations.events:
        arguments = "".join(f",{argument.role}={argument.mention.text}" for argument in event.arguments)
        parts.append(f"{event.type}:{event.trigger.text if event.trigger else '-'}{arguments}")
    return " ".join(part.replace(" ", "_") for part in parts)


@pytest.mark.parametrize(
    ("task", "answer", "expected"),
    [pytest.param(task, *form[:2], id=f"{task}-{form[2]}") for task in TASKS for form in FORMS[task]],
)
def test_each_form_is_read_for_its_reason(task: Task, answer: str, expected: str) -> None:
    assert found(answer, task) == expected


def test_joint_events_are_read_as_events_with_arguments() -> None:
    for answer, expected, _ in FORMS["EAE"]:
        assert parse_answer(answer, OFFERS["EAE"], "EE") == parse_answer(answer, OFFERS["EAE"], "EAE"), expected


@pytest.mark.parametrize("name", ["人" * 5000, "स्थान" * 1000, "a\u0301" * 3000])
def test_a_long_name_takes_no_time(name: str) -> None:
    """Read with backtracking, names of letters without capitals took exponential time."""
    for answer in (name, f"{name}=", f"results = [{name} =", f'"{name}"("'):
        assert not found(answer, "NER")


@pytest.mark.parametrize("answer", ['A("\\N{\ud800}")', "\ud800 = [", 'results = [\ud800("x"), A("y\ud800")]'])
def test_half_a_character_is_no_error(answer: str) -> None:
    parsed = parse_answer(answer, OFFERS["NER"], "NER")
    repr(parsed.annotations).encode()
    "".join(map(str, parsed.problems)).encode()
