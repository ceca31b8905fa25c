"""The engine that asks an OpenAI-compatible server, many prompts at a time.

Training decides which tokens a prompt has. A server that takes token ids gets them; one that takes only text gets
the text without what it puts before it itself (BOS, the chat template), and its own count of tokens is checked.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from functools import cached_property
from typing import Literal

from knowcoder.codec.wrapper import Wrapper
from knowcoder.errors import ConfigError, ModelError
from knowcoder.predict.engines import Completion, answer_room
from knowcoder.server import Reply, Server, Unanswered

_Form = Literal["ids", "text", "bos and text"]
# A grammar with an answer that no model gives by itself, in the notation of llguidance.
_PROBE = 'start: "zq7-" WORD\nWORD: /(?s:.+)/ & SUBSTRING\nSUBSTRING: %regex {"substring_chunks": ["7q", "z!"]}\n'
_logger = logging.getLogger(__name__)


class OpenAiEngine:
    """Greedy answers of a server.

    Args:
        wrapper: the tokenizer of the model that is served, and the frame of its prompts.
        context: tokens of prompt and answer that the served model can hold.
        concurrency: prompts at a time.

    Raises:
        ConfigError: a prompt of this wrapper cannot be sent by the server's API.
    """

    def __init__(self, server: Server, wrapper: Wrapper, context: int | None, concurrency: int = 8) -> None:
        if (server.api == "chat") != (wrapper.kind == "chat"):
            raise ConfigError(
                f"server.api={server.api}: the model was trained with wrapper {wrapper.kind}; use server.api="
                + ("chat" if wrapper.kind == "chat" else "completion")
            )
        self.server, self.wrapper, self.context, self.concurrency = server, wrapper, context, concurrency
        self._form: _Form | None = None

    @cached_property
    def can_constrain(self) -> bool:
        """Whether the server obeys a grammar of ours, found by sending one."""
        try:
            reply = self.server.reply("The answer:", 16, _constraint(_PROBE))
        except Unanswered:
            return False
        return reply.text.strip().startswith("zq7-")

    def complete(
        self,
        prompts: Sequence[list[int]],
        grammars: Sequence[str | None],
        max_new_tokens: int,
        progress: Callable[[int, Completion], None] | None = None,
    ) -> list[Completion]:
        """Answers to prompts, in their order; a prompt that the server refuses gets an empty one with the reason.

        Raises:
            ModelError: the server is away, stays busy, or reads other tokens than the model was trained on.
        """
        if prompts and self._form is None:
            self._form = self._agree(min(prompts, key=len))
        done: dict[int, Completion] = {}

        def ask(index: int) -> Completion:
            return self._ask(prompts[index], grammars[index], max_new_tokens)

        pool = ThreadPoolExecutor(self.concurrency)
        asked = {pool.submit(ask, index): index for index in range(len(prompts))}
        try:
            for answered in as_completed(asked):
                done[asked[answered]] = answered.result()
                if progress:
                    progress(asked[answered], done[asked[answered]])
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            self.server.close()
            raise
        pool.shutdown()
        return [done[index] for index in range(len(prompts))]

    def _ask(self, ids: list[int], grammar: str | None, max_new_tokens: int) -> Completion:
        room = answer_room(self.context, ids, max_new_tokens)
        try:
            reply = self._send(ids, self._form, room, grammar)
        except Unanswered as reason:
            if reason.refused:
                return Completion("", 0, False, f"refused by the server: {reason}")
            raise ModelError(
                f"{self.server.setting}={self.server.url}: {reason}; mend the server and continue with resume=true"
            ) from reason
        tokens = len(self.wrapper.completion_ids(reply.text)) - (self.wrapper.eos_id is not None)
        problem = ""
        if reply.prompt_tokens not in (None, len(ids)):
            problem = f"the server read {reply.prompt_tokens} tokens in a prompt of {len(ids)}"
        return Completion(reply.text, tokens, reply.finished, problem)

    def _agree(self, ids: list[int]) -> _Form:
        """The first form in which the server reads the tokens of training, tried on one prompt."""
        counts: dict[str, int | None] = {}
        forms: tuple[_Form, ...] = ("text",) if self.server.api == "chat" else ("ids", "text", "bos and text")
        for form in forms:
            try:
                reply = self._send(ids, form, 1, None)
            except Unanswered as reason:
                if not reason.refused and form != "ids":
                    raise ModelError(f"{self.server.setting}={self.server.url}: {reason}") from reason
                continue
            if reply.prompt_tokens is None:
                _logger.warning("the server counts no tokens, so that those of its prompts cannot be checked")
                return form
            # A BOS that is read as letters must not make up for other tokens that are missing.
            whole = form != "bos and text" or reply.prompt_tokens == (counts.get("text") or 0) + 1
            if reply.prompt_tokens == len(ids) and whole:
                return form
            counts[form] = reply.prompt_tokens
        raise ModelError(
            f"{self.server.setting}={self.server.url}: a prompt of {len(ids)} tokens in training has others there "
            f"({counts or 'it is refused'}); serve it with the tokenizer of model=, which must put BOS before a text "
            "by itself, or where token ids are taken (vLLM)"
        )

    def _send(self, ids: list[int], form: _Form | None, max_tokens: int, grammar: str | None) -> Reply:
        extra = None if grammar is None else _constraint(grammar)
        if form == "ids":
            return self.server.reply(ids, max_tokens, extra)
        before, after = len(self.wrapper.before), len(self.wrapper.after)
        text = self.wrapper.tokenizer.decode(ids[before : len(ids) - after], skip_special_tokens=False)
        if form == "bos and text" and self.wrapper.bos_id is not None:
            text = f"{self.wrapper.tokenizer.id_to_token(self.wrapper.bos_id)}{text}"
        return self.server.reply(text, max_tokens, extra)


def _constraint(grammar: str) -> dict[str, object]:
    return {"structured_outputs": {"grammar": grammar}}  # as vLLM's server takes it
