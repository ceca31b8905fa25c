"""The floating-point operations that a model needs for a token: against them the use of a GPU is measured."""

from __future__ import annotations

from dataclasses import dataclass

from transformers import PreTrainedConfig

from knowcoder.checkpoint.mapping import meta_model


@dataclass(frozen=True)
class TokenCost:
    """Operations of one forward pass: `body` for every token, `head` for every trained one, and `attention` for every
    token and place that it can look at."""

    body: float
    head: float
    attention: float

    def training(self, tokens: float, trained: float, document: float, frozen: bool = False) -> float:
        """Return what tokens need, forward and backward, recomputed activations not counted.

        Args:
            document: mean length of the document that a token is in; it sees half of it.
            frozen: the weights get no gradient, which is a third of the work with them.
        """
        weights = self.body * tokens + self.head * trained
        return (2 if frozen else 3) * weights + 3 * self.attention * tokens * document / 2


def token_cost(config: PreTrainedConfig) -> TokenCost:
    """Return what a token costs a model; a multiplication and an addition are two operations.

    To look an embedding up costs nothing; of the experts of a layer only those count that a token goes to.
    """
    model = meta_model(config)
    embedding, head = model.get_input_embeddings().weight, model.get_output_embeddings().weight
    outer = embedding.numel() + (0 if head is embedding else head.numel())
    experts = sum(weight.numel() for name, weight in model.named_parameters() if ".experts." in name)
    used = (getattr(config, "num_experts_per_tok", None) or 1) / _experts(config) if experts else 1.0
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    attended = 4 * config.num_hidden_layers * config.num_attention_heads * width  # scores, and the sum of values
    layers = model.num_parameters() - outer - experts * (1 - used)
    return TokenCost(2 * layers, 2 * head.numel(), attended)


def _experts(config: PreTrainedConfig) -> int:
    names = ("num_local_experts", "num_experts", "n_routed_experts")
    return next((count for name in names if (count := getattr(config, name, None))), 1)
