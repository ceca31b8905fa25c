"""The same samples come from one process or several, whole or killed and continued, whoever starts the workers."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from knowcoder import artefact, cli, jsonl
from knowcoder.codec.wrapper import Wrapper
from knowcoder.samples.sample import Sample
from tests.distributed import ROOT
from tests.small_models import SMALLEST

needs_datatrove = pytest.mark.skipif(
    importlib.util.find_spec("datatrove") is None, reason="datatrove is not installed: several workers are NOT TESTED"
)
needs_ray = pytest.mark.skipif(
    importlib.util.find_spec("ray") is None, reason="ray is not installed: building on Ray is NOT TESTED"
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two worlds of which the second shares the schema of the first, and a tokenizer."""
    folder = tmp_path_factory.mktemp("made")
    (folder / "small.yaml").write_text(SMALLEST)
    assert cli.main(["world", f"output={folder}/world", "sentences=120", "test_sentences=8"]) == 0
    assert cli.main(["world", f"output={folder}/other", "sentences=40", "test_sentences=8", "seed=2"]) == 0
    words = [f"schema={folder}/world/schema", f"corpus={folder}/world/corpus", "vocab_size=700"]
    assert cli.main(["init", f"config={folder}/small.yaml", *words, f"output={folder}/init"]) == 0
    return folder


def words(made: Path, *more: str) -> list[str]:
    keys = ["samples", f"schema={made}/world/schema", f"corpus=[{made}/world/corpus,{made}/other/corpus]"]
    keys += [f"tokenizer={made}/init", "max_length=700", "tasks=[NER,RE,ED,EAE,EE]", "weights=[1,2.5]", "caps=[90,0]"]
    return [*keys, "phase=following", "passes=2", "mask_names=0.2", "drop_examples=0.2", "shard=16", *more]


def build(made: Path, output: Path, *more: str) -> bytes:
    assert cli.main([*words(made, *more), f"output={output}"]) == 0
    assert sorted(path.name for path in output.iterdir() if path.name != "logs") == ["manifest.json", "samples.jsonl"]
    return (output / "samples.jsonl").read_bytes()


@pytest.fixture(scope="module")
def whole(made: Path) -> bytes:
    return build(made, made / "whole")


@pytest.mark.parametrize("shard", ["7", "20000"])
def test_the_size_of_shards_changes_nothing(made: Path, whole: bytes, tmp_path: Path, shard: str) -> None:
    assert build(made, tmp_path / "out", f"shard={shard}") == whole


def test_the_account_adds_up(made: Path, whole: bytes) -> None:
    manifest = artefact.read_manifest(made / "whole")
    assert manifest is not None
    counts = manifest.counts
    assert counts.kept == whole.count(b"\n") > 1000
    assert counts.read == counts.kept + sum(counts.rejected.values())
    wrapper = Wrapper.from_folder(made / "init")
    samples = list(jsonl.read(made / "whole/samples.jsonl", Sample))
    assert max(wrapper.lengths([(sample.prompt, sample.completion) for sample in samples])) <= 700
    assert {sample.kind for sample in samples} == {"NER", "RE", "ED", "EAE", "EE"}


def test_understanding_and_refinement_are_built_from_several_corpora_too(made: Path, tmp_path: Path) -> None:
    assert build(made, tmp_path / "one", "phase=understanding") == build(
        made, tmp_path / "two", "phase=understanding", "shard=9"
    )
    samples = [json.loads(line) for line in build(made, tmp_path / "tagged", "phase=refinement").splitlines()]
    assert all("DATASET world" in sample["prompt"] for sample in samples)
    manifest = artefact.read_manifest(tmp_path / "tagged")
    assert manifest is not None
    assert manifest.facts["card"]["tagged"] is True


# Two shards, since on a cluster each starts a process.
TWO = ("passes=1", "weights=[]", "caps=[]", "shard=120")


@pytest.fixture(scope="module")
def of_two(made: Path) -> bytes:
    return build(made, made / "of_two", *TWO)


def begin(made: Path, output: Path, *more: str) -> subprocess.Popen[bytes]:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "knowcoder.cli", *words(made, *more), f"output={output}"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(command, env=environment, start_new_session=True, **quiet)  # type: ignore[call-overload, no-any-return]


@needs_datatrove
def test_two_workers_that_are_killed_go_on_at_their_shards(made: Path, whole: bytes, tmp_path: Path) -> None:
    output = tmp_path / "out"
    killed = begin(made, output, "workers=2")
    deadline = time.monotonic() + 120
    while len(list(output.glob("shards/*.json"))) < 3:
        assert killed.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    there = {path.name: path.stat().st_mtime_ns for path in output.glob("shards/*.json")}
    assert not (output / "samples.jsonl").exists()
    assert cli.main([*words(made, "workers=2"), f"output={output}"]) == 2  # it says that resume=true continues
    assert {name: (output / "shards" / name).stat().st_mtime_ns for name in there} == there
    assert build(made, output, "workers=2", "resume=true") == whole


def test_one_process_that_fails_goes_on_too(made: Path, whole: bytes, tmp_path: Path) -> None:
    """A shard that cannot be built leaves those before it; another executor may continue."""
    output = tmp_path / "out"
    path = made / "other/corpus/train.jsonl"
    right = path.read_bytes()
    try:
        path.write_bytes(right.replace(b'"text"', b'"txet"', 1))
        assert cli.main([*words(made), f"output={output}"]) == 2
    finally:
        path.write_bytes(right)
    assert list(output.glob("shards/*.json"))
    assert not list(output.glob("shards/*.partial"))
    assert build(made, output, "resume=true") == whole


@needs_datatrove
@needs_ray
def test_a_ray_of_two_workers_builds_the_same(made: Path, of_two: bytes, tmp_path: Path) -> None:
    keys = words(made, *TWO, "executor=ray", "workers=2", "cluster.memory=1", f"output={tmp_path}/out")
    run = subprocess.run(
        [sys.executable, "-m", "knowcoder.cli", *keys],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "RAY_USAGE_STATS_ENABLED": "0"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert (tmp_path / "out/samples.jsonl").read_bytes() == of_two


SLURM = (
    "executor=slurm",
    "cluster.partition=cpu",
    "cluster.time=01:00:00",
    "cluster.memory=3",
    "workers=2",
    "shard=60",
)


@needs_datatrove
def test_a_dry_run_prints_the_slurm_script_and_leaves_nothing(
    made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        cli.main([*words(made, *SLURM, "dry_run=true", "cluster.setup=module load python"), f"output={tmp_path}/out"])
        == 0
    )
    script = capsys.readouterr().out
    directives = dict(re.findall(r"^#SBATCH --([\w-]+)=(.*)$", script, re.MULTILINE))
    assert directives["partition"] == "cpu"
    assert directives["time"] == "01:00:00"
    assert directives["mem-per-cpu"] == "3G"
    assert directives["array"].endswith("%2")
    assert re.search(r"^#SBATCH --wait$", script, re.MULTILINE)
    assert "\nmodule load python\n" in script
    assert f"launch_pickled_pipeline {tmp_path}/out/logs/executor.pik" in script
    assert list(tmp_path.iterdir()) == []
    assert subprocess.run(["bash", "-n"], input=script, text=True, check=False).returncode == 0


@needs_datatrove
@pytest.mark.parametrize(
    ("keys", "said"),
    [
        (["executor=slurm", "cluster.partition=", "dry_run=true"], "give cluster.partition="),
        (["executor=local", "dry_run=true"], "dry_run=true shows the script of executor=slurm"),
        (SLURM, "there is no sbatch here"),
        (["weights=[1,2,3]"], "2 corpora are given; give one for each"),
    ],
)
def test_what_cannot_run_is_said_and_leaves_nothing(
    made: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    keys: list[str],
    said: str,
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    assert cli.main([*words(made, *keys), f"output={tmp_path}/out"]) == 2
    assert said in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


SBATCH = r"""
script=$(mktemp); cat "${@: -1}" > "$script"
last=$(sed -n 's/^#SBATCH --array=0-\([0-9]*\).*/\1/p' "$script")
for task in $(seq 0 "$last"); do
    SLURM_ARRAY_TASK_ID=$task SLURM_NODELIST=here SLURM_JOB_ID=7 bash "$script" >/dev/null 2>&1 || exit 1
done
echo Submitted batch job 7
"""


@needs_datatrove
def test_the_jobs_of_a_slurm_array_build_the_same(
    made: Path, of_two: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With commands in the place of Slurm's that run the tasks of the array one after the other."""
    for name, body in {"sbatch": SBATCH, "srun": 'shift 3; exec "$@"', "scontrol": "echo localhost"}.items():
        command = tmp_path / "bin" / name
        command.parent.mkdir(exist_ok=True)
        command.write_text(f"#!/usr/bin/env bash\n{body}\n")
        command.chmod(command.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", f"{tmp_path}/bin:{Path(sys.executable).parent}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    assert build(made, tmp_path / "out", *TWO, *SLURM) == of_two


def test_samples_are_exported_for_other_trainers(made: Path, tmp_path: Path) -> None:
    keys = [
        "export=[prompt-completion,messages]",
        "wrapper=published",
        "passes=1",
        "corpus=" + str(made / "other/corpus"),
    ]
    keys += ["weights=[]", "caps=[]"]
    assert cli.main([*words(made, *keys), f"output={tmp_path}/out"]) == 0
    samples = list(jsonl.read(tmp_path / "out/samples.jsonl", Sample))
    pairs = list(jsonl.read(tmp_path / "out/prompt-completion.jsonl", dict[str, str]))
    chats = list(jsonl.read(tmp_path / "out/messages.jsonl", dict[str, list[dict[str, str]]]))
    wrapper = Wrapper.from_folder(made / "init", "published")
    plain = Wrapper.from_folder(made / "init", "plain")
    for sample, pair, chat in zip(samples, pairs, chats, strict=True):
        assert plain.prompt_ids(pair["prompt"]) == wrapper.prompt_ids(sample.prompt)
        assert pair["completion"] == sample.completion
        assert chat["messages"] == [
            {"role": "user", "content": sample.prompt},
            {"role": "assistant", "content": sample.completion},
        ]


def test_published_rows_are_imported_counted_and_packed(made: Path, tmp_path: Path) -> None:
    rows = [
        {"one-stage": {"zero-shot": {"prompt": "short"}, "output": "results = []"}},
        {"one-stage": {"zero-shot": {"prompt": "long " * 500}, "output": "results = []"}},
        {"one-stage": {}},
        {"text": "class City(Entity): ..."},
    ]
    jsonl.write(tmp_path / "rows.jsonl", rows)
    keys = ["phase=published", f"rows={tmp_path}/rows.jsonl", f"tokenizer={made}/init", "max_length=100"]
    assert cli.main(["samples", *keys, f"output={tmp_path}/out"]) == 2
    keys += ["style.dialect=released", "wrapper=plain"]
    assert cli.main(["samples", *keys, f"output={tmp_path}/out"]) == 0
    samples = list(jsonl.read(tmp_path / "out/samples.jsonl", Sample))
    assert [(sample.prompt, sample.id) for sample in samples] == [("short", "rows-1"), ("", "rows-4")]
    manifest = artefact.read_manifest(tmp_path / "out")
    assert manifest is not None
    assert (manifest.counts.read, manifest.counts.kept) == (4, 2)
    assert sorted(manifest.counts.rejected.values()) == [1, 1]
    pack = ["pack", f"samples={tmp_path}/out", f"tokenizer={made}/init", "max_length=100", f"output={tmp_path}/packed"]
    assert cli.main(pack) == 0


def test_a_list_of_confused_classes_is_checked_and_used(made: Path, tmp_path: Path) -> None:
    keys = ["corpus=" + str(made / "other/corpus"), "weights=[]", "caps=[]", "passes=1", "negatives_from=confused"]
    assert cli.main([*words(made, *keys), f"output={tmp_path}/out"]) == 2
    (tmp_path / "wrong.json").write_text('{"City": ["Twon"]}')
    assert cli.main([*words(made, *keys, f"confused={tmp_path}/wrong.json"), f"output={tmp_path}/out"]) == 2
    (tmp_path / "right.json").write_text('{"Human": ["Band"]}')
    keys += [f"confused={tmp_path}/right.json", "tasks=NER", "mask_names=0", "fully_negative=0"]
    assert cli.main([*words(made, *keys), f"output={tmp_path}/out"]) == 0
    samples = list(jsonl.read(tmp_path / "out/samples.jsonl", Sample))
    with_human = [sample for sample in samples if 'Human("' in sample.completion]
    assert with_human
    assert all("class Band(" in sample.prompt for sample in with_human)
