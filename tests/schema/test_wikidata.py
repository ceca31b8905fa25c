"""Wikidata dumps: types, hints, roles and facts come out whatever the processes; what is malformed is counted."""

from __future__ import annotations

import gzip
import json
import shutil
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from knowcoder import jsonl
from knowcoder.errors import DataError
from knowcoder.schema import wikidata
from knowcoder.schema.choice import Choice
from knowcoder.schema.concepts import EntityType, EventType, RelationType, Role
from knowcoder.schema.facts import Fact
from knowcoder.schema.source import SchemaSource


def read(path: Path, choice: Choice | None = None, **keys: Any) -> SchemaSource:
    """The schema of a dump; facts and instances come to lie beside the dump."""
    shards = path.parent / "shards"
    shutil.rmtree(shards, ignore_errors=True)
    list(wikidata.digest(path, shards, **keys))
    return wikidata.merge(path, path.parent, shards, choice)


def facts(folder: Path) -> dict[str, list[str]]:
    return {fact.id: fact.types for fact in jsonl.read(folder / "facts.jsonl", Fact)}


def instances(folder: Path) -> dict[str, int]:
    return {found["id"]: found["instances"] for found in jsonl.read(folder / "instances.jsonl", dict)}


def snak(id: str) -> dict[str, Any]:
    return {"snaktype": "value", "datavalue": {"value": {"entity-type": "item", "id": id}, "type": "wikibase-entityid"}}


def claim(id: str, rank: str = "normal", **qualifiers: list[str]) -> dict[str, Any]:
    found = {property: [snak(value) for value in values] for property, values in qualifiers.items()}
    return {"mainsnak": snak(id), "rank": rank, "qualifiers": found}


def entity(id: str, label: str, claims: Any, **fields: Any) -> dict[str, Any]:
    kind = "property" if id.startswith("P") else "item"
    words = {"en": {"language": "en", "value": label}}
    return {"id": id, "type": kind, "labels": words, "descriptions": [], "aliases": {}, "claims": claims} | fields


DUMP = [
    entity("Q1", "thing", []),
    entity("Q5", "human", {"P279": [claim("Q1"), claim("Q9", "deprecated")]}),
    entity("Q7", "Ada", {"P31": [claim("Q5"), {"mainsnak": {"snaktype": "somevalue"}, "rank": "normal"}]}),
    entity(
        "P19",
        "born in",
        {"P2302": [claim("Q21503250", P2308=["Q5"]), claim("Q21510865", P2308=["Q1", "Q404"])], "P1647": [claim("P7")]},
        datatype="wikibase-item",
    ),
    entity("P18", "image", {}, datatype="commonsMedia"),
]


def write(path: Path, entities: Sequence[Any] = DUMP, broken: str = "") -> Path:
    text = "[\n" + ",\n".join([*map(json.dumps, entities), *[broken] * bool(broken)]) + "\n]\n"
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize("name", ["dump.json", "dump.json.gz"])
def test_a_small_dump(tmp_path: Path, name: str) -> None:
    source = read(write(tmp_path / name))
    assert source.concepts == [
        EntityType(id="Q1", name="Thing", label="thing"),
        EntityType(id="Q5", name="Human", label="human", parent="Q1"),
        RelationType(id="P19", name="BornIn", label="born in", head=("Q5",), tail=("Q1",)),
    ]
    assert facts(tmp_path) == {"Q7": ["Q5"]}
    assert instances(tmp_path) == {"Q5": 1}
    assert [(r.reason, r.value) for r in source.rejects] == [
        ("unknown tail type; define it or leave it out", "P19: Q404")
    ]
    # five entities; Q5 below Q1, and the three classes of the constraints
    assert (source.counts["entities read"], source.read) == (5, 9)


@pytest.mark.parametrize(
    "broken",
    [
        '{"id": "Q8"',
        '{"id": "Q8", "type": "item", "claims": {"P279": [3]}}',
        '{"id": "Q8", "type": "item", "claims": {"P1": [{"qualifiers": {"P2": 1}, "rank": 5}]}}',
        '{"id": "L8", "type": "lexeme"}',
        '{"id": "Q8\\n", "type": "item"}',
        "null",
        "[" * 5000 + "]" * 5000,
        '{"id": "Q8", "type": "item", "labels": {"en": {"value": "\\ud800"}}}',
    ],
)
def test_a_malformed_entity_is_rejected_with_its_line(tmp_path: Path, broken: str) -> None:
    source = read(write(tmp_path / "dump.json", broken=broken), block_size=300)
    assert source.counts["entities read"] == 6
    [reject] = [reject for reject in source.rejects if "malformed" in reject.reason]
    assert (reject.file, reject.line) == (str(tmp_path / "dump.json"), 7)
    assert broken[:9] in reject.value


def test_an_id_given_twice_is_rejected(tmp_path: Path) -> None:
    source = read(write(tmp_path / "dump.json", [*DUMP, entity("Q1", "thing again", {})]))
    assert ("id given twice; the first was kept", "Q1") in [(r.reason, r.value) for r in source.rejects]
    assert source.library().by_id("Q1").label == "thing"


def test_a_dump_that_is_cut_off_or_empty_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "dump.json.gz")
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(DataError, match="cut off"):
        read(path)
    with pytest.raises(DataError, match="missing"):
        read(tmp_path / "none.json")
    (tmp_path / "empty.json").write_text("[\n]\n")
    with pytest.raises(DataError, match="no class"):
        read(tmp_path / "empty.json")
    (tmp_path / "other.json").write_text('{"sentence": "Ada."}\n' * 3)
    with pytest.raises(DataError, match=r"other.json:1: .*no line is an item"):
        read(tmp_path / "other.json")
    plain = write(tmp_path / "dump.json")
    plain.write_bytes(plain.read_bytes()[:-40])  # in the middle of a line
    source = read(plain)
    assert source.counts["lists not closed: the dump may be cut off"] == 1
    assert any("malformed" in reject.reason for reject in source.rejects)


def word(text: str) -> dict[str, str]:
    return {"value": text}


def test_words_come_in_the_chosen_languages(tmp_path: Path) -> None:
    names = {
        "labels": {"en": word("human"), "de": word("Mensch"), "fr": word("humain"), "mul": word("Homo")},
        "descriptions": {"de": word("Lebewesen"), "fr": word("personne")},
        "aliases": {"en": [word("person"), word("human")], "fr": [word("homme")]},
    }
    dump = [entity("Q1", "", {}, labels={"mul": word("Ding")}), entity("Q5", "", {"P279": [claim("Q1")]}, **names)]
    thing, human = read(write(tmp_path / "dump.json", dump), languages=["de", "en"]).concepts
    assert thing.label == "Ding"
    assert (human.label, human.description) == ("Mensch", "Lebewesen")
    assert human.aliases == ("human", "Homo", "person")


def test_relations_with_qualifiers_are_events_too(tmp_path: Path) -> None:
    educated = [claim("Q10", P580=["Q1"], P585=["Q1"]), claim("Q10", P580=["Q1"], P512=["Q1"])]
    dump = [
        *DUMP[:2],
        entity(
            "Q8", "Bo", {"P69": [*educated, claim("Q10", "deprecated", P582=["Q1"])], "P19": [claim("Q1", P17=["Q1"])]}
        ),
        entity("P69", "educated at", {"P2302": [claim("Q21503250", P2308=["Q5"])]}, datatype="wikibase-item"),
        entity("P580", "start time", {}, datatype="time"),
        entity("P512", "academic degree", {"P2302": [claim("Q21510865", P2308=["Q1"])]}, datatype="wikibase-item"),
        entity("P2302", "property constraint", {}, datatype="wikibase-item"),
        entity("P19", "born in", {"P19": [claim("Q1", P580=["Q1"])]}, datatype="wikibase-item"),
    ]
    roles = (Role(name="start_time"), Role(name="academic_degree", types=("Q1",)))
    educated_at = EventType(id="P69_event", name="EducatedAtEvent", label="educated at", roles=roles)
    library = read(write(tmp_path / "dump.json", dump)).library()
    assert library.events == (educated_at,)
    assert [relation.name for relation in library.relations] == [
        "BornIn",
        "EducatedAt",
        "AcademicDegree",
        "PropertyConstraint",
    ]
    [rarer] = read(tmp_path / "dump.json", Choice(min_role=2)).library().events
    assert rarer.roles == roles[:1]


def chain() -> list[dict[str, Any]]:
    """Q1 above Q2 above Q3 above Q4, whose instances are Q100 and Q101; Q3 has one, Q9 is a class by its instance."""
    below = [entity(f"Q{n}", f"class {n}", {"P279": [claim(f"Q{n - 1}")]} if n > 1 else {}) for n in (4, 3, 2, 1)]
    kinds = [("Q100", ["Q4"]), ("Q101", ["Q4", "Q9"]), ("Q102", ["Q3"]), ("Q103", ["Q8"])]
    return [*below, *(entity(id, id, {"P31": [claim(kind) for kind in found]}) for id, found in kinds)]


def test_types_are_chosen_by_ids(tmp_path: Path) -> None:
    near = entity("P1", "near", {"P2302": [claim("Q21503250", P2308=["Q4"])]}, datatype="wikibase-item")
    far = entity("P2", "far", {}, datatype="wikibase-item")
    choice = Choice(ids=frozenset({"Q1", "Q3", "P1", "Q777", "P777"}))
    source = read(write(tmp_path / "dump.json", [*chain(), near, far]), choice)
    assert source.concepts == [
        EntityType(id="Q1", name="Class1", label="class 1"),
        EntityType(id="Q3", name="Class3", label="class 3", parent="Q1"),
        RelationType(id="P1", name="Near", label="near", head=("Q3",)),
    ]
    assert facts(tmp_path) == {"Q100": ["Q3"], "Q101": ["Q3"], "Q102": ["Q3"]}
    assert [r.value for r in source.rejects] == ["P777", "Q777"]


def test_facts_hold_names_and_pages_that_tell_names_apart(tmp_path: Path) -> None:
    dump = [
        *chain(),
        entity("Q200", "Ada", {"P31": [claim("Q4")]}, aliases={"en": [{"value": "Countess"}]}),
        entity("Q201", "", {"P31": [claim("Q4"), claim("Q4167410")]}, labels={}),
    ]
    read(write(tmp_path / "dump.json", dump), Choice(ids=frozenset({"Q4"})))
    assert list(jsonl.read(tmp_path / "facts.jsonl", Fact))[-2:] == [
        Fact("Q200", ["Q4"], ["Ada", "Countess"]),
        Fact("Q201", ["Q4", "Q4167410"]),
    ]


def test_types_are_chosen_by_facts_and_by_instances(tmp_path: Path) -> None:
    path = write(tmp_path / "dump.json", chain())
    chosen = {concept.id: concept.parent for concept in read(path, Choice(types=frozenset({"Q4", "Q2"}))).concepts}
    assert chosen == {"Q2": None, "Q4": "Q2"}
    assert [concept.id for concept in read(path, Choice(min_instances=1)).concepts] == ["Q3", "Q4", "Q8", "Q9"]
    assert instances(tmp_path) == {"Q3": 1, "Q4": 2, "Q8": 1, "Q9": 1}
    both = Choice(types=frozenset({"Q3", "Q4"}), min_instances=2)
    assert [concept.id for concept in read(path, both).concepts] == ["Q4"]


GRAPHS = st.lists(st.tuples(*[st.integers(1, 9)] * 2, st.booleans()), min_size=1, max_size=25)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edges=GRAPHS, kept=st.frozensets(st.integers(1, 9), min_size=1), size=st.integers(200, 2000))
def test_generated_dumps(tmp_path: Path, edges: list[tuple[int, int, bool]], kept: frozenset[int], size: int) -> None:
    """Against a plain reading of the same statements: counts, facts, ancestors, of any class graph with cycles."""
    claims: dict[str, dict[str, list[Any]]] = {f"Q{n}": {"P279": [], "P31": []} for n in range(1, 10)}
    for child, parent, is_instance in edges:
        claims[f"Q{child}"]["P31" if is_instance else "P279"].append(claim(f"Q{parent}"))
    path = write(tmp_path / "dump.json", [entity(id, id, found) for id, found in claims.items()])
    source = read(path, Choice(ids=frozenset(f"Q{n}" for n in kept)), block_size=size)
    library = source.library()  # checks that no type is its own ancestor
    assert {concept.id for concept in library} == {f"Q{n}" for n in kept}
    above = {
        f"Q{n}": {f"Q{parent}" for child, parent, instance in edges if child == n and not instance} for n in range(10)
    }
    for _ in range(9):  # the transitive closure
        above = {id: found.union(*(above[parent] for parent in found)) for id, found in above.items()}
    for type in library.entities:
        assert set(library.ancestors(type.id)) <= above[type.id]
        assert set(type.parents) <= above[type.id]
    counted = Counter(f"Q{kind}" for _, kind in {(child, parent) for child, parent, instance in edges if instance})
    assert instances(tmp_path) == {id: count for id, count in counted.items() if int(id[1:]) in kept}
    for id, types in facts(tmp_path).items():
        kinds = {f"Q{parent}" for child, parent, instance in edges if instance and f"Q{child}" == id}
        assert kinds & {concept.id for concept in library} <= set(types)
        assert set(types) <= kinds.union(*(above[kind] for kind in kinds))
    rejected = len(source.rejects)
    assert source.read - rejected == 9 + sum(len(t.parents) + (t.parent is not None) for t in library.entities)


def outputs(folder: Path, source: SchemaSource) -> tuple[Any, ...]:
    files = [(folder / name).read_bytes() for name in ("facts.jsonl", "instances.jsonl")]
    return source.concepts, source.rejects, source.read, source.counts, *files


@pytest.mark.parametrize("name", ["dump.json", "dump.json.gz"])
def test_several_processes_and_a_build_that_was_cut_off_make_the_same(tmp_path: Path, name: str) -> None:
    entities = [
        entity(f"Q{n}", f"thing {n}", {"P279": [claim(f"Q{n // 3 + 1}")], "P31": [claim("Q7")]}) for n in range(1, 400)
    ]
    path = write(tmp_path / name, entities, broken='{"id"')
    expected = outputs(tmp_path, read(path, block_size=9000))
    assert outputs(tmp_path, read(path, block_size=9000, workers=2)) == expected
    shards = tmp_path / "shards"
    whole = {shard.name: shard.read_bytes() for shard in shards.iterdir()}
    shutil.rmtree(shards)
    first = list(islice(wikidata.digest(path, shards, block_size=9000), 7))  # and here it is killed
    (shards / "000007.jsonl.partial").write_text('{"end": 3')
    first[3].unlink()  # another process was slower
    written = {shard: shard.stat().st_mtime_ns for shard in first if shard.exists()}
    again = list(wikidata.digest(path, shards, block_size=9000))
    assert not set(again) & set(written)
    assert {shard: shard.stat().st_mtime_ns for shard in written} == written
    assert {shard.name: shard.read_bytes() for shard in shards.iterdir() if shard.suffix != ".partial"} == whole
    assert outputs(tmp_path, wikidata.merge(path, tmp_path, shards)) == expected


@pytest.mark.parametrize(
    ("name", "entities", "types", "typed"),
    [
        ("entities.dump.json", 49, 48, 5),
        ("wdtk_mock-dump-with-bugs.json", 101, 40, 0),
        ("wdtk_sample-dump-20150815.json.gz", 101, 40, 0),
        ("wd_P279.json", 1, 1, 0),
    ],
)
def test_real_dumps(tmp_path: Path, data_root: Path, name: str, entities: int, types: int, typed: int) -> None:
    path = data_root / "wikidata_dump_fixtures" / name
    list(wikidata.digest(path, tmp_path / "shards"))
    source = wikidata.merge(path, tmp_path, tmp_path / "shards")
    assert (source.counts["entities read"], len(source.library()), len(facts(tmp_path))) == (entities, types, typed)
    assert not [reject for reject in source.rejects if "malformed" in reject.reason]
