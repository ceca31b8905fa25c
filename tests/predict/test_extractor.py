"""Text and classes in, objects out."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from knowcoder import Entity, Event, Extractor, Relation, artefact, cli
from knowcoder.errors import ConfigError, DataError
from knowcoder.schema.live import read_classes

TEXT = 'Ada "the Countess" Lovelace was born in London.'


class Human(Entity):
    """A human being."""


class BornIn(Relation):
    head: Human
    tail: Entity


class Birth(Event):
    child: list[Human] = []


@pytest.fixture(scope="module")
def extractor(model_dir: Path) -> Extractor:
    return Extractor.from_pretrained(model_dir, read_classes([Human, BornIn, Birth])[0], device="cpu")


def test_a_random_model_returns_objects_of_the_classes_that_quote_the_text(extractor: Extractor) -> None:
    for classes in ([Human], [BornIn], [Birth], [Human, BornIn, Birth]):
        for found in extractor(TEXT, classes):
            assert isinstance(found, tuple(classes))
            if isinstance(found, Human):
                assert TEXT[found.start : found.end] == found.name
            if isinstance(found, BornIn):
                assert isinstance(found.head, Human)
            if isinstance(found, Birth):
                assert TEXT[found.trigger_start : found.trigger_end] == found.trigger


def test_names_of_the_library_do_as_well(extractor: Extractor) -> None:
    by_name = [repr(found) for found in extractor(TEXT, ["Human", "BornIn", "Birth"])]
    assert by_name == [repr(found) for found in extractor(TEXT)]
    assert by_name == [repr(found) for found in extractor(TEXT, [Human, BornIn, Birth])]
    assert len(by_name) > 0


def test_many_texts_get_what_each_gets_alone(extractor: Extractor) -> None:
    texts = [TEXT, "", "Bo was born. Ada was not."]
    together = extractor.many(texts, [Human, BornIn, Birth])
    assert [repr(found) for found in together] == [repr(extractor(text, [Human, BornIn, Birth])) for text in texts]
    assert extractor.many([]) == []


def test_the_command_reads_a_text_a_line_and_writes_a_line_for_each(
    model_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    library = read_classes([Human, BornIn, Birth])[0]
    library.save(tmp_path)
    artefact.Manifest("schema", state="complete").save(tmp_path)
    texts = [TEXT, "", "北京 Ada"]
    monkeypatch.setattr(sys, "stdin", io.StringIO("\n".join(texts)))
    words = [f"model={model_dir}", f"schema={tmp_path}", "classes=[Human]", "max_new_tokens=40", "pieces=sentence"]
    assert cli.main(["extract", *words]) == 0
    found = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["text"] for line in found] == texts
    assert not found[1]["objects"]
    for line in found:
        for item in line["objects"]:
            assert item["class"] == "Human"
            assert line["text"][item["start"] : item["end"]] == item["name"]


def test_what_cannot_be_asked_is_refused(extractor: Extractor) -> None:
    with pytest.raises(ConfigError, match="mixed"):
        extractor(TEXT, [Human, "BornIn"])
    with pytest.raises(DataError, match="Robot"):
        extractor(TEXT, ["Robot"])
    with pytest.raises(ConfigError, match="no classes"):
        Extractor(extractor.engine, extractor.card)(TEXT)
