"""KGTK extracts: words are unescaped, cycles broken, everything left out is counted; the real counts are met."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from knowcoder.errors import DataError
from knowcoder.schema.concepts import EntityType, RelationType
from knowcoder.schema.facts import Fact
from knowcoder.schema.kgtk import read_kgtk


def write(path: Path, *rows: str) -> None:
    path.write_text("".join(row.replace(" | ", "\t") + "\n" for row in rows), encoding="utf-8")


def test_a_small_extract(tmp_path: Path) -> None:
    edges = ["Q3 | P279 | Q1", "Q3 | P279 | Q2", "Q2 | P279 | Q1", "Q1 | P279 | Q3", "Q9"]
    write(tmp_path / "derived.P279.tsv", "node1 | label | node2", *edges)
    write(tmp_path / "derived.P31.tsv", "node1 | label | node2", "Q7 | P31 | Q2")
    labels = ["Q1 | 'thing'@en", "Q1 | 'Ding'@de", "Q2 | 'thing'@en", "P5 | 'near'@en", "Q7 | 'it'@en"]
    write(tmp_path / "labels.en.tsv", "node1 | node2", *labels)
    plain, quoted = r"""Q1 | 'a \'b\' \"c\"'@en""", 'Q2 | "\'say \\""so\\""\'@en"'
    write(tmp_path / "descriptions.en.tsv", "node1 | node2", plain, quoted)
    write(tmp_path / "metadata.property.datatypes.tsv", "node1 | label | node2", "P5 | datatype | wikibase-item")
    source = read_kgtk(tmp_path)
    assert source.concepts == [
        EntityType(id="Q1", name="Thing", label="thing", description="a 'b' \"c\"", parent="Q3"),
        EntityType(id="Q2", name="Thing_Q2", label="thing", description='say "so"'),
        EntityType(id="Q3", name="Q3", parent="Q2"),
        RelationType(id="P5", name="Near", label="near"),
    ]
    assert source.counts["rejected: subclass cycle"] == 2
    assert source.rejects[0].value == "Q9"
    assert (source.rejects[0].file, source.rejects[0].line) == (str(tmp_path / "derived.P279.tsv"), 6)
    assert (source.read, len(source.rejects)) == (14, 3)
    assert source.facts == [Fact("Q7", ["Q2"], ["it"])]


def test_a_file_that_is_cut_off_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "derived.P279.tsv.gz"
    path.write_bytes(gzip.compress(b"node1\tlabel\tnode2\n" + b"Q1\tP279\tQ2\n" * 99)[:-9])
    with pytest.raises(DataError, match=r"P279\.tsv\.gz:\d+: .*cut off"):
        read_kgtk(tmp_path)
    whole = gzip.compress(b"node1\tlabel\tnode2\n" + bytes(range(32, 127)) * 99)
    path.write_bytes(whole[:60] + b"\xff" * 9 + whole[69:])
    with pytest.raises(DataError, match="cut off"):
        read_kgtk(tmp_path)


def test_a_folder_without_edges_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no subclass edges"):
        read_kgtk(tmp_path)
    write(tmp_path / "derived.P279.tsv", "from | to", "Q1 | Q2")
    with pytest.raises(DataError, match="node1"):
        read_kgtk(tmp_path)


def test_the_real_taxonomy(data_root: Path) -> None:
    source = read_kgtk(data_root / "wikidata_arnold")
    counts = source.counts
    assert counts["EntityType"] == 14_598
    assert counts["rejected: subclass cycle"] == 6
    assert counts["edges in derived.P279.tsv.gz"] == 22_064
    assert counts["edges in derived.P31.tsv.gz"] == 77_358
    assert counts["edges in labels.en.tsv.gz"] == 66_359
    assert counts["edges in descriptions.en.tsv.gz"] == 59_844
    broken = [reject for reject in source.rejects if "columns" in reject.reason]
    assert (len(broken), len(source.rejects)) == (18, 18 + 6)
    assert {Path(reject.file).name for reject in broken} == {"metadata.property.datatypes.tsv.gz"}
    assert all(reject.line > 1 for reject in source.rejects)
    assert counts["classes with several parents"] == 5_482
    assert counts["classes without a label"] == 208
    assert counts["classes without a description"] == 2_355
    library = source.library()  # checks names, references and cycles
    below = sum("Q35120" in library.ancestors(type.id) or type.id == "Q35120" for type in library.entities)
    assert below > 13_000


def test_the_real_properties(data_root: Path) -> None:
    source = read_kgtk(data_root / "wikidata_properties")
    assert source.counts["RelationType"] == len(source.library()) == 1_384
    assert all(concept.label for concept in source.concepts)
    assert source.counts["edges in claims.properties.tsv.gz"] == 122_540
    assert source.counts["edges in labels.property.en.tsv.gz"] == 7_810
    assert source.rejects == []
