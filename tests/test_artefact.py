"""Artefacts: nothing half-written looks whole, and what is up to date is known to be."""

from __future__ import annotations

from pathlib import Path

import pytest

from knowcoder import artefact, config
from knowcoder.errors import ArtefactError


def world(output: Path, **keys: object) -> config.WorldConfig:
    return config.WorldConfig(output=str(output), **keys)  # type: ignore[arg-type]


def predict(output: Path, **keys: object) -> config.PredictConfig:
    return config.PredictConfig(output=str(output), schema="s", corpus="c", **keys)  # type: ignore[arg-type]


def begin_and_fail(settings: config.PredictConfig) -> None:
    def fail() -> None:
        with artefact.working(settings.output, "predictions", settings, {}) as output:
            (output.directory / "begun").write_text("x")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()


def test_a_failing_stage_leaves_nothing(tmp_path: Path) -> None:
    settings = world(tmp_path / "out")

    def fail() -> None:
        with artefact.writing(settings.output, "world", settings, {}) as output:
            (output.directory / "half").write_text("x")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_failing_overwrite_keeps_the_old_one(tmp_path: Path) -> None:
    settings = world(tmp_path / "out", overwrite=True)
    with artefact.writing(settings.output, "world", settings, {}) as output:
        (output.directory / "data").write_text("old")
    with pytest.raises(ZeroDivisionError), artefact.writing(settings.output, "world", settings, {}):
        raise ZeroDivisionError
    assert (tmp_path / "out" / "data").read_text() == "old"


def test_a_long_stage_is_running_until_its_end_and_resumes_only_with_the_same_keys(tmp_path: Path) -> None:
    settings = predict(tmp_path / "out")
    begin_and_fail(settings)
    manifest = artefact.read_manifest(settings.output)
    assert manifest is not None
    assert manifest.state == "running"
    with (
        pytest.raises(ArtefactError, match="continue it with resume=true"),
        artefact.working(settings.output, "p", settings, {}),
    ):
        pass
    other = predict(tmp_path / "out", resume=True, limit=3)
    with pytest.raises(ArtefactError, match="other values of limit"):
        artefact.working(other.output, "predictions", other, {}).__enter__()
    other = predict(tmp_path / "out", resume=True, server=config.answers.ServerConfig(model="m"))
    with pytest.raises(ArtefactError, match=r"other values of server\.model"):
        artefact.working(other.output, "predictions", other, {}).__enter__()
    again = predict(tmp_path / "out", resume=True, server=config.answers.ServerConfig(url="http://b", retries=1))
    with artefact.working(again.output, "predictions", again, {}):
        pass
    assert artefact.require(settings.output, "predictions", key="x").state == "complete"


def test_what_was_begun_with_another_input_does_not_resume(tmp_path: Path) -> None:
    text = tmp_path / "text"
    text.write_text("one")
    settings = predict(tmp_path / "out", resume=True)
    making = artefact.working(settings.output, "p", settings, {"input": str(text)})  # and then it is killed
    (making.__enter__().directory / "part").write_text("half")
    text.write_text("two")
    with pytest.raises(ArtefactError, match="another content of input"):
        artefact.working(settings.output, "p", settings, {"input": str(text)}).__enter__()


def test_an_overwrite_that_was_cut_off_keeps_the_old_one_aside(tmp_path: Path) -> None:
    settings = predict(tmp_path / "out", overwrite=True)
    with artefact.working(settings.output, "predictions", settings, {}) as output:
        (output.directory / "data").write_text("old")
    for _ in range(2):
        begin_and_fail(settings)
    assert (tmp_path / ".out.old" / "data").read_text() == "old"
    with artefact.working(settings.output, "predictions", settings, {}):
        pass
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_long_stage_that_made_nothing_leaves_what_was_there(tmp_path: Path) -> None:
    settings = predict(tmp_path / "out", overwrite=True)
    for before in ([], ["out"]):
        with pytest.raises(ZeroDivisionError), artefact.working(settings.output, "predictions", settings, {}):
            raise ZeroDivisionError
        assert [path.name for path in tmp_path.iterdir()] == before
        with artefact.working(settings.output, "predictions", settings, {}) as output:
            (output.directory / "data").write_text("old")
    assert (tmp_path / "out" / "data").read_text() == "old"


def test_an_output_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    settings = world(tmp_path / "file" / "out")
    with pytest.raises(ArtefactError, match="Not a directory"):
        artefact.writing(settings.output, "world", settings, {}).__enter__()


def test_up_to_date_means_same_keys_and_same_inputs(tmp_path: Path) -> None:
    source = tmp_path / "source.txt"
    source.write_text("one")
    settings, inputs = world(tmp_path / "out"), {"input": str(source)}
    with artefact.writing(settings.output, "world", settings, inputs):
        pass
    made = artefact.read_manifest(settings.output)
    assert artefact.is_current(made, settings, inputs)
    assert artefact.is_current(made, world(tmp_path / "elsewhere", overwrite=True), inputs)
    assert not artefact.is_current(made, world(tmp_path / "out", seed=2), inputs)
    source.write_text("two")
    assert not artefact.is_current(made, settings, inputs)


def test_a_folder_without_manifest_counts_by_its_files(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1")
    before = artefact.fingerprint(tmp_path)
    assert artefact.fingerprint(tmp_path) == before
    (tmp_path / "b").write_text("1")
    assert artefact.fingerprint(tmp_path) != before
