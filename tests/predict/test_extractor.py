"""Text and classes in, objects out."""

from __future__ import annotations

from pathlib import Path

import pytest

from knowcoder import Entity, Event, Extractor, Relation
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


def test_what_cannot_be_asked_is_refused(extractor: Extractor) -> None:
    with pytest.raises(ConfigError, match="mixed"):
        extractor(TEXT, [Human, "BornIn"])
    with pytest.raises(DataError, match="Robot"):
        extractor(TEXT, ["Robot"])
    with pytest.raises(ConfigError, match="no classes"):
        Extractor(extractor.engine, extractor.card)(TEXT)
