"""Descriptions from a real model server: `transformers serve` with a small random model, started as users start it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from knowcoder import artefact, cli
from knowcoder.schema.concepts import EntityType
from knowcoder.schema.library import SchemaLibrary
from tests.served import serving

LIBRARY = SchemaLibrary(
    (
        EntityType(id="city", name="City", examples=("Rome", "Oslo")),
        EntityType(id="town", name="Town", parent="city"),
        EntityType(id="lake", name="Lake", description="A body of water."),
    )
)
TEMPLATE = "{% for message in messages %}{{ message['content'] }}\n{% endfor %}"


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    from knowcoder.checkpoint.init import init_model

    folder = tmp_path_factory.mktemp("served")
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4}
    (folder / "small.yaml").write_text(json.dumps({"model_type": "llama", "initializer_range": 0.4, **sizes}))
    text = ["Define a type of city in one sentence: a large town.", "A lake is a body of water that is not a sea."]
    init_model(str(folder / "small.yaml"), text, vocab_size=400, seed=1, output_dir=folder / "m")
    (folder / "m" / "chat_template.jinja").write_text(TEMPLATE)
    return folder / "m"


@pytest.fixture(scope="module")
def url(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(model, tmp_path_factory.mktemp("log") / "serve.log") as address:
        yield address


@pytest.mark.parametrize("api", ["chat", "completion"])
def test_a_real_server_describes_what_has_no_description(
    api: str, url: str, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "schema").mkdir()
    LIBRARY.save(tmp_path / "schema")
    artefact.Manifest("schema", state="complete").save(tmp_path / "schema")
    words = [f"schema={tmp_path}/schema", f"describe.url={url}", f"describe.model={model}", f"describe.api={api}"]
    words += ["describe.max_tokens=8", f"describe.cache={tmp_path}/answers"]
    assert cli.main(["enrich", *words, f"output={tmp_path}/rich"]) == 0, capsys.readouterr().err
    city, town, lake = SchemaLibrary.load(tmp_path / "rich")
    assert city.description
    assert town.description
    assert (lake.description, lake.described_by) == ("A body of water.", "")
    assert city.described_by == town.described_by == str(model)
    assert cli.main(["enrich", *words, f"output={tmp_path}/again"]) == 0
    assert "2 descriptions, 2 from the cache, 0 without an answer" in capsys.readouterr().out
    assert tuple(SchemaLibrary.load(tmp_path / "again")) == (city, town, lake)
