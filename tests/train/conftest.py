"""What the tests of instruction tuning start from; they write beside it, never into it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.packed import save_packed
from tests.tuning import LENGTH, save_model


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_packed(tmp_path_factory.mktemp("data"), max_length=LENGTH)


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_model(tmp_path_factory.mktemp("model"))
