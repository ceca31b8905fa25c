"""Fixtures that the whole suite shares."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("untimed", deadline=None)  # a busy machine is no failure
settings.load_profile("untimed")


def _given_folder(variable: str) -> Path:
    value = os.environ.get(variable)
    folder = Path(value).resolve() if value else None
    if folder is None or not folder.is_dir():
        pytest.skip(f"{variable} does not name a folder: tests on real data DO NOT RUN", allow_module_level=False)
    return folder


@pytest.fixture(scope="session")
def data_root() -> Path:
    """The folder with the public corpora (KNOWCODER_DATA_ROOT)."""
    return _given_folder("KNOWCODER_DATA_ROOT")


@pytest.fixture(scope="session")
def cases_root() -> Path:
    """The folder with model outputs and their right answers (KNOWCODER_CASES_ROOT)."""
    return _given_folder("KNOWCODER_CASES_ROOT")
