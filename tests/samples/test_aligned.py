"""Aligned text is typed through names, ids and what their entities are instances of."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowcoder import jsonl
from knowcoder.corpus.sentence import Argument, Event, Mention, Relation, Sentence
from knowcoder.errors import DataError
from knowcoder.samples.aligned import DISAMBIGUATION, KnownEntities, bare, typed
from knowcoder.samples.understanding import instance_drafts
from knowcoder.schema.concepts import EntityType, EventType, RelationType, Role
from knowcoder.schema.library import SchemaLibrary
from knowcoder.schema.render import Style

LIBRARY = SchemaLibrary(
    (
        EntityType(id="Q5", name="Human"),
        EntityType(id="Q36180", name="Writer", parent="Q5"),
        EntityType(id="Q515", name="City"),
        EntityType(id="Q6256", name="Country"),
    ),
    (RelationType(id="P19", name="BornIn", head=("Q5",), tail=("Q515",)),),
    (EventType(id="P39", name="Held", roles=(Role(name="holder"), Role(name="place"), Role(name="point_in_time"))),),
)
FACTS = [
    {"id": "Q1", "types": ["Q36180", "Q99"]},
    {"id": "Q2", "types": ["Q6256", "Q515"]},
    {"id": "Q3", "types": [DISAMBIGUATION]},
    {"id": "Q4", "types": ["Q99"]},
]
NAMES = [
    {"id": "Q1", "names": ["Ada", "Countess"]},
    {"id": "Q2", "names": ["Singapore", "Ada"]},
    {"id": "Q3", "names": ["Mercury"]},
    {"id": "Q4", "names": ["Thing"]},
    {"id": "Q7", "names": ["Nobody"]},
]


@pytest.fixture
def known(tmp_path: Path) -> KnownEntities:
    jsonl.write(tmp_path / "facts.jsonl", FACTS)
    jsonl.write(tmp_path / "names.jsonl", NAMES)
    assert KnownEntities.load(tmp_path, tmp_path / "names.jsonl", LIBRARY) == KnownEntities.load(
        tmp_path / "facts.jsonl", tmp_path / "names.jsonl", LIBRARY
    )
    return KnownEntities.load(tmp_path, tmp_path / "names.jsonl", LIBRARY)


def entity(text: str) -> Mention:
    return Mention("Entity", text)


def typing(
    known: KnownEntities, *relations: tuple[str, str], events: tuple[Event, ...] = ()
) -> tuple[list[Sentence], Counter[str]]:
    rejected: Counter[str] = Counter()
    found = tuple(Relation("BornIn", entity(head), entity(tail)) for head, tail in relations)
    sentence = Sentence(id="1", text="x", source="s", tasks=("RE",), relations=found, events=events)
    return list(typed([sentence], known, LIBRARY, rejected)), +rejected


def test_names_lead_to_classes_a_first_name_before_an_alias(known: KnownEntities) -> None:
    assert known.of("Ada") == ("Writer",)
    assert known.of("Countess (title)") == ("Writer",)
    assert known.of("Singapore") == ("Country", "City")
    assert known.of("Mercury") is None
    assert known.of("Thing") == known.of("Nobody") == known.of("unknown") == ()


def test_arguments_take_the_type_that_the_relation_hints_and_every_type_is_a_mention(known: KnownEntities) -> None:
    (sentence,), rejected = typing(known, ("Ada (writer)", "Singapore"))
    assert sentence.relations == (Relation("BornIn", Mention("Writer", "Ada"), Mention("City", "Singapore")),)
    assert {(m.type, m.text) for m in sentence.entities} == {
        ("Writer", "Ada"),
        ("Country", "Singapore"),
        ("City", "Singapore"),
    }
    assert sentence.tasks == ("NER", "RE")
    assert not rejected
    codes = [draft.write((), Style()).completion for draft in instance_drafts([sentence], LIBRARY)]
    assert len(codes) == 4
    assert codes[-1].endswith('results = [\n    BornIn(Human("Ada"), City("Singapore")),\n]')


def test_what_is_not_known_is_left_out_and_counted(known: KnownEntities) -> None:
    (sentence,), rejected = typing(known, ("Ada", "Thing"), ("Ada", "Singapore"), ("Nobody", "Ada"))
    assert len(sentence.relations) == 1
    assert rejected == {"an entity of unknown type": 2}


def test_a_sentence_with_a_disambiguation_page_is_left_out(known: KnownEntities) -> None:
    sentences, rejected = typing(known, ("Ada", "Mercury (element)"))
    assert sentences == []
    assert rejected == {"a name of a disambiguation page": 1}


def test_events_keep_their_known_arguments_and_go_where_a_qualifier_makes_none(known: KnownEntities) -> None:
    held = Event("Held", None, (Argument("holder", entity("Ada")), Argument("place", entity("Thing"))))
    since = Event("Held", None, (Argument("holder", entity("Ada")), Argument("point_in_time", entity("Singapore"))))
    nobody = Event("Held", None, (Argument("holder", entity("Nobody")),))
    (sentence,), rejected = typing(known, events=(held, since, nobody))
    assert sentence.events == (Event("Held", None, (Argument("holder", Mention("Writer", "Ada")),)),)
    assert rejected == {"an entity of unknown type": 1, "an event by its qualifier alone": 1}


def test_mentions_that_have_a_type_or_a_place_stay_as_they_are(known: KnownEntities) -> None:
    given_ = Mention("Human", "Nobody (x)", 0, 10)
    placed = Mention("Entity", "Ada (x)", 11, 18)
    sentence = Sentence(id="1", text="Nobody (x) Ada (x)", relations=(Relation("BornIn", given_, placed),))
    (found,) = typed([sentence], known, LIBRARY, Counter())
    assert found.relations == (Relation("BornIn", given_, Mention("Writer", "Ada (x)", 11, 18)),)


@given(st.text(st.characters(exclude_characters="()", exclude_categories=["Z", "C"]), min_size=1), st.text())
def test_a_name_loses_its_bracketed_part_and_nothing_else(name: str, other: str) -> None:
    assert bare(f"{name} (planet)") == bare(name) == name
    assert other.startswith(bare(other))
    assert bare("(planet)") == "(planet)"


def test_a_wrong_line_is_named(tmp_path: Path) -> None:
    jsonl.write(tmp_path / "facts.jsonl", FACTS)
    (tmp_path / "names.jsonl").write_text('{"id": "Q1"}\n')
    with pytest.raises(DataError, match=r"names\.jsonl:1: "):
        KnownEntities.load(tmp_path, tmp_path / "names.jsonl", LIBRARY)
