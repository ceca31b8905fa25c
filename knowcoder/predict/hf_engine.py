"""The engine that runs a transformers model here, greedily.

Prompts of one corpus begin with the same schema, so the engine computes the key-value cache of their common
beginning once and shares it; finished answers leave the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from llguidance import LLMatcher, LLTokenizer
from transformers import AutoModelForCausalLM, PreTrainedModel

from knowcoder.checkpoint.mapping import DTYPES, load_model
from knowcoder.codec.wrapper import Wrapper
from knowcoder.errors import ModelError
from knowcoder.predict.engines import Completion, Precision, answer_room
from knowcoder.predict.kv_cache import Prefix, batch_cache, can_share, common_length, compute_prefix, groups


@dataclass(slots=True)
class _Row:
    """One answer in the making."""

    index: int
    room: int
    matcher: LLMatcher | None
    ids: list[int] = field(default_factory=list)
    finished: bool = False


class HfEngine:
    """Greedy decoding with a transformers causal language model, equal to ``generate(do_sample=False)``.

    Args:
        model: in evaluation mode; its own arithmetic is used.
        batch_size: prompts answered at a time.
    """

    def __init__(self, model: PreTrainedModel, wrapper: Wrapper, batch_size: int = 64) -> None:
        self.model = model
        self.wrapper = wrapper
        self.batch_size = batch_size
        self.device = model.device
        self.vocab_size: int = model.get_input_embeddings().weight.shape[0]
        self.eos_ids = _eos_ids(model, wrapper)
        self.context: int | None = getattr(model.config.get_text_config(), "max_position_embeddings", None)
        self._grammar_tokenizer: LLTokenizer | None = None

    @classmethod
    def load(
        cls,
        model_dir: str | Path,
        wrapper: Wrapper,
        device: str = "auto",
        precision: Precision = "auto",
        batch_size: int = 64,
    ) -> HfEngine:
        """Load a model.

        Args:
            model_dir: model folder or name on the hub.
            device: "auto" takes the accelerator if there is one.
            precision: "auto" is bf16 on an accelerator and fp32 on a CPU.

        Raises:
            ModelError: the model does not load.
        """
        if device == "auto":
            accelerator = torch.accelerator.current_accelerator(check_available=True)
            device = "cpu" if accelerator is None else accelerator.type
        if precision == "auto":
            precision = "fp32" if device == "cpu" else "bf16"
        return cls(load_model(model_dir, DTYPES[precision]).to(device).eval(), wrapper, batch_size)

    @property
    def can_constrain(self) -> bool:
        return True

    def forget(self, seed: int = 1) -> None:
        """Put random weights in the place of the trained ones: the baseline of what the grammar alone carries."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            fresh = AutoModelForCausalLM.from_config(self.model.config, dtype=self.model.dtype)
        self.model = fresh.to(self.device).eval()

    @torch.inference_mode()
    def complete(
        self,
        prompts: Sequence[list[int]],
        grammars: Sequence[str | None],
        max_new_tokens: int,
        progress: Callable[[int, Completion], None] | None = None,
    ) -> list[Completion]:
        """Answers to prompts (token ids), in their order.

        Args:
            grammars: for each prompt a lark grammar that its answer must obey, or None.
            max_new_tokens: answers are cut there, or where the model's context ends.
            progress: called with (index, completion) as each answer ends.

        Raises:
            ModelError: a prompt is empty or leaves no room for an answer, or a grammar does not compile.
        """
        done: dict[int, Completion] = {}

        def finish(row: _Row) -> None:
            done[row.index] = Completion(self.wrapper.decode(row.ids), len(row.ids), row.finished)
            if progress:
                progress(row.index, done[row.index])

        for group in groups(prompts):
            prefix = self._prefix([prompts[index] for index in group])
            for begin in range(0, len(group), self.batch_size):
                batch = group[begin : begin + self.batch_size]
                rows = [
                    _Row(index, self._room(prompts[index], max_new_tokens), self._matcher(grammars[index]))
                    for index in batch
                ]
                self._run(rows, [prompts[row.index] for row in rows], prefix, finish)
        return [done[index] for index in range(len(prompts))]

    def _room(self, prompt: Sequence[int], max_new_tokens: int) -> int:
        room = answer_room(self.context, prompt, max_new_tokens)
        if room < 1:
            raise ModelError(f"a prompt of {len(prompt)} tokens fills the model's context, {self.context}; shorten it")
        return room

    def _prefix(self, prompts: Sequence[list[int]]) -> Prefix:
        """The cache of the common beginning of prompts; the last token of each is left to its row."""
        shared = min(common_length(prompts), min(map(len, prompts)) - 1)
        if shared < 0:
            raise ModelError("an empty prompt has nothing to go on from; the tokenizer should have a BOS token")
        if not shared or len(prompts) == 1 or not can_share(self.model):
            return Prefix()
        return compute_prefix(self.model, prompts[0][:shared])

    def _run(
        self,
        rows: list[_Row],
        prompts: Sequence[list[int]],
        prefix: Prefix,
        finish: Callable[[_Row], None],
    ) -> None:
        """Answer one batch. The cache of a row is [prefix | padding | rest of its prompt | answer]."""
        rests = [prompt[prefix.length :] for prompt in prompts]
        width = max(map(len, rests))
        longest = max(row.room for row in rows)
        padding = torch.tensor([width - len(rest) for rest in rests], device=self.device)
        ids = torch.tensor([[0] * (width - len(rest)) + list(rest) for rest in rests], device=self.device)
        columns = torch.arange(prefix.length + width + longest, device=self.device)
        mask = ((columns < prefix.length) | (columns >= prefix.length + padding[:, None])).long()
        positions = (columns[prefix.length : prefix.length + width] - padding[:, None]).clamp_min(0)
        cache = batch_cache(self.model, prefix, prefix.length + width + longest)
        length = prefix.length + width
        while True:
            output = self.model(
                ids, attention_mask=mask[:, :length], position_ids=positions, past_key_values=cache, logits_to_keep=1
            )
            tokens = self._choose(output.logits[:, -1], rows)
            alive = [number for number, row in enumerate(rows) if self._extend(row, tokens[number])]
            if len(alive) < len(rows):
                for number in sorted({*range(len(rows))} - {*alive}):
                    finish(rows[number])
                if not alive:
                    return
                rows, keep = [rows[number] for number in alive], torch.tensor(alive, device=self.device)
                mask, positions = mask[keep], positions[keep]
                cache.batch_select_indices(keep)
            ids = torch.tensor([[row.ids[-1]] for row in rows], device=self.device)
            positions = positions[:, -1:] + 1
            length += 1

    def _choose(self, logits: torch.Tensor, rows: Sequence[_Row]) -> list[int]:
        """The most probable allowed token of every row. ``logits``: (rows, vocabulary)."""
        if any(row.matcher for row in rows):
            bits = np.full((len(rows), (logits.shape[1] + 31) // 32), -1, dtype=np.int32)
            for number, row in enumerate(rows):
                if row.matcher:
                    row.matcher.unsafe_compute_mask_ptr(bits[number].ctypes.data, bits[number].nbytes)
            allowed = np.unpackbits(bits.view(np.uint8), axis=1, bitorder="little", count=logits.shape[1])
            logits = logits.masked_fill(torch.from_numpy(allowed == 0).to(logits.device), -torch.inf)
        return cast(list[int], logits.argmax(-1).tolist())

    def _extend(self, row: _Row, token: int) -> bool:
        """Append a token; whether the answer goes on."""
        if token in self.eos_ids:
            row.finished = True
            return False
        row.ids.append(token)
        if row.matcher:
            if not row.matcher.consume_token(token):
                raise ModelError(f"the grammar broke while decoding: {row.matcher.get_error()}")
            row.finished = row.matcher.is_stopped()
        return not row.finished and len(row.ids) < row.room

    def _matcher(self, grammar: str | None) -> LLMatcher | None:
        if grammar is None:
            return None
        if self._grammar_tokenizer is None:
            self._grammar_tokenizer = grammar_tokenizer(self.wrapper, self.vocab_size, sorted(self.eos_ids))
        matcher = LLMatcher(self._grammar_tokenizer, grammar)
        if matcher.is_error():
            raise ModelError(f"the grammar of an answer does not compile: {matcher.get_error()}")
        return matcher


def grammar_tokenizer(wrapper: Wrapper, vocab_size: int, eos_ids: list[int]) -> LLTokenizer:
    """The tokenizer as the grammar engine needs it. Costly (up to a second): make it once."""
    return LLTokenizer(wrapper.tokenizer.to_str(), n_vocab=vocab_size, eos_token=eos_ids)


def _eos_ids(model: PreTrainedModel, wrapper: Wrapper) -> frozenset[int]:
    """All tokens that end an answer: the wrapper's, and those of the model's generation settings."""
    generation: Any = getattr(model, "generation_config", None)
    named = getattr(generation, "eos_token_id", None)
    listed = named if isinstance(named, list) else [named]
    found = frozenset(number for number in [wrapper.eos_id, *listed] if number is not None)
    if not found:
        raise ModelError("neither tokenizer nor model names an EOS token, so no answer would end; name one")
    return found
