"""Every command and every program of the README runs, at size=smoke, in a folder laid out like a clone."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
COMMANDS = re.findall(r"^    ((?:bash scripts/|knowcoder ).*?)(?:  +#.*)?$", README, re.MULTILINE)
SELF = "bash scripts/test.sh"  # what runs this test
PROGRAM = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[-1]


def at_size_smoke(text: str) -> str:
    return text.replace("outputs/demo", "outputs/demo-smoke")


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the scripts, the demonstration at size=smoke in it."""
    folder = tmp_path_factory.mktemp("clone")
    shutil.copytree(ROOT / "scripts", folder / "scripts")
    for name in ("pyproject.toml", "requirements-pretrain.txt", "requirements-sft.txt"):
        shutil.copy(ROOT / name, folder)
    (folder / ".venv").symlink_to(Path(sys.prefix))
    done = call("bash scripts/quickstart.sh size=smoke", folder)
    assert "scores and report: outputs/demo-smoke/score" in done
    return folder


def call(command: str, folder: Path) -> str:
    environment = os.environ | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "DS_ACCELERATOR": "cpu"}
    done = subprocess.run(
        ["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def test_the_readme_has_commands_for_all_four_acts() -> None:
    for verb in ("quickstart.sh", "pretrain.sh", "sft.sh", "merge", "convert to=hf", "predict", "extract", "plan"):
        assert any(verb in command for command in COMMANDS), verb


@pytest.mark.parametrize("command", [c for c in COMMANDS if c != SELF and "quickstart" not in c])
def test_command(command: str, clone: Path) -> None:
    call(at_size_smoke(command), clone)


def test_a_second_quickstart_finds_everything_done(clone: Path) -> None:
    printed = call("bash scripts/quickstart.sh size=smoke", clone)
    assert printed.count(": up to date") == len(re.findall(r"^\[\d+/\d+\]", printed, re.MULTILINE)) > 10


def test_program(clone: Path) -> None:
    (clone / "program.py").write_text(at_size_smoke(PROGRAM))
    call(f"{sys.executable} program.py", clone)
