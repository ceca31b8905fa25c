"""The card in a model folder."""

from __future__ import annotations

from pathlib import Path

import pytest

from knowcoder.codec.model_card import MODEL_CARD, ModelCard
from knowcoder.errors import DataError
from knowcoder.schema.render import Style


def test_a_card_comes_back_as_it_was_saved(tmp_path: Path) -> None:
    card = ModelCard(style=Style(dialect="released", examples=3), wrapper="published", max_length=512)
    card.save(tmp_path)
    assert ModelCard.load(tmp_path) == card


def test_a_folder_without_a_card_gets_the_defaults_with_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert ModelCard.load(tmp_path) == ModelCard()
    assert MODEL_CARD in caplog.text


def test_a_malformed_card_is_refused(tmp_path: Path) -> None:
    (tmp_path / MODEL_CARD).write_text('{"wrapper": "gift"}')
    with pytest.raises(DataError, match=MODEL_CARD):
        ModelCard.load(tmp_path)
