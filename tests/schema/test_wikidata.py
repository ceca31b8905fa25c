"""Wikidata dumps: streamed line by line; types, hints and facts come out, malformed entities are counted."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from knowcoder.errors import DataError
from knowcoder.schema.concepts import EntityType, RelationType
from knowcoder.schema.wikidata import read_wikidata


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


def write(path: Path, broken: str = "") -> Path:
    text = "[\n" + ",\n".join([*map(json.dumps, DUMP), broken or json.dumps(DUMP[0])]) + "\n]\n"
    path.write_bytes(gzip.compress(text.encode()) if path.suffix == ".gz" else text.encode())
    return path


@pytest.mark.parametrize("name", ["dump.json", "dump.json.gz"])
def test_a_small_dump(tmp_path: Path, name: str) -> None:
    source = read_wikidata(write(tmp_path / name))
    assert source.concepts == [
        EntityType(id="Q1", name="Thing", label="thing"),
        EntityType(id="Q5", name="Human", label="human", parent="Q1"),
        RelationType(id="P19", name="BornIn", label="born in", head=("Q5",), tail=("Q1",)),
    ]
    assert source.facts == {"Q7": ("Q5",)}
    assert [(r.reason, r.value) for r in source.rejects] == [
        ("unknown tail type; define it or leave it out", "P19: Q404")
    ]
    assert source.counts["entities read"] == 6


@pytest.mark.parametrize("broken", ['{"id": "Q8"', '{"id": "Q8", "type": "item", "claims": {"P279": [3]}}', "null"])
def test_a_malformed_entity_is_rejected_with_its_line(tmp_path: Path, broken: str) -> None:
    source = read_wikidata(write(tmp_path / "dump.json", broken))
    assert source.counts["entities read"] == 5
    assert source.counts["rejected: malformed entity"] == 1
    assert "dump.json:7" in source.rejects[0].value


def test_a_dump_that_is_cut_off_or_empty_is_an_error(tmp_path: Path) -> None:
    path = write(tmp_path / "dump.json.gz")
    path.write_bytes(path.read_bytes()[:-12])
    with pytest.raises(DataError, match="cut off"):
        read_wikidata(path)
    with pytest.raises(DataError, match="missing"):
        read_wikidata(tmp_path / "none.json")
    (tmp_path / "empty.json").write_text("[\n]\n")
    with pytest.raises(DataError, match="no class"):
        read_wikidata(tmp_path / "empty.json")


@pytest.mark.parametrize(
    ("name", "entities", "types"),
    [
        ("entities.dump.json", 49, 48),
        ("wdtk_mock-dump-with-bugs.json", 101, 39),
        ("wdtk_sample-dump-20150815.json.gz", 101, 39),
        ("wd_P279.json", 1, 1),
    ],
)
def test_real_dumps(data_root: Path, name: str, entities: int, types: int) -> None:
    source = read_wikidata(data_root / "wikidata_dump_fixtures" / name)
    assert (source.counts["entities read"], len(source.library())) == (entities, types)
    assert source.counts["rejected: malformed entity"] == 0
