"""Models in two parts, as two stages hold them, in one process; and what they are compared with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, PreTrainedModel

from knowcoder.train.pipeline import EmbeddingPiece, HeadLoss, HeadPiece, Piece, Skeleton, body_types
from knowcoder.train.stage import run_pieces
from tests.small_models import small_config

LAYERS = ["sliding_attention", "full_attention", "sliding_attention", "full_attention"]
#: Rows are of 24 tokens.
FAMILIES: dict[str, dict[str, Any]] = {
    "llama": {},
    "qwen3": {"tie_word_embeddings": True},
    "gemma3_text": {"sliding_window": 6, "layer_types": LAYERS, "final_logit_softcapping": 2.0},
    "phi3": {"sliding_window": 6},
    "gpt_neox": {},
    "olmo2": {},
    "mistral": {"sliding_window": 6},
    "cohere": {"logit_scale": 0.3},
    "granite": {"embedding_multiplier": 3.0, "logits_scaling": 5.0, "residual_multiplier": 0.3},
}


def family_model(model_type: str) -> PreTrainedModel:
    """Return a tiny fp32 model of random weights that are large enough to tell architectures apart."""
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(small_config(model_type, **FAMILIES[model_type])).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    return model


@dataclass
class PackedBatch:
    """Rows of several documents, padded, with a random half of the tokens trained."""

    ids: torch.Tensor
    positions: torch.Tensor
    places: torch.Tensor
    targets: torch.Tensor

    @classmethod
    def random(cls, rows: int = 2, vocabulary: int = 96) -> PackedBatch:
        generator = torch.Generator().manual_seed(7)
        ids = torch.randint(3, vocabulary, (rows, 24), generator=generator)
        documents = [torch.tensor([*range(9), *range(12), *range(3)]), torch.tensor([*range(17), *range(7)])]
        positions = torch.stack([documents[row % 2] for row in range(rows)])
        chosen = (torch.rand(rows, 24, generator=generator) < 0.5) & (positions.roll(-1, 1) > 0)
        chosen[:, -1] = False
        places = chosen.flatten().nonzero().flatten()
        return cls(ids, positions, places, ids.flatten()[places + 1])


@dataclass
class Outcome:
    """Logits [rows * tokens, vocabulary], loss, and gradients by name in the Hugging Face model."""

    logits: torch.Tensor
    loss: float
    gradients: dict[str, torch.Tensor] = field(default_factory=dict)


def whole(model: PreTrainedModel, batch: PackedBatch) -> Outcome:
    """Run the model as transformers does."""
    model.zero_grad()
    output = model(input_ids=batch.ids, position_ids=batch.positions, use_cache=False)
    logits = output.logits.flatten(0, 1)
    loss = cross_entropy(logits[batch.places], batch.targets)
    loss.backward()
    gradients = {name: p.grad.clone() for name, p in model.named_parameters() if p.grad is not None}
    return Outcome(logits.detach(), loss.item(), gradients)


class TwoStages:
    """All pieces of a model, twice: every cut takes the first ones of the one and the last ones of the other."""

    def __init__(self, model: PreTrainedModel) -> None:
        self.sides = [self._side(model) for _ in range(2)]

    @staticmethod
    def _side(model: PreTrainedModel) -> tuple[Skeleton, list[Any], HeadLoss]:
        skeleton = Skeleton(model.config)
        loss = HeadLoss(skeleton)
        kinds = body_types(skeleton.map)
        pieces: list[Any] = [kind(skeleton, number) for number, kind in enumerate(kinds)]
        if not skeleton.map.tied:
            pieces.append(HeadPiece(skeleton, len(kinds), loss))
        for piece in pieces:
            piece.load_state_dict(model.get_submodule(skeleton.map.modules[piece.piece]).state_dict())
            piece.eval()
        if skeleton.map.tied:
            embedding = pieces[0]
            pieces.append(lambda message: loss.tied(embedding, message))
        return skeleton, pieces, loss

    def run(self, batch: PackedBatch, cut: int, interval: int = 0, factor: float | None = None) -> Outcome:
        """Run with the first `cut` pieces on the first stage; the message between them is what a process would send."""
        (_, first, _), (skeleton, second, loss) = self.sides
        for module in self._modules():
            module.zero_grad()
        loss.put((batch.places, batch.targets, 1 / len(batch.targets) if factor is None else factor))
        sent, positions = run_pieces(first[:cut], (batch.ids, batch.positions), interval)
        arrived = sent.detach().requires_grad_()
        hidden, _ = run_pieces(second[cut:-1], (arrived, positions.clone()), interval)
        value = second[-1]((hidden, positions))
        value.backward()
        sent.backward(arrived.grad)
        head: Any = loss.tied_head(second[0]) if skeleton.map.tied else second[-1].inner
        with torch.no_grad():
            logits = skeleton.logits(head, hidden.flatten(0, 1))
        return Outcome(logits, value.item(), self._gradients())

    def _modules(self) -> list[Piece]:
        return [piece for _, pieces, _ in self.sides for piece in pieces if isinstance(piece, nn.Module)]

    def _gradients(self) -> dict[str, torch.Tensor]:
        mapping = self.sides[0][0].map
        found: dict[str, torch.Tensor] = {}
        for piece in self._modules():
            for name, parameter in piece.inner.named_parameters():
                if parameter.grad is not None:
                    key = mapping.hf_name(piece.piece, name)
                    assert key not in found or (mapping.tied and isinstance(piece, EmbeddingPiece)), key
                    found[key] = found[key] + parameter.grad if key in found else parameter.grad.clone()
        return found


def assert_same(found: Outcome, expected: Outcome, tolerance: float = 1e-5) -> None:
    """Compare within a share of the largest value of each tensor."""
    assert abs(found.loss - expected.loss) < tolerance
    assert found.gradients.keys() == expected.gradients.keys()
    pairs = [(found.logits, expected.logits), *((found.gradients[n], g) for n, g in expected.gradients.items())]
    for one, other in pairs:
        assert (one - other).abs().max() <= tolerance * other.abs().max()
