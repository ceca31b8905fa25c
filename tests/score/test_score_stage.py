"""The stage: what its keys add to the table, metrics.json and the report."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from knowcoder import artefact, config, jsonl, stages
from knowcoder.corpus.reading import Corpus
from knowcoder.corpus.sentence import Annotations, LabelSet, Mention, Sentence
from knowcoder.errors import DataError, ModelError
from knowcoder.schema.concepts import EntityType
from knowcoder.schema.library import SchemaLibrary
from knowcoder.score.prediction import Prediction

SOURCE = "crossner-ai"
GOLD = [
    Sentence(id=str(i), text="Ana saw Oslo", source=SOURCE, tasks=("NER",), entities=(Mention("Human", "Ana", 0, 3),))
    for i in range(40)
]


def _predictions(folder: Path, right: int) -> Path:
    folder.mkdir()
    artefact.Manifest("predictions", state="complete").save(folder)
    jsonl.write(
        folder / "predictions.jsonl",
        [
            Prediction(id=s.id, task="NER", annotations=Annotations((Mention("Poet" if i < right else "City", "Ana"),)))
            for i, s in enumerate(GOLD[:36])
        ],
    )
    return folder


@pytest.fixture
def words(tmp_path: Path) -> list[str]:
    for name in ("schema", "corpus"):
        (tmp_path / name).mkdir()
        artefact.Manifest(name, state="complete").save(tmp_path / name)
    types = (
        EntityType(id="h", name="Human"),
        EntityType(id="p", name="Poet", parent="h"),
        EntityType(id="c", name="City"),
    )
    SchemaLibrary(types).save(tmp_path / "schema")
    Corpus({"test": GOLD}, {SOURCE: LabelSet(entities=("Human", "City"))}).save(tmp_path / "corpus")
    ours = _predictions(tmp_path / "ours", 30)
    return [
        f"predictions=[{ours}]",
        f"gold={tmp_path}/corpus",
        f"schema={tmp_path}/schema",
        f"output={tmp_path}/score",
    ]


def test_two_systems_are_compared_in_the_table_the_numbers_and_the_report(
    words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = _predictions(tmp_path / "theirs", 0)
    (tmp_path / "coarse.json").write_text(json.dumps({"Poet": "Human"}))
    stages.score(
        config.load(
            "score",
            [*words, f"compare={other}", "profile=knowcoder-paper", f"coarse={tmp_path}/coarse.json", "limit=36"],
        )
    )
    table = capsys.readouterr().out
    assert "ours minus theirs, strict F1 by paired bootstrap: NER +0.0" in table
    assert "F1 by profile (not comparable with strict): NER knowcoder-paper 83.3" in table
    metrics = jsonl.read_json(tmp_path / "score/metrics.json")
    assert metrics["comparisons"][0]["tasks"]["NER"]["p_value"] == 1.0
    assert metrics["sentences"] == {"original": 40, "scored": 36}
    predictions = tmp_path / "ours/predictions.jsonl"
    assert metrics["sha256"][str(predictions)] == hashlib.sha256(predictions.read_bytes()).hexdigest()
    assert {Path(name).name for name in metrics["sha256"]} >= {"test.jsonl", "entities.jsonl", "coarse.json"}
    assert metrics["versions"]["knowcoder"]
    task = metrics["systems"]["ours"]["tasks"]["NER"]
    assert {name: round(one["f1"], 3) for name, one in task["columns"].items()} == {
        **dict.fromkeys(("strict", "strict_offsets", "distinct", "type_filter", "text_filter"), 0.0),
        "identification": 1.0,
        "superclass": 0.833,
        "coarse": 0.833,
    }
    page = (tmp_path / "score/report.html").read_text()
    assert "ours against theirs" in page
    assert "not comparable with strict" in page
    assert "60.3" in page  # the paper's number for this benchmark


def test_what_cannot_be_done_is_refused_with_the_reason(words: list[str], tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="head_words=no_such_pipeline"):
        stages.score(config.load("score", [*words, "head_words=no_such_pipeline"]))
    (tmp_path / "coarse.json").write_text(json.dumps({"Ghost": "Human"}))
    with pytest.raises(DataError, match="no class is called 'Ghost'"):
        stages.score(config.load("score", [*words, f"coarse={tmp_path}/coarse.json"]))
