"""Everything that the documentation shows to be run runs, in its order, on the outputs of one demonstration run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.documentation import PAGES, ROOT, blocks, runs

RUN = [page for page in PAGES if page.name != "CONTRIBUTING.md" and runs(page)]


def call(folder: Path, *words: str | Path) -> str:
    environment = os.environ | {
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "DS_ACCELERATOR": "cpu",
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run([*map(str, words)], cwd=folder, env=environment, capture_output=True, text=True, timeout=1200)
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def lend_environment(folder: Path) -> None:
    """Give a clone the environment of the tests as its own, as one in which nothing is left to install."""
    (folder / ".venv").mkdir()
    for part in Path(sys.prefix).iterdir():
        if not part.name.startswith(".knowcoder"):
            (folder / ".venv" / part.name).symlink_to(part)
    files = "pyproject.toml requirements-*.txt scripts/environment.sh"
    call(folder, "bash", "-c", f"cat {files} | sha256sum | cut -c1-16 > .venv/.knowcoder-run")


@pytest.fixture(scope="session")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder laid out like a clone in which the quickstart has run, at size=smoke."""
    folder = tmp_path_factory.mktemp("clone")
    shutil.copytree(ROOT / "scripts", folder / "scripts")
    for name in ("pyproject.toml", "requirements-pretrain.txt", "requirements-sft.txt"):
        shutil.copy(ROOT / name, folder)
    lend_environment(folder)
    done = call(folder, "bash", "scripts/quickstart.sh", "size=smoke")
    assert "scores and report: outputs/demo-smoke/score" in done
    return folder


@pytest.mark.parametrize("page", RUN, ids=lambda page: page.stem)
def test_page(page: Path, clone: Path) -> None:
    said = call(clone, sys.executable, ROOT / "tests/documentation.py", page)
    assert len(re.findall(rf"^{page}:\d+$", said, re.MULTILINE)) == len(blocks(page))


def test_a_second_quickstart_finds_everything_done(clone: Path) -> None:
    printed = call(clone, "bash", "scripts/quickstart.sh", "size=smoke")
    assert printed.count(": up to date") == len(re.findall(r"^\[\d+/\d+\]", printed, re.MULTILINE)) > 10


def test_all_four_acts_are_run() -> None:
    shown = "\n".join(block.code for page in RUN for block in blocks(page) if block.language == "bash")
    for words in (
        "knowcoder pretrain",
        "knowcoder sft",
        "knowcoder convert to=hf",
        "knowcoder extract",
        "knowcoder score",
    ):
        assert words in shown
    assert {"README", "pretrain", "sft", "convert", "extract", "scale", "extend"} <= {page.stem for page in RUN}
