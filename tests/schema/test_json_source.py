"""Schemas in JSON: our form and ontologies; what is wrong in them is said with its file and value."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from knowcoder.artefact import Reject
from knowcoder.errors import DataError
from knowcoder.schema.concepts import EntityType, EventType, RelationType, Role
from knowcoder.schema.json_source import read_json


def write(path: Path, document: Any) -> Path:
    path.write_text(json.dumps(document))
    return path


def test_our_form(tmp_path: Path) -> None:
    document = {
        "entities": [
            {"id": "place", "label": "place", "description": "Somewhere."},
            {"id": "city", "name": "Town", "parent": "place", "examples": ["Paris"]},
        ],
        "relations": [{"id": "in", "label": "lies in", "head": ["city"], "tail": ["place"], "examples": [["a", "b"]]}],
        "events": [{"id": "move", "roles": [{"name": "goal", "types": ["place"]}]}],
    }
    source = read_json(write(tmp_path / "schema.json", document))
    assert source.concepts == [
        EntityType(id="place", name="Place", label="place", description="Somewhere."),
        EntityType(id="city", name="Town", parent="place", examples=("Paris",)),
        RelationType(id="in", name="LiesIn", label="lies in", head=("city",), tail=("place",), examples=(("a", "b"),)),
        EventType(id="move", name="Move", roles=(Role(name="goal", types=("place",)),)),
    ]
    assert len(source.library()) == 4


def test_ontologies_of_a_folder_are_united(tmp_path: Path) -> None:
    human, film, song = ({"qid": f"Q{n}", "label": label} for n, label in enumerate(("human", "film ", "song")))
    relation = {"pid": "P1", "label": "author", "range": "Q0"}
    write(tmp_path / "1.json", {"concepts": [human, film], "relations": [relation | {"domain": "Q1"}]})
    write(tmp_path / "2.json", {"concepts": [human, song], "relations": [relation | {"domain": "Q2"}]})
    unknown = {"pid": "P2", "label": "x", "domain": "Q9", "range": ""}
    write(tmp_path / "3.json", {"concepts": [human], "relations": [unknown]})
    source = read_json(tmp_path)
    assert [concept.name for concept in source.concepts] == ["Human", "Film", "Author", "Song", "X"]
    author, x = source.concepts[2], source.concepts[4]
    assert isinstance(author, RelationType)
    assert isinstance(x, RelationType)
    assert (author.head, author.tail, x.head, x.tail) == (("Q1", "Q2"), ("Q0",), (), ())
    place = str(tmp_path / "3.json")
    assert source.rejects == [Reject(place, 1, "unknown head type; define it or leave it out", "P2: Q9")]


def test_a_relation_of_any_entity_somewhere_takes_any_entity(tmp_path: Path) -> None:
    concepts = [{"qid": "Q1", "label": "a"}]
    relations = [{"pid": "P1", "label": "r", "domain": "Q1", "range": r} for r in ("Q1", "")]
    source = read_json(write(tmp_path / "o.json", {"concepts": concepts, "relations": relations}))
    relation = source.concepts[1]
    assert isinstance(relation, RelationType)
    assert (relation.head, relation.tail) == (("Q1",), ())


@pytest.mark.parametrize(
    ("document", "message"),
    [
        ({"entities": [{"id": "a"}, {"id": "a"}]}, "used twice"),
        ({"entities": [{"id": "a", "colour": 1}]}, "1: .*unknown field `colour`"),
        ({"entities": [{"name": "A"}]}, "missing required field `id`"),
        ({"entities": [{"id": "a", "name": "X"}, {"id": "b", "name": "X"}]}, "both called X"),
        ({"classes": []}, "classes"),
        ({"events": [{"id": "e", "roles": [{"name": "r", "type": "x"}]}]}, "1: .*unknown field `type`"),
    ],
)
def test_what_is_wrong_is_an_error_that_names_the_value(tmp_path: Path, document: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        read_json(write(tmp_path / "bad.json", document))


def test_the_real_ontologies(data_root: Path) -> None:
    source = read_json(data_root / "text2kg_wikidata" / "ontologies")
    assert (source.counts["EntityType"], source.counts["RelationType"]) == (128, 90)
    assert len(source.library()) == 218


def test_labels_alone(tmp_path: Path) -> None:
    source = read_json(write(tmp_path / "labels.json", ["human being", "город"]))
    assert source.concepts == [
        EntityType(id="human being", name="HumanBeing", label="human being"),
        EntityType(id="город", name="Город", label="город"),
    ]
    by_kind = {"entities": ["person"], "relations": ["born in"], "events": ["attack"]}
    library = read_json(write(tmp_path / "kinds.json", by_kind)).library()
    assert [concept.name for concept in library] == ["Person", "BornIn", "Attack"]


def test_a_slot_of_which_nothing_is_said_is_the_parent_s(tmp_path: Path) -> None:
    relations = [
        {"id": "loves", "parent": "knows"},
        {"id": "knows", "parent": "meets", "head": ["a"]},
        {"id": "meets", "head": [], "tail": ["a", "b"]},
        {"id": "any", "parent": "knows", "head": []},
    ]
    source = read_json(write(tmp_path / "s.json", {"entities": ["a", "b"], "relations": relations}))
    slots = {relation.id: (relation.head, relation.tail) for relation in source.library().relations}
    both = ("a", "b")
    assert slots == {"loves": (("a",), both), "knows": (("a",), both), "meets": ((), both), "any": ((), both)}
    assert source.rejects == []


def test_events_by_path_with_role_types(tmp_path: Path) -> None:
    general = {"roles": ["Attacker", "Target", "Target"], "role_types": [["per", "org"], ["fac"], ["per"]]}
    special = {
        "roles": ["Cause"],
        "role_types": [["event", "per"]],
        "keywords": ["blast"],
        "template": "<arg1> it <arg9>",
    }
    events = {"Conflict.Attack.Blast": special, "Conflict.Attack.Unspecified": general}
    source = read_json(write(tmp_path / "s.json", events))
    library = source.library()
    assert library.names("entity") == ("Per", "Org", "Fac")
    blast, attack = library.events
    assert (blast.name, blast.parent, blast.examples) == ("Blast", "Conflict.Attack.Unspecified", ("blast",))
    assert blast.description == "Cause it <arg9>"
    assert blast.roles == (Role(name="cause"),)
    assert attack.name == "Attack"
    assert attack.roles == (
        Role(name="attacker", types=("per", "org")),
        Role(name="target", types=("fac", "per")),
    )
    assert [reject.value for reject in source.rejects] == ["Conflict.Attack.Blast: Cause: event"]


def test_the_real_event_ontology(data_root: Path) -> None:
    source = read_json(data_root / "wikievents" / "event_role_KAIROS.json")
    library = source.library()
    assert (len(library.events), len(library.entities)) == (51, 25)
    assert {reject.reason for reject in source.rejects} == {"a role that events fill; any entity is taken"}
    assert all(event.roles and event.examples and event.description for event in library.events)
    assert sum(event.parent is not None for event in library.events) == 12
    attack = library.by_name("Attack")
    assert isinstance(attack, EventType)
    assert attack.id == "Conflict.Attack.Unspecified"
