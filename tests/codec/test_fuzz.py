"""A short run of the fuzzer; scripts/fuzz.py runs for as long as one likes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "fuzz.py"


def test_no_input_breaks_the_parser(tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="atheris is not installed: the parser is not fuzzed")
    command = [sys.executable, str(SCRIPT), "-runs=3000", "-seed=1", "-max_len=100"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Done 3000 runs" in done.stderr
