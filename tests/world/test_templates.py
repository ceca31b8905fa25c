"""The template language, and what the templates promise: enough of them, held out by construction."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowcoder.world.facts import ENTITY_TYPES, EVENT_ROLES, RELATION_TYPES, descendants
from knowcoder.world.templates import Family, Key, Noun, Slot, Template, parse_template
from knowcoder.world.templates_events import event_families
from knowcoder.world.templates_plain import description_families, no_event_family
from knowcoder.world.templates_relations import multi_family, relation_families

IDS = {entity.id for entity in ENTITY_TYPES}
COVERED = {**relation_families(), **event_families()}
ALL: dict[str, Family] = {
    **COVERED,
    **{f"description of {topic}": family for topic, family in description_families().items()},
    "multi": multi_family(),
    "no event": no_event_family(),
}


def core(template: Template) -> str:
    """The clause up to its last slot or phrase: an adverbial added at the end does not make it another template."""
    last = max(i for i, piece in enumerate(template.pieces) if isinstance(piece, Slot | Key))
    return " ".join(str(piece) for piece in template.pieces[: last + 1])


def test_pieces() -> None:
    template = parse_template("{a:lake?} is {a.a}, [hit] by {b:human=}'s <boat>", (("r", "a", "b"),))
    assert template.pieces == (
        Slot("a", "lake", "?"),
        " is ",
        Noun("a", article=True),
        ", ",
        Key("hit", trigger=True),
        " by ",
        Slot("b", "human", "="),
        "'s ",
        Key("boat", trigger=False),
    )


@given(st.text(alphabet="ab ,'{}<>[]:.!?=", max_size=30))
def test_parser_is_exact_or_refuses(text: str) -> None:
    try:
        template = parse_template(text)
    except ValueError:
        return
    literal = "".join(piece for piece in template.pieces if isinstance(piece, str))
    assert not set(literal) & set("{}<>[]")
    assert literal in re.sub(r"\{[^}]*\}|<[^>]*>|\[[^\]]*\]", "", text)


@pytest.mark.parametrize("text", ["{a:lake", "a]", "{a:lake} and {a:lake}", "{b.noun} {a:lake}", "{a:lake!!}"])
def test_malformed_template_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="malformed template"):
        parse_template(text)


def test_families_cover_the_schema() -> None:
    assert set(relation_families()) == {relation.id for relation in RELATION_TYPES}
    assert set(event_families()) == set(EVENT_ROLES)


@pytest.mark.parametrize("name", COVERED)
def test_enough_templates(name: str) -> None:
    assert len(COVERED[name].train) >= 10
    assert 3 <= len(COVERED[name].held_out) <= 4


@pytest.mark.parametrize("name", [name for name in ALL if name.startswith("description")])
def test_enough_descriptions(name: str) -> None:
    assert len(ALL[name].train) >= 4
    assert len(ALL[name].held_out) >= 2


@pytest.mark.parametrize("name", ALL)
def test_held_out_templates_are_other_constructions_of_known_phrases(name: str) -> None:
    family = ALL[name]
    assert not {core(t) for t in family.train} & {core(t) for t in family.held_out}
    known = [family] if name != "multi" else list(relation_families().values())
    phrases = {key for other in known for template in other.train for key in template.keys}
    assert {key for template in family.held_out for key in template.keys} <= phrases


@pytest.mark.parametrize("name", ALL)
def test_slots_are_of_known_types(name: str) -> None:
    for template in ALL[name].train + ALL[name].held_out:
        assert {slot.type for slot in template.slots} <= IDS


@pytest.mark.parametrize("event", EVENT_ROLES)
def test_event_slots_are_roles_and_fit_their_types(event: str) -> None:
    allowed = {
        role.name: set(role.types) | {d for t in role.types for d in descendants(t)} for role in EVENT_ROLES[event]
    }
    for template in event_families()[event].train + event_families()[event].held_out:
        assert sum(isinstance(piece, Key) for piece in template.pieces) == 1
        assert all(slot.type in allowed[slot.name] for slot in template.slots), template.text


def test_relations_stand_in_both_directions() -> None:
    for name, family in relation_families().items():
        first = {template.slots[0].name for template in family.train}
        assert first == {"head", "tail"}, name
