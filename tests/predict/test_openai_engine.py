"""A real server answers as the engine of this machine does, reading the tokens of training; what it cannot is said."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from knowcoder import cli, jsonl
from knowcoder.codec.model_card import ModelCard
from knowcoder.codec.wrapper import Wrapper
from knowcoder.errors import ConfigError, ModelError
from knowcoder.predict.engines import context_of
from knowcoder.predict.hf_engine import HfEngine
from knowcoder.predict.journal import PREDICTIONS
from knowcoder.predict.openai_engine import _PROBE, OpenAiEngine
from knowcoder.score.prediction import Prediction
from knowcoder.server import Server
from tests.served import serving

PROMPTS = [
    'class Human(Entity): ...\n\nsentence = "Ada \\"x\\" was born in London."\n',
    "naïve 北京\n",
    " two\n\n lines\n",
]
TEMPLATE = "{% for message in messages %}<s>{{ message['content'] }}</s>{% endfor %}"


@pytest.fixture(scope="module")
def model(model_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("served") / "model"
    shutil.copytree(model_dir, folder)
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    ModelCard().save(folder)
    return folder


@pytest.fixture(scope="module")
def url(model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with serving(model, tmp_path_factory.mktemp("log") / "serve.log") as address:
        yield address


@pytest.mark.parametrize("api", ["completion", "chat"])
def test_a_server_answers_as_the_local_engine_does(api: str, url: str, model: Path) -> None:
    wrapper = Wrapper.from_folder(model, "chat" if api == "chat" else "plain")
    local = HfEngine.load(model, wrapper, device="cpu")
    ids = wrapper.prompt_ids_many(PROMPTS)
    heard = {}
    with Server(url, str(model), api) as server:
        remote = OpenAiEngine(server, wrapper, context_of(model), concurrency=2)
        assert not remote.can_constrain  # it refuses fields that it does not know
        answers = remote.complete(ids, [None] * len(ids), 8, lambda index, answer: heard.update({index: answer}))
    assert not any(answer.problem for answer in answers)
    assert [heard[index] for index in range(len(ids))] == answers
    expected = local.complete(ids, [None] * len(ids), 8)
    assert [answer.text.strip() for answer in answers] == [answer.text.strip() for answer in expected]
    assert local.context == remote.context == 512


def test_other_tokens_than_those_of_training_are_told(url: str, model: Path) -> None:
    wrapper = Wrapper.from_folder(model)
    plain = wrapper.prompt_ids("plain\n")
    letters = [1, *(wrapper.tokenizer.token_to_id(letter) for letter in "sentenceclass")]
    with Server(url, str(model), "completion") as server:
        one, other = OpenAiEngine(server, wrapper, 512).complete([plain, letters], [None, None], 4)
    assert not one.problem
    assert "the server read" in other.problem
    with Server(url, str(model), "completion") as server, pytest.raises(ModelError, match="tokenizer of model="):
        OpenAiEngine(server, wrapper, 512).complete([letters], [None], 4)


def test_a_wrapper_that_the_api_cannot_send_is_refused(model: Path) -> None:
    with Server("http://localhost:1/v1", "m", "chat") as server, pytest.raises(ConfigError, match="completion"):
        OpenAiEngine(server, Wrapper.from_folder(model), None)
    with Server("http://localhost:1/v1", "m", "completion") as server, pytest.raises(ConfigError, match="chat"):
        OpenAiEngine(server, Wrapper.from_folder(model, "chat"), None)


def test_the_probe_of_constrained_decoding_is_a_grammar_that_an_engine_obeys(model: Path) -> None:
    engine = HfEngine.load(model, Wrapper.from_folder(model), device="cpu")
    (answer,) = engine.complete([engine.wrapper.prompt_ids("The answer:")], [_PROBE], 16)
    assert answer.text.startswith("zq7-")


def test_the_command_predicts_by_a_server_as_it_does_here(
    url: str, model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["world", f"output={tmp_path}/w", "sentences=20", "test_sentences=2"]) == 0
    words = ["predict", f"model={model}", f"schema={tmp_path}/w/schema", f"corpus={tmp_path}/w/corpus", "tasks=[NER]"]
    words += ["max_new_tokens=6", "classes_per_prompt=10"]
    there = ["engine=openai", f"server.url={url}"]
    assert cli.main([*words, *there, f"output={tmp_path}/there"]) == 0, capsys.readouterr().err
    assert cli.main([*words, "decoding=free", f"output={tmp_path}/here"]) == 0
    found = [
        sorted(jsonl.read(tmp_path / name / PREDICTIONS, Prediction), key=lambda line: line.id)
        for name in ("there", "here")
    ]
    for one, other in zip(*found, strict=True):
        assert one.annotations == other.annotations
        assert [a.prompt_hash for a in one.answers] == [a.prompt_hash for a in other.answers]
        assert [a.text.strip() for a in one.answers] == [a.text.strip() for a in other.answers]
    assert cli.main([*words, *there, "decoding=constrained", f"output={tmp_path}/no"]) == 2
    assert "obeys no grammar" in capsys.readouterr().err
