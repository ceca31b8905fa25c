"""The documentation says nothing that is not so: commands have only keys that exist, links lead, the site builds."""

from __future__ import annotations

import importlib.util
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from knowcoder import cli, config
from tests.documentation import LANGUAGES, PAGES, ROOT, blocks, outside_blocks
from tests.documentation import commands as commands_of

STARTS = {
    "knowcoder": [],
    "scripts/quickstart.sh": ["run", "recipe=demo"],
    "scripts/pretrain.sh": ["pretrain"],
    "scripts/sft.sh": ["sft"],
    "scripts/slurm/pretrain.sbatch": ["pretrain"],
    "scripts/slurm/sft.sbatch": ["sft"],
}


def commands() -> Iterator[tuple[str, list[str]]]:
    """Every command of ours in the documentation: where it stands, and verb and words as `knowcoder` takes them."""
    for path in PAGES:
        for block in (block for block in blocks(path) if block.language in ("bash", "text")):
            for number, line in enumerate(commands_of(block.code)):
                if re.match(r"(?:[A-Z_]+=\S+ )*(?:knowcoder |bash |sbatch )", line):
                    yield from _command(f"{path.relative_to(ROOT)}:{block.line}, command {number}", line)
    for name, verb in cli.VERBS.items():
        yield from _command(f"example of {name}", verb.example)
    for recipe in sorted((ROOT / "configs" / "recipe").glob("*.yaml")):
        for line in re.findall(r"^# +(knowcoder .*)$", recipe.read_text(), re.MULTILINE):
            yield from _command(recipe.name, line)


def _command(place: str, line: str) -> Iterator[tuple[str, list[str]]]:
    words = shlex.split(line, comments=True)
    for start, verb in STARTS.items():
        if start in words:
            rest = words[words.index(start) + 1 :]
            yield f"{place} {start}", [*verb, *(word for word in rest if word != "--dry-run")]


COMMANDS = dict(commands())


def load(path: Path) -> Any:
    """A script as a module."""
    spec = importlib.util.spec_from_file_location(f"script_{path.stem}", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_blocks_are_fenced_and_say_what_they_are() -> None:
    for path in PAGES:
        assert {block.language for block in blocks(path)} <= LANGUAGES, path
        rest = outside_blocks(path)
        assert "```" not in rest, f"{path}: a block without a language, or not closed"
        assert not re.search(r"^(    |\t)+(knowcoder|bash|python) ", rest, re.MULTILINE), f"{path}: run by nobody"


def test_all_verbs_are_shown() -> None:
    assert {words[0] for words in COMMANDS.values()} >= cli.VERBS.keys()


@pytest.mark.parametrize("place", COMMANDS)
def test_command_has_only_keys_that_exist(place: str) -> None:
    verb, *words = COMMANDS[place]
    if verb == "plan":
        names = {key.name for key in config.keys_of(config.PlanConfig)}
        own = [word for word in words if word.partition("=")[0] in names]
        verb = config.load("plan", own).of
        words = ["output=o", "data=d", *(word for word in words if word not in own)]
    config.load(verb, words)


def test_the_scripts_of_the_documentation_exist() -> None:
    named = {name for path in PAGES for name in re.findall(r"\bscripts/[\w/.]+\w", path.read_text())}
    assert named
    assert not {name for name in named if not (ROOT / name).exists()}


def test_links_lead_to_files() -> None:
    for path in PAGES:
        for target in re.findall(r"\]\(((?!https?://)[^)#]+)", path.read_text()):
            made = {"reference/configuration.md"}
            assert target in made or (path.parent / target).is_file(), f"{path.name}: {target}"


def test_json_examples_are_what_the_readers_take(tmp_path: Path) -> None:
    from knowcoder import jsonl
    from knowcoder.corpus.sentence import Sentence
    from knowcoder.samples.sample import Sample
    from knowcoder.schema.concepts import EntityType, EventType, RelationType

    written = blocks(ROOT / "docs/reference/formats.md")
    shown = [block for block in written if block.language == "json" and not block.title]
    lines = [line for block in shown for line in block.code.splitlines()]
    kinds = (EntityType, RelationType, EventType, Sentence, Sample)
    for line, kind in zip(lines, kinds, strict=True):
        (tmp_path / "one.jsonl").write_text(line + "\n")
        (read,) = jsonl.read(tmp_path / "one.jsonl", kind)
        if isinstance(read, Sentence):
            assert all(read.text[m.start : m.end] == m.text for m in read.entities)


def test_the_configuration_reference_has_every_key() -> None:
    module = load(ROOT / "scripts/docs_reference.py")
    sections = dict(
        zip(*[iter(re.split(r"^## (\w+)$", module.configuration(), flags=re.MULTILINE)[1:])] * 2, strict=True)
    )
    assert sections.keys() == cli.VERBS.keys()
    for verb, section in sections.items():
        rows = [re.split(r"(?<!\\)\|", line) for line in section.splitlines() if line.startswith("| `")]
        assert [row[1].strip() for row in rows] == [f"`{key.name}`" for key in config.keys_of(config.VERB_KEYS[verb])]
        assert all(len(row) == 5 for row in rows)


def test_the_site_builds_without_a_warning(tmp_path: Path) -> None:
    pytest.importorskip("mkdocs", reason="mkdocs is not installed: the site is NOT BUILT")
    words = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", str(tmp_path)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert "learning_rate" in (tmp_path / "reference/configuration/index.html").read_text()


@pytest.mark.parametrize("name", ["samples", "score"])
def test_the_benchmark_runs(name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts/bench"))
    module = load(ROOT / f"scripts/bench/{name}.py")
    monkeypatch.setattr(module, "SENTENCES", 20)
    monkeypatch.setattr(module, "side_by_side", partial(module.side_by_side, rounds=1))
    module.main()
    assert "1.000 of" in capsys.readouterr().out
