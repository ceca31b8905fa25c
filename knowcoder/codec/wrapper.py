"""Bare prompt -> token ids: the only place that does it, so training, budgets and prediction see the same tokens.

Three wrappers stand around a bare prompt: ``plain`` (the prompt alone), ``published`` (the instruction form of
the published models) and ``chat`` (the tokenizer's own chat template). An empty prompt, which is what phase 1
trains on, is never wrapped: it is the beginning-of-sequence token alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from tokenizers import Encoding, Tokenizer

from knowcoder import jsonl
from knowcoder.codec.released import SYSTEM
from knowcoder.errors import ModelError

WrapperKind = Literal["plain", "published", "chat"]
_PLACEHOLDER = "KNOWCODER-BARE-PROMPT"


@dataclass(frozen=True, slots=True)
class Wrapper:
    """A tokenizer and the frame that it puts around every bare prompt.

    Prompt and completion are tokenised apart, so that the ids of a prompt do not depend on its answer. Text that
    looks like a special token ("</s>" in a sentence) is tokenised as text.

    Attributes:
        before: ids put in front of a prompt: BOS, or the opening of the chat template.
        prefix, suffix: text put around a prompt and tokenised with it.
        after: ids put behind a prompt: the closing of the chat template.
    """

    kind: WrapperKind
    tokenizer: Tokenizer
    bos_id: int | None
    eos_id: int | None
    before: tuple[int, ...] = ()
    prefix: str = ""
    suffix: str = ""
    after: tuple[int, ...] = ()

    @classmethod
    def from_folder(cls, path: str | Path, kind: WrapperKind = "plain") -> Wrapper:
        """Read the tokenizer of a model folder, or of a name on the Hugging Face hub.

        ``transformers`` is imported only where it is needed: for a hub name, for a folder without
        ``tokenizer.json``, and for the chat template.

        Raises:
            ModelError: there is no tokenizer, its EOS is not in its vocabulary, or it has no chat template.
        """
        folder = Path(path)
        if kind == "chat" or not (folder / "tokenizer.json").exists():
            return _from_transformers(str(path), kind)
        try:
            tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception as error:  # the class that `tokenizers` raises
            raise ModelError(f"{folder / 'tokenizer.json'}: cannot be read ({error}); save it again") from error
        settings = _read_settings(folder)
        bos_id = None if settings.get("add_bos_token") is False else _special_id(tokenizer, settings, "bos", folder)
        return cls.of(kind, tokenizer, bos_id, _special_id(tokenizer, settings, "eos", folder))

    @classmethod
    def of(cls, kind: WrapperKind, tokenizer: Tokenizer, bos_id: int | None, eos_id: int | None) -> Wrapper:
        """Make a ``plain`` or ``published`` wrapper of a tokenizer in memory (which is copied)."""
        before = () if bos_id is None else (bos_id,)
        if kind == "published":
            return cls(kind, _as_text(tokenizer), bos_id, eos_id, before, f"{SYSTEM}\nInput:\n", "\nOutput:\n")
        return cls(kind, _as_text(tokenizer), bos_id, eos_id, before)

    def prompt_ids(self, prompt: str) -> list[int]:
        """Ids of a wrapped prompt; of an empty prompt, BOS alone (nothing where the tokenizer has no BOS)."""
        return self.prompt_ids_many([prompt])[0]

    def completion_ids(self, text: str) -> list[int]:
        """Ids of a completion, EOS last."""
        return self._completions([text])[0]

    def prompt_ids_many(self, prompts: Sequence[str]) -> list[list[int]]:
        """``prompt_ids`` of many prompts at once, in parallel."""
        wrapped = [f"{self.prefix}{prompt}{self.suffix}" if prompt else "" for prompt in prompts]
        bos = [] if self.bos_id is None else [self.bos_id]
        return [
            [*self.before, *ids, *self.after] if prompt else list(bos)
            for prompt, ids in zip(prompts, self._encode(wrapped), strict=True)
        ]

    def encode_many(self, pairs: Sequence[tuple[str, str]]) -> list[tuple[list[int], list[int]]]:
        """(prompt, completion) texts -> (prompt ids, completion ids with EOS), in parallel."""
        prompts = self.prompt_ids_many([prompt for prompt, _ in pairs])
        return list(zip(prompts, self._completions([completion for _, completion in pairs]), strict=True))

    def lengths(self, pairs: Sequence[tuple[str, str]]) -> list[int]:
        """Tokens of (prompt, completion) texts as they are trained: wrapped prompt, completion and EOS."""
        around = len(self.before) + len(self.after) + (self.eos_id is not None)
        unprompted = (self.bos_id is not None) + (self.eos_id is not None)
        prompts = iter(self._encoded([f"{self.prefix}{prompt}{self.suffix}" for prompt, _ in pairs if prompt]))
        completions = self._encoded([completion for _, completion in pairs])
        return [
            len(completion) + (len(next(prompts)) + around if prompt else unprompted)
            for (prompt, _), completion in zip(pairs, completions, strict=True)
        ]

    def decode(self, ids: Sequence[int]) -> str:
        """Text of generated ids, special tokens left out."""
        return self.tokenizer.decode(list(ids), skip_special_tokens=True)

    def _completions(self, texts: Sequence[str]) -> list[list[int]]:
        eos = [] if self.eos_id is None else [self.eos_id]
        return [ids + eos for ids in self._encode(texts)]

    def _encode(self, texts: Sequence[str]) -> list[list[int]]:
        return [encoding.ids for encoding in self._encoded(texts)]

    def _encoded(self, texts: Sequence[str]) -> list[Encoding]:
        return self.tokenizer.encode_batch_fast(texts, add_special_tokens=False)


def _as_text(tokenizer: Tokenizer) -> Tokenizer:
    """A copy that neither cuts nor pads, and reads special tokens in its input as ordinary text."""
    copy = Tokenizer.from_str(tokenizer.to_str())
    copy.no_truncation()
    copy.no_padding()
    copy.encode_special_tokens = True
    return copy


def _read_settings(folder: Path) -> dict[str, Any]:
    """What the folder says of its special tokens; ``tokenizer_config.json`` has the last word."""
    settings: dict[str, Any] = {}
    for name in ("config.json", "special_tokens_map.json", "tokenizer_config.json"):
        if (folder / name).exists():
            settings |= jsonl.read_json(folder / name)
    return settings


def _special_id(tokenizer: Tokenizer, settings: dict[str, Any], kind: str, folder: Path) -> int | None:
    """Id of the "bos" or "eos" token: by its text where a tokenizer file names it, else from ``config.json``."""
    if f"{kind}_token" not in settings:
        found: int | list[int] | None = settings.get(f"{kind}_token_id")
        return found[0] if isinstance(found, list) else found
    token = settings[f"{kind}_token"]
    text: str | None = token["content"] if isinstance(token, dict) else token
    if text is None:
        return None
    number = tokenizer.token_to_id(text)
    if number is None:
        raise ModelError(f"{folder}: the {kind} token {text!r} is not in tokenizer.json; save the tokenizer again")
    return number


def _from_transformers(name: str, kind: WrapperKind) -> Wrapper:
    from transformers import AutoTokenizer

    try:
        loaded = AutoTokenizer.from_pretrained(name)
    except (OSError, ValueError) as error:
        where = "in this folder" if Path(name).is_dir() else "here or on the hub"
        raise ModelError(f"{name}: no tokenizer {where}; give a model folder that has one") from error
    bos_id = None if loaded.init_kwargs.get("add_bos_token") is False else loaded.bos_token_id
    if kind != "chat":
        return Wrapper.of(kind, loaded.backend_tokenizer, bos_id, loaded.eos_token_id)
    if not loaded.chat_template:
        raise ModelError(f"{name}: wrapper=chat, but the tokenizer has no chat template; use wrapper=plain")
    message = [{"role": "user", "content": _PLACEHOLDER}]
    frame = str(loaded.apply_chat_template(message, tokenize=False, add_generation_prompt=True))
    opening, _, closing = frame.partition(_PLACEHOLDER)
    before = tuple(loaded.backend_tokenizer.encode(opening, add_special_tokens=False).ids)
    after = tuple(loaded.backend_tokenizer.encode(closing, add_special_tokens=False).ids)
    tokenizer = _as_text(loaded.backend_tokenizer)
    return Wrapper(kind, tokenizer, bos_id, loaded.eos_token_id, before=before, after=after)
