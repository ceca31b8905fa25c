"""Enrichment: the most frequent mentions, hints from co-occurrence, and nothing of the library lost."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from knowcoder import artefact, config, stages
from knowcoder.corpus.reading import Corpus
from knowcoder.corpus.sentence import Argument, Event, Mention, Relation, Sentence
from knowcoder.enrich.enrich import enrich
from knowcoder.enrich.examples import ExampleCounts, mentions_of
from knowcoder.enrich.type_hints import hint_types
from knowcoder.schema.concepts import EntityType, EventType, RelationType, Role
from knowcoder.schema.library import SchemaLibrary

#          thing
#         /     \
#     place     agent
#     /   \     /   \
#  city  lake  man  firm        idea (apart)
TREE = {"thing": None, "place": "thing", "agent": "thing", "city": "place", "lake": "place", "man": "agent",
        "firm": "agent", "idea": None}  # fmt: skip
LIBRARY = SchemaLibrary(
    tuple(EntityType(id=id, name=id.capitalize(), parent=parent) for id, parent in TREE.items()),
    (RelationType(id="in", name="In"), RelationType(id="has", name="Has", head=("firm",))),
    (EventType(id="move", name="Move", examples=("moved",), roles=(Role(name="goal"),)),),
)


def sentence(*names: str, relation: str = "In") -> Sentence:
    man, city = Mention("Man", names[0]), Mention("City", names[1])
    return Sentence(
        id="-".join(names),
        text=" ".join(names),
        entities=(man, city),
        relations=(Relation(relation, man, city),),
        events=(Event("Move", Mention("Move", "went"), (Argument("goal", city),)),),
    )


def test_the_most_frequent_come_first_and_the_excluded_not_at_all() -> None:
    text = [sentence("Bo", "Rome"), sentence("Al", "Rome"), sentence("Al", "Oslo"), sentence("Cy", "Test")]
    counts = ExampleCounts(exclude=mentions_of([text[3]]))
    for one in text:
        counts.add(one)
    found = counts.top(2)
    assert found.entities == {"City": ("Rome", "Oslo"), "Man": ("Al", "Bo")}
    assert found.relations == {"In": (("Al", "Oslo"), ("Al", "Rome"))}
    assert found.events == {"Move": ("went",)}


def test_what_the_library_says_stays_and_comes_first() -> None:
    richer, counts = enrich(LIBRARY, [sentence("Bo", "Rome"), sentence("Al", "Rome", relation="Has")], examples=2)
    into, has = richer.relations
    assert (into.head, into.tail) == (("man",), ("city",))
    assert (has.head, has.tail) == (("firm",), ("city",))
    assert richer.events[0].examples == ("moved", "went")
    assert richer.events[0].roles[0].types == ("city",)
    assert counts == {"types with new examples": 5, "examples": 6, "examples left out": 0, "slots with new hints": 4}
    assert enrich(richer, [sentence("Bo", "Rome")], examples=2)[0] == richer


def test_hints_are_lifted_to_the_lowest_common_ancestor() -> None:
    fillers = Counter(City=50, Lake=40, Man=9, Idea=1)
    assert hint_types(fillers, LIBRARY, threshold=0.05, width=3) == ("city", "lake", "man")
    assert hint_types(fillers, LIBRARY, threshold=0.05, width=2) == ("man", "place")
    assert hint_types(fillers, LIBRARY, threshold=0.05, width=1) == ("thing",)
    assert hint_types(fillers, LIBRARY, threshold=0.01, width=1) == ()
    assert hint_types(Counter(City=9, Entity=1), LIBRARY, threshold=0.05, width=3) == ()


@given(st.dictionaries(st.sampled_from(sorted(TREE)), st.integers(1, 9), min_size=1), st.integers(1, 4))
def test_hints_cover_every_frequent_filler(counts: dict[str, int], width: int) -> None:
    hints = hint_types(Counter({id.capitalize(): n for id, n in counts.items()}), LIBRARY, 0.0, width)
    assert len(hints) <= width
    assert not hints or all({id, *LIBRARY.ancestors(id)} & set(hints) for id in counts)


@pytest.mark.parametrize(("words", "types"), [([], ("city", "man")), (["hints.width=1"], ("thing",))])
def test_threshold_and_width_are_keys(words: list[str], types: tuple[str, ...], tmp_path: Path) -> None:
    for name, kind in (("schema", "schema"), ("corpus", "corpus")):
        (tmp_path / name).mkdir()
        artefact.Manifest(kind, state="complete").save(tmp_path / name)
    LIBRARY.save(tmp_path / "schema")
    text = [sentence("Bo", "Rome"), *(replace(sentence("Al", str(n)), relations=swapped(n)) for n in range(9))]
    Corpus({"train": text}, {}).save(tmp_path / "corpus")
    keys = [f"schema={tmp_path}/schema", f"corpus={tmp_path}/corpus", f"output={tmp_path}/rich", *words]
    stages.enrich(config.load("enrich", keys))
    assert SchemaLibrary.load(tmp_path / "rich").relations[0].head == types
    stages.enrich(config.load("enrich", [*keys, "overwrite=true", "hints.threshold=0.5"]))
    assert SchemaLibrary.load(tmp_path / "rich").relations[0].head == ("city",)
    assert "head: City" in (tmp_path / "rich/schema_pys/Relations.py").read_text()


def swapped(number: int) -> tuple[Relation, ...]:
    return (Relation("In", Mention("City", str(number)), Mention("Man", "Al")),)
