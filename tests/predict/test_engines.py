"""The engine answers as ``generate`` does, whatever it shares, pads and drops on the way."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import torch
from transformers import AutoModelForCausalLM, MistralConfig, MistralForCausalLM

from knowcoder.codec.wrapper import Wrapper
from knowcoder.errors import ModelError
from knowcoder.predict import hf_engine as engines
from knowcoder.predict.hf_engine import HfEngine
from knowcoder.predict.kv_cache import common_length, groups

WORD = 'start: "yes" | "no"'


@pytest.fixture(scope="module")
def engine(model_dir: Path) -> HfEngine:
    return HfEngine.load(model_dir, Wrapper.from_folder(model_dir), device="cpu", batch_size=4)


def random_prompts(seed: int, families: int = 2) -> list[list[int]]:
    rng = random.Random(seed)

    def ids(length: int) -> list[int]:
        return [rng.randrange(4, 400) for _ in range(length)]

    shared = [[1, *ids(30)] for _ in range(families)]
    return [rng.choice(shared) + ids(rng.randint(1, 12)) for _ in range(7)] + [[1], [1, 5]]


def reference(model_dir: Path, engine: HfEngine, prompt: list[int], new: int) -> tuple[str, int]:
    model = AutoModelForCausalLM.from_pretrained(model_dir)
    model.generation_config.pad_token_id = 3
    out = model.generate(torch.tensor([prompt]), max_new_tokens=new, do_sample=False)[0, len(prompt) :].tolist()
    kept = out[: out.index(2)] if 2 in out else out
    return engine.wrapper.decode(kept), len(kept)


@pytest.mark.parametrize("seed", range(3))
def test_answers_equal_those_of_generate(engine: HfEngine, model_dir: Path, seed: int) -> None:
    prompts = random_prompts(seed)
    answers = engine.complete(prompts, [None] * len(prompts), 16)
    for prompt, answer in zip(prompts, answers, strict=True):
        assert (answer.text, answer.tokens) == reference(model_dir, engine, prompt, 16)


def test_answers_equal_those_of_generate_where_a_sliding_window_forbids_sharing(
    engine: HfEngine, tmp_path: Path
) -> None:
    torch.manual_seed(0)
    config = MistralConfig(
        vocab_size=400, hidden_size=32, intermediate_size=48, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, sliding_window=8, initializer_range=0.4, bos_token_id=1, eos_token_id=2,
    )  # fmt: skip
    MistralForCausalLM(config).save_pretrained(tmp_path)
    sliding = HfEngine.load(tmp_path, engine.wrapper, device="cpu")
    prompts = random_prompts(5)[:4]
    answers = sliding.complete(prompts, [None] * 4, 12)
    assert [(a.text, a.tokens) for a in answers] == [reference(tmp_path, sliding, prompt, 12) for prompt in prompts]


def test_a_grammar_rules_its_own_answer_only(engine: HfEngine) -> None:
    prompts = random_prompts(1)
    grammars = [WORD if number % 2 else None for number in range(len(prompts))]
    free = engine.complete(prompts, [None] * len(prompts), 12)
    mixed = engine.complete(prompts, grammars, 12)
    assert all(answer.text in ("yes", "no") and answer.finished for answer in mixed[1::2])
    assert mixed[::2] == free[::2]


def test_a_long_answer_is_cut_and_says_so(engine: HfEngine) -> None:
    (answer,) = engine.complete([[1, 7]], ['start: "a"{50}'], 5)
    assert not answer.finished
    assert answer.tokens == 5


def test_progress_hears_every_answer_once(engine: HfEngine) -> None:
    heard = {}
    prompts = random_prompts(2)
    answers = engine.complete(prompts, [None] * len(prompts), 6, lambda index, answer: heard.update({index: answer}))
    assert [heard[index] for index in range(len(prompts))] == answers


def test_an_empty_prompt_and_a_broken_grammar_are_refused(engine: HfEngine) -> None:
    with pytest.raises(ModelError, match="empty prompt"):
        engine.complete([[]], [None], 4)
    with pytest.raises(ModelError, match="does not compile"):
        engine.complete([[1]], ["start: ("], 4)


def test_a_folder_without_a_model_is_refused(engine: HfEngine, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=str(tmp_path)):
        HfEngine.load(tmp_path, engine.wrapper)


def test_forgetting_makes_the_same_other_model_every_time(model_dir: Path) -> None:
    wrapper, prompts = Wrapper.from_folder(model_dir), random_prompts(1)
    answers = []
    for seed in (None, 2, 2):
        engine = HfEngine.load(model_dir, wrapper, device="cpu")
        if seed is not None:
            engine.forget(seed)
        answers.append(engine.complete(prompts, [None] * len(prompts), 8))
    assert answers[0] != answers[1] == answers[2]


def test_the_shared_beginning_is_computed_once(engine: HfEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    lengths = []
    compute = engines.compute_prefix
    monkeypatch.setattr(engines, "compute_prefix", lambda model, ids: lengths.append(len(ids)) or compute(model, ids))
    prompts = random_prompts(3, families=1)[:7]
    engine.complete(prompts, [None] * 7, 2)
    assert lengths == [common_length(prompts)]


def test_groups_hold_every_prompt_once_and_only_relatives() -> None:
    prompts = random_prompts(4, families=3)
    found = list(groups(prompts))
    assert sorted(index for group in found for index in group) == list(range(len(prompts)))
    for group in found:
        members = [prompts[index] for index in group if len(prompts[index]) > 2]
        assert len({tuple(member[:31]) for member in members}) <= 1
