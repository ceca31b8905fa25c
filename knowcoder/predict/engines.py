"""What an engine is: prompts as token ids in, greedy answers out; and the one place that opens one.

``hf`` runs a transformers model here, ``vllm`` one in vLLM's own environment, ``openai`` asks a server.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, Protocol

from knowcoder.codec.model_card import ModelCard
from knowcoder.codec.wrapper import Wrapper
from knowcoder.errors import ModelError

if TYPE_CHECKING:
    from knowcoder.predict.hf_engine import HfEngine

Precision = Literal["auto", "fp32", "bf16", "fp16"]


@dataclass(frozen=True, slots=True)
class Completion:
    """An answer: its text without special tokens, its length in tokens, and whether it ended by itself.

    ``problem`` says in words what the engine could not do as it should; empty where all is well.
    """

    text: str
    tokens: int
    finished: bool
    problem: str = ""


class Engine(Protocol):
    """What prediction asks of an engine.

    Attributes:
        context: tokens of prompt and answer that the model can hold; None where it has no bound.
    """

    wrapper: Wrapper
    context: int | None

    @property
    def can_constrain(self) -> bool:
        """Whether it obeys grammars."""
        ...

    def complete(
        self,
        prompts: Sequence[list[int]],
        grammars: Sequence[str | None],
        max_new_tokens: int,
        progress: Callable[[int, Completion], None] | None = None,
    ) -> list[Completion]:
        """Answers to prompts, in their order; ``progress`` hears of each (index, completion) as it ends.

        An answer is cut where it has ``max_new_tokens``, or where the model's context ends.
        """
        ...


def answer_room(context: int | None, prompt: Sequence[int], max_new_tokens: int) -> int:
    """Tokens that the answer to a prompt may have."""
    return max_new_tokens if context is None else min(max_new_tokens, context - len(prompt))


def open_model(
    model_dir: str | Path, device: str = "auto", precision: Precision = "auto", batch_size: int = 64
) -> tuple[HfEngine, ModelCard]:
    """Load a model of this machine, with the wrapper that its card names.

    Raises:
        ModelError: model or tokenizer does not load.
    """
    from knowcoder.predict.hf_engine import HfEngine

    card = ModelCard.load(model_dir)
    wrapper = Wrapper.from_folder(model_dir, card.wrapper)
    return HfEngine.load(model_dir, wrapper, device, precision, batch_size), card


def context_of(model_dir: str | Path) -> int | None:
    """Tokens that a model can hold, by its configuration; None where it does not say.

    Raises:
        ModelError: there is no configuration.
    """
    from transformers import AutoConfig

    try:
        made = AutoConfig.from_pretrained(str(model_dir))
    except (OSError, ValueError) as error:
        raise ModelError(f"{model_dir}: no model configuration here; give a model folder") from error
    return getattr(made.get_text_config(), "max_position_embeddings", None)
