"""What a SIGKILL leaves can be continued, and nothing goes on behind the user's back."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from knowcoder import cli, jsonl
from tests.distributed import ROOT
from tests.packed import save_packed
from tests.small_models import save_small_model

pytestmark = pytest.mark.slow


def begin(*words: str) -> subprocess.Popen[bytes]:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "DS_ACCELERATOR": "cpu"}
    command = [sys.executable, "-m", "knowcoder.cli", *words]
    return subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def kill_when(there: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while not there.exists() or (there.is_file() and not there.stat().st_size):
        assert process.poll() is None, "it ended before it could be killed"
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.kill()
    process.wait()


def processes_that_name(folder: Path) -> list[int]:
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                if str(folder).encode() in (entry / "cmdline").read_bytes():
                    found.append(int(entry.name))
            except OSError:
                continue
    return found


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not tell a process that its parent is gone")
@pytest.mark.parametrize(
    ("verb", "checkpoint", "keys"),
    [("sft", "checkpoints/checkpoint-5", ["tuning=full"]), ("pretrain", "step5", ["parallel.pp=2"])],
)
def test_training_goes_on_where_it_was_killed_and_leaves_no_process(
    verb: str, checkpoint: str, keys: list[str], tmp_path: Path
) -> None:
    model, data = save_small_model(tmp_path / "model"), save_packed(tmp_path / "data")
    words = [f"model={model}", f"data={data}", *keys, "precision=fp32", "log_every=1", "parallel.processes=2"]
    words += ["steps=200", "save_every=5", "global_batch=4", "micro_batch=2"]
    kill_when(tmp_path / "killed" / checkpoint, begin(verb, *words, f"output={tmp_path}/killed"))
    deadline = time.monotonic() + 20
    while left := processes_that_name(tmp_path / "killed"):
        assert time.monotonic() < deadline, left
        time.sleep(0.1)
    assert cli.main([verb, *words, f"output={tmp_path}/killed"]) == 2
    assert cli.main([verb, *words, f"output={tmp_path}/killed", "resume=true"]) == 0
    assert cli.main([verb, *words, f"output={tmp_path}/whole"]) == 0
    killed, whole = (
        list(jsonl.read(tmp_path / name / "metrics.jsonl", dict[str, object])) for name in ("killed", "whole")
    )
    assert [(line["step"], line["loss"]) for line in killed] == [(line["step"], line["loss"]) for line in whole]


def test_prediction_goes_on_where_it_was_killed(tmp_path: Path) -> None:
    world = tmp_path / "world"
    assert cli.main(["world", f"output={world}", "sentences=60", "test_sentences=240"]) == 0
    (tmp_path / "small.yaml").write_text(
        "model_type: llama\nhidden_size: 16\nintermediate_size: 16\nnum_hidden_layers: 1\n"
        "num_attention_heads: 2\nnum_key_value_heads: 2\nmax_position_embeddings: 512\n"
    )
    init = ["init", f"config={tmp_path}/small.yaml", f"schema={world}/schema", f"corpus=[{world}/corpus]"]
    assert cli.main([*init, "vocab_size=700", f"output={tmp_path}/model"]) == 0
    words = [
        "predict",
        f"model={tmp_path}/model",
        f"schema={world}/schema",
        f"corpus={world}/corpus",
        "max_new_tokens=6",
    ]
    kill_when(tmp_path / "killed/predictions.jsonl", begin(*words, f"output={tmp_path}/killed"))
    with open(tmp_path / "killed/predictions.jsonl", "a") as file:
        file.write('{"id": "cut in the mid')
    assert cli.main([*words, f"output={tmp_path}/killed", "resume=true"]) == 0
    assert cli.main([*words, f"output={tmp_path}/whole"]) == 0
    killed, whole = (
        sorted((tmp_path / name / "predictions.jsonl").read_text().splitlines()) for name in ("killed", "whole")
    )
    assert killed == whole
    assert len(whole) == 960
    facts = [jsonl.read_json(tmp_path / name / "manifest.json")["facts"] for name in ("killed", "whole")]
    assert facts[0] == facts[1]  # what both runs wrote
    assert facts[0]["predictions"] == 960
