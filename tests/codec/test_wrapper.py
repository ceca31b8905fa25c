"""Prompts and completions as token ids: one way, whoever asks."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from transformers import PreTrainedTokenizerFast

from knowcoder.codec.released import SYSTEM
from knowcoder.codec.wrapper import Wrapper
from knowcoder.errors import ModelError

TEMPLATE = (
    "{{ bos_token }}<|user|>{{ messages[0]['content'] | trim }}</s>{% if add_generation_prompt %}<|bot|>{% endif %}"
)


@pytest.fixture
def folder(tokenizer: Tokenizer, tmp_path: Path) -> Path:
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>", chat_template=TEMPLATE
    ).save_pretrained(tmp_path)
    return tmp_path


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(prompt=st.text(max_size=30), completion=st.text(max_size=30))
@pytest.mark.parametrize("kind", ["plain", "published"])
def test_one_by_one_equals_many_at_once(tokenizer: Tokenizer, kind: str, prompt: str, completion: str) -> None:
    wrapper = Wrapper.of(kind, tokenizer, 0, 1)  # type: ignore[arg-type]
    ids = (wrapper.prompt_ids(prompt), wrapper.completion_ids(completion))
    assert wrapper.encode_many([("other", "text"), (prompt, completion)])[1] == ids
    assert wrapper.lengths([(prompt, completion)]) == [len(ids[0]) + len(ids[1])]


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(alphabet=st.characters(codec="utf-8", exclude_characters="\x00"), max_size=30))
def test_what_is_encoded_comes_back(tokenizer: Tokenizer, text: str) -> None:
    wrapper = Wrapper.of("plain", tokenizer, 0, 1)
    *ids, eos = wrapper.completion_ids(text)
    assert eos == 1
    assert wrapper.decode(ids) == text


def test_a_prompt_begins_with_bos_once_and_an_empty_one_is_bos_alone(tokenizer: Tokenizer) -> None:
    for kind in ("plain", "published"):
        wrapper = Wrapper.of(kind, tokenizer, 0, 1)  # type: ignore[arg-type]
        assert wrapper.prompt_ids("") == [0]
        ids = wrapper.prompt_ids("class Human")
        assert ids[0] == 0
        assert 0 not in ids[1:]
        assert 1 not in ids
    assert Wrapper.of("plain", tokenizer, None, 1).prompt_ids("") == []


def test_special_tokens_in_a_sentence_are_text(tokenizer: Tokenizer) -> None:
    wrapper = Wrapper.of("plain", tokenizer, 0, 1)
    ids = wrapper.prompt_ids("a </s> b <s>")
    assert ids.count(0) == 1
    assert 1 not in ids
    assert "</s>" in wrapper.decode(ids)


def test_the_published_wrapper_is_the_published_text(tokenizer: Tokenizer) -> None:
    ids = Wrapper.of("published", tokenizer, 0, 1).prompt_ids("PROMPT\n")
    plain = Wrapper.of("plain", tokenizer, 0, 1)
    assert plain.decode(ids) == f"{SYSTEM}\nInput:\nPROMPT\n\nOutput:\n"
    assert ids == plain.prompt_ids(f"{SYSTEM}\nInput:\nPROMPT\n\nOutput:\n")


def test_a_folder_gives_the_ids_that_transformers_gives(folder: Path) -> None:
    wrapper = Wrapper.from_folder(folder)
    theirs = PreTrainedTokenizerFast.from_pretrained(folder)
    assert (wrapper.bos_id, wrapper.eos_id) == (theirs.bos_token_id, theirs.eos_token_id)
    text = 'sentence = "Ada"\n'
    assert wrapper.prompt_ids(text)[1:] == theirs.encode(text, add_special_tokens=False)


def test_chat_puts_the_template_around_the_prompt(folder: Path) -> None:
    wrapper = Wrapper.from_folder(folder, "chat")
    ids = wrapper.prompt_ids("Ada")
    assert ids[0] == 0
    assert ids.count(0) == ids.count(1) == 1
    rendered = wrapper.tokenizer.decode(ids, skip_special_tokens=False)
    assert [part in rendered for part in ("<|user|>", "Ada", "<|bot|>")] == [True] * 3
    assert wrapper.prompt_ids("") == [0]


def test_settings_say_whether_there_is_a_bos(folder: Path) -> None:
    path = folder / "tokenizer_config.json"
    said = json.loads(path.read_text())
    path.write_text(json.dumps(said | {"add_bos_token": False}))
    assert Wrapper.from_folder(folder).bos_id is None
    path.write_text(json.dumps({key: value for key, value in said.items() if not key.endswith("_token")}))
    (folder / "config.json").write_text('{"bos_token_id": 0, "eos_token_id": [1, 5]}')
    wrapper = Wrapper.from_folder(folder)
    assert (wrapper.bos_id, wrapper.eos_id) == (0, 1)


def test_a_folder_that_cannot_serve_is_refused(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    empty = tmp_path_factory.mktemp("empty")
    with pytest.raises(ModelError, match="no tokenizer"):
        Wrapper.from_folder(empty)
    path = folder / "tokenizer_config.json"
    said = json.loads(path.read_text())
    path.write_text(json.dumps(said | {"eos_token": "<absent>"}))
    with pytest.raises(ModelError, match="<absent>"):
        Wrapper.from_folder(folder)


def test_chat_without_a_template_is_refused(tokenizer: Tokenizer, tmp_path: Path) -> None:
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token="<s>", eos_token="</s>").save_pretrained(tmp_path)
    with pytest.raises(ModelError, match="chat template"):
        Wrapper.from_folder(tmp_path, "chat")
