"""The command as a user meets it: help that teaches, and one clear line where something is wrong."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from knowcoder import artefact, cli, config


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "knowcoder.cli", *words], capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("verb", sorted(cli.VERBS))
def test_help_names_every_key_with_its_default_and_help(verb: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([verb, "--help"]) == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert cli.VERBS[verb].summary in printed
    for key in config.keys_of(config.VERB_KEYS[verb]):
        assert f"{key.name}=" in printed
        assert " ".join(key.help.split()) in printed


def test_every_verb_has_its_function_and_its_yaml() -> None:
    from knowcoder import recipe, stages

    for verb in cli.VERBS:
        assert callable(getattr(recipe if verb == "run" else stages, verb))
        assert verb in {"plan"} | {path.stem for path in config.configs_dir().glob("*.yaml")}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["wrld"], "no verb 'wrld'"),
        (["world", "otput=x"], "did you mean output?"),
        (["world", "+output=x"], "write output=value"),
        (["world", "~seed"], "is not key=value"),
        (["world", "output"], "is not key=value"),
        (["world"], "missing output="),
        (["world", "output=x", "seed=many"], "seed=many: must be a whole number"),
        (["world", "output=x", "sentences=-1"], "sentences=-1: must be at least 0"),
        (["pack", "output=x", "tokenizer=t", "samples=a"], "samples[0]=a: no such file or folder"),
        (["pack", "output=x", "tokenizer=t", "samples=[a"], "samples=[a: must be a list, such as samples=[a,b]"),
        (["pack", "output=x", "tokenizer=t", "samples=[]"], "samples=[]: is empty"),
        (["sft", "output=x", "model=m", "data=d", "experiment=none"], "experiment=none: no such file"),
        (["init", "output=x"], "nothing to train a tokenizer on; give schema="),
        (["samples", "output=x", "phase=dreaming", "schema=s", "tokenizer=t"], "must be one of understanding"),
        (["predict", "output=x", "schema=s", "corpus=c", "tasks=[NER,ABC]"], "must be one of NER"),
        (["pack", "output=x", "samples=[nowhere]", "tokenizer=t"], "samples[0]=nowhere: no such file or folder"),
        (["run", "recipe=nothing"], "no such recipe; known are demo, knowcoder-7b, real"),
        (["run", "recipe=real"], "needs data_root="),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(words) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.count("\n") == 1
    assert said in captured.err


def test_a_folder_of_another_kind_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    artefact.Manifest("corpus", "complete").save(tmp_path)
    assert cli.main(["enrich", f"schema={tmp_path}", f"corpus={tmp_path}", f"output={tmp_path}/new"]) == 2
    assert "is of kind corpus; schema needs kind schema" in capsys.readouterr().err


def test_a_half_written_input_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    artefact.Manifest("schema", "running").save(tmp_path)
    assert cli.main(["schema", "show=X", f"schema={tmp_path}"]) == 2
    assert "is not complete; finish it with resume=true" in capsys.readouterr().err


def test_an_output_that_exists_is_refused_and_replaced_only_on_request(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "world"
    words = ["world", f"output={output}", "sentences=40", "test_sentences=8"]
    assert cli.main(words) == 0
    before = (output / "corpus" / "train.jsonl").read_bytes()
    assert cli.main([*words, "seed=2"]) == 2
    assert "exists already; give another output or overwrite=true" in capsys.readouterr().err
    assert (output / "corpus" / "train.jsonl").read_bytes() == before
    assert cli.main([*words, "seed=2", "overwrite=true"]) == 0
    assert (output / "corpus" / "train.jsonl").read_bytes() != before
    assert [path.name for path in tmp_path.iterdir()] == ["world"]


def test_text_is_taken_literally() -> None:
    text = "Ada, born \"1815\" in [London] = {a} ${b} 'c'"
    assert config.load("extract", ["model=m", "schema=s", f"text={text}"]).text == text


def test_the_command_starts_without_torch() -> None:
    code = (
        "import sys, knowcoder, knowcoder.cli; knowcoder.cli.main(['--help']);"
        "print(sorted({'torch', 'transformers', 'hydra'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "[]"


def test_no_traceback_in_a_process_of_its_own() -> None:
    done = run("convert", "to=hf", "checkpoint=nowhere", "output=x")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.startswith("knowcoder convert: error: checkpoint=nowhere")


def test_env_prints_versions(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["env"]) == 0
    assert "transformers" in capsys.readouterr().out


def without_torch(*words: str) -> subprocess.CompletedProcess[str]:
    """The command in an installation without the extras."""
    code = (
        "import sys; sys.modules |= dict.fromkeys(('torch', 'transformers', 'deepspeed', 'peft'));"
        "from knowcoder import cli; sys.exit(cli.main(sys.argv[1:]))"
    )
    return subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, timeout=60)


def test_what_needs_no_model_runs_without_torch(tmp_path: Path) -> None:
    world = ["schema=" + str(tmp_path / "w/schema"), "corpus=" + str(tmp_path / "w/corpus")]
    for words in (
        ["world", f"output={tmp_path}/w", "sentences=12", "test_sentences=4"],
        ["predict", "method=dictionary", *world, f"output={tmp_path}/p"],
        ["score", f"predictions=[{tmp_path}/p]", world[0], f"gold={tmp_path}/w/corpus", f"output={tmp_path}/s"],
    ):
        done = without_torch(*words)
        assert done.returncode == 0, done.stderr


def test_a_missing_package_is_named_with_what_installs_it(tmp_path: Path) -> None:
    done = without_torch("init", f"output={tmp_path}/m")
    assert done.returncode == 2
    assert done.stderr.startswith("knowcoder init: error: needs the package t")
    assert "pip install 'knowcoder[pretrain,sft]'" in done.stderr
