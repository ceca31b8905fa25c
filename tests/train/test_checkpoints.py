"""A checkpoint on disk is whole or is not taken for one, whatever happened to it."""

from __future__ import annotations

import errno
import pickle
import resource
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from deepspeed.runtime.zero.config import ZeroStageEnum
from hypothesis import given
from hypothesis import strategies as st

from knowcoder.train import checkpoints
from knowcoder.train.checkpoints import State
from knowcoder.train.writer import CheckpointWriter, plain

FEW = st.lists(st.integers(1, 40), unique=True, max_size=12)


def committed(run_dir: Path, step: int) -> Path:
    """Write a checkpoint of two files as a rank does, and return its folder."""
    partial = run_dir / checkpoints.partial_name(step)
    partial.mkdir(parents=True)
    writer = CheckpointWriter(background=True)
    for name in ("weights.pt", "optimizer.pt"):
        writer.save({"name": name, "tensor": torch.arange(1000.0) + step}, str(partial / name))
    marks, failed = writer.finish()
    assert failed is None
    checkpoints.commit(run_dir, State(step, 1, 1, [0, 4], recent=[0.1 + 0.2]), marks)
    return run_dir / checkpoints.name_of(step)


def test_a_whole_checkpoint_has_no_faults_and_its_state_comes_back(tmp_path: Path) -> None:
    folder = committed(tmp_path, 7)
    assert checkpoints.faults(folder) == []
    assert checkpoints.read_state(folder) == State(7, 1, 1, [0, 4], recent=[0.1 + 0.2])
    assert (tmp_path / "latest").read_text() == "step7"
    assert torch.equal(torch.load(folder / "weights.pt", weights_only=True)["tensor"], torch.arange(1000.0) + 7)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-2])


def turn_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("spoil", [Path.unlink, cut, turn_a_bit])
@pytest.mark.parametrize("name", ["weights.pt", "optimizer.pt", "state.json", "files.json"])
def test_whatever_is_wrong_with_any_file_is_found(name: str, spoil: Callable[[Path], None], tmp_path: Path) -> None:
    folder = committed(tmp_path, 1)
    spoil(folder / name)
    (fault,) = checkpoints.faults(folder)
    assert name in fault
    if name != "files.json":
        found = [checkpoints.faults(folder, share, 2) for share in range(2)]
        assert sorted(found, key=len) == [[], [fault]], "exactly one of two ranks looks at a file"


@given(steps=FEW, last=st.integers(1, 4), every=st.integers(0, 7))
def test_the_last_and_every_nth_are_kept(steps: list[int], last: int, every: int) -> None:
    with tempfile.TemporaryDirectory() as name:
        run_dir = Path(name)
        for folder in (*(f"step{step}" for step in steps), "step1-notes"):
            (run_dir / folder).mkdir()
        checkpoints.thin_out(run_dir, last, every)
        kept = [step for step in sorted(steps) if step in sorted(steps)[-last:] or (every and step % every == 0)]
        assert [path.name for path in checkpoints.steps(run_dir)] == [f"step{step}" for step in kept]
        assert {path.name for path in run_dir.iterdir()} == {*(f"step{step}" for step in kept), "step1-notes"}


def test_what_a_killed_run_leaves_is_swept_away(tmp_path: Path) -> None:
    for name in ("step2", ".step4.partial", ".step1.removed", ".universal/step2"):
        (tmp_path / name).mkdir(parents=True)
    checkpoints.sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["step2"]


def test_a_torn_checkpoint_of_the_same_step_is_replaced(tmp_path: Path) -> None:
    cut(committed(tmp_path, 3) / "weights.pt")
    assert checkpoints.faults(committed(tmp_path, 3)) == []


def test_what_is_written_is_what_was_there_when_saving_began(tmp_path: Path) -> None:
    writer = CheckpointWriter(background=True)
    state = {"flat": torch.zeros(1 << 18), "list": [torch.zeros(3)], "number": 1}
    view = {"view": state["flat"][5:10]}
    writer.save(state, str(tmp_path / "whole.pt"))
    writer.save(view, str(tmp_path / "view.pt"))
    state["flat"].fill_(1)
    state["list"][0].fill_(1)
    state["number"] = 2
    marks, failed = writer.finish()
    assert failed is None
    assert not writer.writing
    found = torch.load(tmp_path / "whole.pt", weights_only=True)
    assert not found["flat"].any()
    assert not found["list"][0].any()
    assert found["number"] == 1
    assert (tmp_path / "view.pt").stat().st_size < 10_000, "a view is written without the rest of its storage"
    assert marks == {name: checkpoints.mark(tmp_path / name) for name in ("whole.pt", "view.pt")}


def test_a_copy_has_the_same_content_and_no_memory_in_common() -> None:
    state = {"tensors": (torch.ones(3), [torch.eye(2, dtype=torch.bfloat16)]), "size": torch.Size([2]), "none": None}
    copy = plain(state, copied=True)
    state["tensors"][0].fill_(0)
    assert torch.equal(copy["tensors"][0], torch.ones(3))
    assert copy["tensors"][1][0].dtype == torch.bfloat16
    assert copy["size"] == torch.Size([2])
    assert copy["none"] is None


@pytest.mark.parametrize("background", [True, False])
def test_a_disk_that_takes_no_more_is_said_at_the_end_and_not_before(background: bool, tmp_path: Path) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        writer = CheckpointWriter(background)
        writer.save({"tensor": torch.zeros(1 << 18)}, str(tmp_path / "large.pt"))
        writer.save({"tensor": torch.zeros(4)}, str(tmp_path / "small.pt"))
        marks, failed = writer.finish()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert failed is not None
    assert failed.errno == errno.EFBIG
    assert list(marks) == ["small.pt"]


class Harmful:
    def __reduce__(self) -> tuple[object, ...]:
        return (Path.touch, (Path("harmed"),))


def test_a_file_that_would_run_something_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    torch.save({"state": Harmful()}, tmp_path / "states.pt")
    with pytest.raises(pickle.UnpicklingError):
        CheckpointWriter(background=False).load(str(tmp_path / "states.pt"))
    assert not (tmp_path / "harmed").exists()


@pytest.mark.parametrize("background", [True, False])
def test_a_state_is_read_as_plain_values_by_every_python(background: bool, tmp_path: Path) -> None:
    """Python 3.11.2 pickles a member of an enumeration by `getattr`, which no file may call."""
    writer = CheckpointWriter(background)
    rate = torch.arange(4.0)
    writer.save({"stage": ZeroStageEnum.gradients, "parts": [{"rates": rate}]}, str(tmp_path / "state.pt"))
    marks, failed = writer.finish()
    assert failed is None
    assert marks == {"state.pt": checkpoints.mark(tmp_path / "state.pt")}
    state = torch.load(tmp_path / "state.pt", weights_only=True)
    assert type(state["stage"]) is int
    assert state["stage"] == 2
    assert torch.equal(state["parts"][0]["rates"], rate)
