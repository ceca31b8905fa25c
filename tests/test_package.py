"""The built wheel, installed in an environment of its own and used outside the clone."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
pytest.importorskip("hatchling", reason="hatchling is not installed: the wheel is NOT TESTED")


def call(folder: Path, *words: str | Path) -> str:
    """What a command prints, run where no clone is in sight."""
    hidden = ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    done = subprocess.run([*map(str, words)], cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an environment that has the wheel, and everything else from the environment of the tests."""
    folder = tmp_path_factory.mktemp("outside")
    pip = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check"]
    call(folder, *pip, "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, ROOT)
    venv.create(folder / "venv", with_pip=False, symlinks=True)
    (wheel,) = folder.glob("*.whl")
    call(folder, *pip, "--python", folder / "venv/bin/python", "install", "--no-deps", wheel)
    (packages,) = (folder / "venv/lib").glob("python*/site-packages")
    (packages / "others.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


def test_the_command_works_outside_the_clone(outside: Path) -> None:
    knowcoder = outside / "venv/bin/knowcoder"
    assert "usage: knowcoder VERB" in call(outside, knowcoder, "--help")
    call(outside, knowcoder, "world", "output=world", "sentences=20", "test_sentences=4")
    assert (outside / "world/schema/entities.jsonl").is_file()
    assert "[1/" in call(outside, knowcoder, "run", "recipe=demo", "dry_run=true")
    assert "crossner-ai" in call(outside, knowcoder, "corpus", "list=true")


def test_the_package_is_whole(outside: Path) -> None:
    place = call(outside, outside / "venv/bin/python", "-c", "import knowcoder; print(knowcoder.__file__)")
    package = Path(place.strip()).parent
    assert package.is_relative_to(outside)
    carried = {path.relative_to(ROOT) for path in (ROOT / "knowcoder").rglob("*") if path.is_file()}
    missing = [path for path in carried if "__pycache__" not in path.parts and not (package.parent / path).is_file()]
    assert not missing
    configs = {path.relative_to(ROOT) for path in (ROOT / "configs").rglob("*.yaml") if path.parent.name != "local"}
    assert configs
    assert all((package / path).is_file() for path in configs)
    assert (outside / "venv/share/bash-completion/completions/knowcoder").is_file()
