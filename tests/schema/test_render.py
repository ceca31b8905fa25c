"""Rendered classes are valid Python in any order and style, and text survives the quotes around it."""

from __future__ import annotations

import ast
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

import knowcoder
from knowcoder.errors import DataError
from knowcoder.schema.concepts import EntityType, EventType, RelationType, Role
from knowcoder.schema.library import SchemaLibrary
from knowcoder.schema.quoting import escape, list_examples, quote
from knowcoder.schema.render import Style, definitions

LIBRARY = SchemaLibrary(
    (
        EntityType(id="Q1", name="Place", description="Somewhere."),
        EntityType(id="Q2", name="Settlement", parent="Q1"),
        EntityType(id="Q3", name="City", description="A big one.", parent="Q2", examples=("Marvel", "Paris, Texas")),
        EntityType(id="Q4", name="Human"),
    ),
    (
        RelationType(id="P1", name="BornIn", head=("Q4",), tail=("Q2",), examples=(("Ada", "London"),)),
        RelationType(id="P2", name="BornInCity", parent="P1", head=("Q4",), tail=("Q3",)),
        RelationType(id="P3", name="NamedIn", parent="P1", head=("Q1",)),
    ),
    (
        EventType(id="E1", name="Attack", roles=(Role(name="place", types=("Q3", "Q1"), description="Where."),)),
        EventType(id="E2", name="Bombing", parent="E1", roles=(Role(name="place", types=("Q1",)),)),
    ),
)
EVERYTHING = [concept.name for concept in LIBRARY]


@given(st.text(st.characters()))
def test_a_quoted_text_is_a_literal_of_it(text: str) -> None:
    assert ast.literal_eval(quote(text)) == text
    assert "\n" not in escape(text)


def test_escapes_are_the_shortest() -> None:
    assert quote('a"b\\c\n\t\r\0\u00e9\u4eba\ud800') == '"a\\"b\\\\c\\n\\t\\r\\x00\u00e9\u4eba\\ud800"'


@pytest.mark.parametrize("parents", ["nearest", "define"])
@pytest.mark.parametrize("seed", range(6))
def test_classes_in_any_order_run_against_our_base_classes(parents: str, seed: int) -> None:
    names = random.Random(seed).sample(EVERYTHING, 5)
    code = definitions(names, LIBRARY, Style(parents=parents))  # type: ignore[arg-type]
    scope: dict[str, object] = {}
    exec(compile(code, "rendered", "exec"), scope)  # our own fixed code, never a model's
    assert set(names) <= set(scope)
    for name in names:
        base = {"entity": knowcoder.Entity, "relation": knowcoder.Relation, "event": knowcoder.Event}
        kind = next(kind for kind in base if name in LIBRARY.names(kind))  # type: ignore[arg-type]
        assert issubclass(scope[name], base[kind])  # type: ignore[arg-type]


def test_the_house_style() -> None:
    code = definitions(["City", "Place"], LIBRARY, Style())
    assert code == (
        "from knowcoder import Entity\n\n"
        'class Place(Entity):\n    """Somewhere."""\n\n'
        "class City(Place):\n"
        '    """A big one.\n    Parents: Settlement\n    Examples: Marvel, "Paris, Texas"\n    """'
    )


def test_hinted_entity_classes_come_along() -> None:
    code = definitions(["BornIn"], LIBRARY, Style())
    assert code == (
        "from knowcoder import Entity, Relation\n\n"
        "class Human(Entity): ...\nclass Settlement(Entity): ...\n\n"
        'class BornIn(Relation):\n    """\n    Examples: (Ada, London)\n    """\n    head: Human\n    tail: Settlement'
    )


def test_a_class_inherits_only_what_it_may_override() -> None:
    code = definitions(["BornIn", "BornInCity", "NamedIn", "Attack", "Bombing"], LIBRARY, Style())
    assert "class BornInCity(BornIn):" in code
    assert "class NamedIn(Relation):" in code
    assert "class Bombing(Event):" in code
    assert code.count("Parents: ") == 2


@pytest.mark.parametrize(
    ("style", "absent"),
    [
        (Style(descriptions=False), "Somewhere"),
        (Style(descriptions=False), "Parents"),
        (Style(descriptions=False), "Where."),
        (Style(examples=0), "Examples"),
        (Style(examples=1), "Texas"),
        (Style(hints=False), "Settlement:"),
        (Style(hints=False), "head: Human"),
    ],
)
def test_what_a_style_leaves_out(style: Style, absent: str) -> None:
    assert absent in definitions(EVERYTHING, LIBRARY, Style()) or absent == "Settlement:"
    assert absent not in definitions(EVERYTHING, LIBRARY, style)


def test_imported_parents_and_hints() -> None:
    code = definitions(["City", "BornInCity"], LIBRARY, Style(parents="import"))
    assert "from Entities import Human, Settlement\nfrom Relations import BornIn\n" in code
    assert "class City(Settlement):" in code
    assert "class BornInCity(BornIn):" in code


def test_defined_ancestors() -> None:
    code = definitions(["City"], LIBRARY, Style(parents="define", descriptions=False, examples=0))
    assert code == (
        "from knowcoder import Entity\n\nclass Place(Entity): ...\nclass Settlement(Place): ...\n\n"
        "class City(Settlement): ..."
    )


def test_a_class_that_hides_a_base_class_is_refused() -> None:
    library = SchemaLibrary((EntityType(id="Q1", name="Event"),), (), (EventType(id="E1", name="Attack"),))
    assert "class Event(Entity): ..." in definitions(["Event"], library, Style())
    with pytest.raises(DataError, match="Event"):
        definitions(["Event", "Attack"], library, Style())


def test_examples_are_quoted_where_a_comma_would_mislead() -> None:
    assert list_examples(["Ada", "a, b", '"x"', "1,2"]) == 'Ada, "a, b", "\\"x\\"", 1,2'
    assert list_examples([("Ada", "x, y")]) == '(Ada, "x, y")'
