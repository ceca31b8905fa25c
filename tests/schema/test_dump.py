"""Large files of lines: blocks are whole lines that add up to the text, whatever the form; damage is never silent."""

from __future__ import annotations

import bz2
import gzip
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from knowcoder.errors import DataError
from knowcoder.schema.dump import Block, blocks, each_block

FORMS: dict[str, Callable[[bytes], bytes]] = {"plain": bytes, "gz": gzip.compress, "bz2": bz2.compress}
LINES = st.lists(st.binary(max_size=40).map(lambda line: line.replace(b"\n", b" ")), max_size=12).map(
    lambda lines: b"[" + b"\n".join(lines) if lines else b""  # a first character that begins no archive
)


def number_and_size(block: Block) -> tuple[int, int]:
    return block.number, len(block.read())


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("threads", [1, 2])
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=LINES, size=st.integers(1, 60))
def test_blocks_are_whole_lines_and_add_up(tmp_path: Path, form: str, threads: int, text: bytes, size: int) -> None:
    path = tmp_path / "lines"
    path.write_bytes(FORMS[form](text))
    found = list(blocks(path, size=size, threads=threads))
    texts = [block.read() for block in found]
    assert b"".join(texts) == text
    assert all(part.endswith(b"\n") for part in texts[:-1])
    assert [(block.number, block.start) for block in found] == [
        (number, sum(map(len, texts[:number]))) for number in range(len(texts))
    ]
    for block in found:  # it goes on from anywhere
        rest = blocks(path, size=size, number=block.number, start=block.start, threads=threads)
        assert list(rest) == found[block.number :]


@pytest.mark.parametrize("form", FORMS)
def test_an_indented_object_is_one_block(tmp_path: Path, form: str) -> None:
    text = b'{\n "id": "Q1",\n "type": "item"\n}\n'
    (tmp_path / "one").write_bytes(FORMS[form](text))
    assert [block.read() for block in blocks(tmp_path / "one", size=4)] == [text]


TEXT = b"".join(b'{"line": %d, "square": %d}\n' % (number, number**2) for number in range(120_000))


@pytest.mark.parametrize("library", [True, False])
@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("form", ["gz", "bz2"])
def test_damage_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str, threads: int, library: bool
) -> None:
    if not library:  # as where the extra is not installed
        monkeypatch.setitem(sys.modules, "isal", None)
        monkeypatch.setitem(sys.modules, "indexed_bzip2", None)
    path = tmp_path / "lines"
    packed = FORMS[form](TEXT)
    path.write_bytes(packed)
    assert b"".join(block.read() for block in blocks(path, size=1 << 20, threads=threads)) == TEXT
    flipped = bytearray(packed)
    flipped[len(packed) // 2] ^= 8
    for damaged in (packed[:-1], packed[:-9], packed[: len(packed) // 2], packed[:20], bytes(flipped)):
        path.write_bytes(damaged)
        with pytest.raises(DataError, match=r"lines: after byte .* fetch it again"):
            list(blocks(path, size=1 << 20, threads=threads))


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none.json.*missing"):
        list(blocks(tmp_path / "none.json"))


def die(block: Block) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_killed_process_is_said(tmp_path: Path) -> None:
    (tmp_path / "lines").write_bytes(b"[\n]\n")
    with pytest.raises(DataError, match="resume=true"):
        list(each_block(die, blocks(tmp_path / "lines"), 2))


def test_several_processes_make_what_one_makes(tmp_path: Path) -> None:
    path = tmp_path / "lines.gz"
    path.write_bytes(gzip.compress(TEXT))
    one, two = (sorted(each_block(number_and_size, blocks(path, size=1 << 18), workers)) for workers in (1, 2))
    assert one == two
    assert sum(size for _, size in one) == len(TEXT)
