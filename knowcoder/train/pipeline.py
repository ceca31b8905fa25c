"""The pieces of a pipeline, cut from any Hugging Face causal LM so that together they compute exactly the same.

The backbone's own `forward` decides what a layer is called with (mask, rotary tables, multipliers): it is run with
recorders in the place of its layers, once per micro-batch and stage, and each piece then calls its layer as the
backbone would have. The head is the causal model's own `forward` over a backbone that hands on what it is given.
Between stages travels `(hidden, position_ids)`; positions restart at 0 with every document, and transformers derives
from them that documents do not see each other.
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import nn
from transformers import AutoModelForCausalLM, PreTrainedConfig
from transformers.modeling_outputs import MoeModelOutputWithPast

from knowcoder.checkpoint.mapping import PieceMap, meta_model, piece_map
from knowcoder.errors import ModelError
from knowcoder.train.attention import use_flat_attention
from knowcoder.train.loss import chunked_loss

Message = tuple[torch.Tensor, torch.Tensor]
#: Places of the flattened hidden states that predict a trained token, those tokens, and the factor that makes the
#: engine's mean over micro-batches and ranks the mean over the step's trained tokens.
Labels = tuple[torch.Tensor, torch.Tensor, float]
_TOLERANCE = 1e-6  # of the largest logit


class _Recorder(nn.Module):
    """Stands in the place of a layer and notes how the backbone calls it."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.hidden: torch.Tensor | None = None
        self.settings: dict[str, Any] = {}
        for name, value in vars(layer).items():
            # Backbones ask a layer for its kind, such as `attention_type`.
            if isinstance(value, str | int | float | bool) and not name.startswith("_"):
                setattr(self, name, value)

    def forward(self, hidden_states: torch.Tensor, *arguments: Any, **settings: Any) -> torch.Tensor:
        if arguments:
            raise ModelError("the backbone calls its layers in a way that cannot be cut into stages")
        self.hidden, self.settings = hidden_states, settings
        return hidden_states


class _GivenBackbone(nn.Module):
    """Stands in the place of the backbone and returns the hidden states that it is given.

    The output has the fields that heads of any kind read, routers' among them.
    """

    def forward(self, *arguments: Any, inputs_embeds: torch.Tensor, **settings: Any) -> MoeModelOutputWithPast:
        return MoeModelOutputWithPast(last_hidden_state=inputs_embeds)


class Skeleton:
    """A causal model without weights: what the pieces of one process are built from and called through.

    Args:
        dtype: the number format of the pieces, whatever that of the files is.
    """

    def __init__(
        self, config: PreTrainedConfig, device: str | torch.device = "cpu", dtype: torch.dtype = torch.float32
    ) -> None:
        self.dtype = dtype
        self.causal = meta_model(config)
        self.device = torch.device(device)
        self._flat = use_flat_attention(self.causal, self.device.type, half=dtype.itemsize == 2)
        self.map: PieceMap = piece_map(self.causal)
        self.modules = [self.causal.get_submodule(name) for name in self.map.modules]
        backbone = self.causal.base_model
        for name in (self.map.modules[0], self.map.modules[-2]):
            setattr(backbone, name.rpartition(".")[2], nn.Identity())
        self._recorders = [_Recorder(layer) for layer in self.modules[1:-2]]
        backbone.layers = nn.ModuleList(self._recorders)
        setattr(self.causal, self.causal.base_model_prefix, _GivenBackbone())
        # Kept off the pipeline module: casting that to bf16 would cast the rotary frequencies too.
        self._backbone = self._materialized(backbone).to(self.device)
        self._positions: torch.Tensor | None = None
        self._settings: list[dict[str, Any]] = []

    def build(self, piece: int) -> nn.Module:
        """Return a copy of a piece's module, with memory for weights that are still to be loaded."""
        return self._materialized(copy.deepcopy(self.modules[piece]).to(self.dtype))

    def call_layer(self, index: int, layer: nn.Module, hidden: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """Run decoder layer `index` (0-based) as the backbone runs it.

        Args:
            hidden: [rows, tokens, width] before the layer. positions: [rows, tokens], the same object for all layers
                of a micro-batch, by which the recorded arguments are found again.
        """
        shape = hidden.shape
        if self._flat:  # positions begin anew with every row, and so does every document
            hidden = hidden.reshape(1, -1, shape[-1])
        if index == 0:  # the backbone may change the embeddings before its first layer
            hidden = self._record(hidden, positions)
        elif self._positions is not positions:
            with torch.no_grad():
                self._record(hidden.detach(), positions)
        output = layer(hidden, **self._settings[index])
        return (output[0] if isinstance(output, tuple) else output).view(shape)

    def logits(self, head: nn.Module, hidden: torch.Tensor) -> torch.Tensor:
        """Return logits [tokens, vocabulary] of hidden states [tokens, width] after the last norm."""
        self.causal.set_output_embeddings(head)
        output = self.causal(inputs_embeds=hidden.unsqueeze(0), use_cache=False)
        return output.logits.squeeze(0)

    def _record(self, hidden: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        self._backbone(inputs_embeds=hidden, position_ids=positions.reshape(hidden.shape[:-1]), use_cache=False)
        first = self._recorders[0].hidden
        assert first is not None
        self._positions = positions
        self._settings = [recorder.settings for recorder in self._recorders]
        for recorder in self._recorders:
            recorder.hidden, recorder.settings = None, {}
        return first

    def _materialized(self, module: nn.Module) -> nn.Module:
        module.to_empty(device="cpu")
        for part in module.modules():
            if part._non_persistent_buffers_set:  # no file holds these; the architecture computes them
                with torch.no_grad():
                    self.causal._init_weights(part)
        return module


class Piece(nn.Module):
    """One piece of the pipeline; its tensors are named as in the checkpoint's layer files (see `mapping`)."""

    def __init__(self, skeleton: Skeleton, piece: int) -> None:
        super().__init__()
        self.inner = skeleton.build(piece)
        self.piece = piece
        self._skeleton = skeleton

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """Return the tensors by their names inside the piece."""
        return self.inner.state_dict(*args, **kwargs)

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """Load tensors by their names inside the piece."""
        return self.inner.load_state_dict(state_dict, strict, assign)


class EmbeddingPiece(Piece):
    """Token ids -> embeddings."""

    def forward(self, message: Message) -> Message:
        """Take `(input_ids, position_ids)`, return `(hidden, position_ids)`."""
        ids, positions = message
        return self.inner(ids), positions


class LayerPiece(Piece):
    """One decoder layer."""

    def forward(self, message: Message) -> Message:
        """Take and return `(hidden, position_ids)`."""
        hidden, positions = message
        return self._skeleton.call_layer(self.piece - 1, self.inner, hidden, positions), positions


class NormPiece(Piece):
    """The last norm."""

    def forward(self, message: Message) -> Message:
        """Take and return `(hidden, position_ids)`."""
        return self.inner(message[0]), message[1]


class HeadLoss:
    """The loss, computed by the last piece: the engine clears and scales gradients where its forward pass ends.

    Only the last stage knows which tokens need logits; it reads that from the data, in the order of its forward passes.

    Attributes:
        observe: is shown the loss of every token of a micro-batch.
    """

    def __init__(self, skeleton: Skeleton) -> None:
        self.observe: Callable[[torch.Tensor], None] | None = None
        self._skeleton = skeleton
        self._labels: deque[Labels] = deque()
        self._tied_head: nn.Module | None = None

    def put(self, labels: Labels) -> None:
        """Say what the next micro-batch is trained on."""
        self._labels.append(labels)

    def __call__(self, head: nn.Module, message: Message) -> torch.Tensor:
        """Return this micro-batch's part of the loss."""
        places, targets, factor = self._labels.popleft()
        chosen = message[0].flatten(0, 1)[places]
        vocabulary = self._skeleton.causal.config.vocab_size
        logits = partial(self._skeleton.logits, head)
        total, losses = chunked_loss(logits, chosen, targets, vocabulary, head.parameters())
        if self.observe is not None:
            self.observe(losses)
        return total * factor

    def tied(self, embedding: nn.Module, message: Message) -> torch.Tensor:
        """Return the same where the head's weight is that of the embedding piece."""
        return self(self.tied_head(embedding), message)

    def tied_head(self, embedding: Any) -> nn.Module:
        """Return a head without a weight of its own."""
        if self._tied_head is None:
            self._tied_head = copy.deepcopy(self._skeleton.modules[-1])  # its own weight never gets memory
            self._tied_head.weight = embedding.inner.weight
        return self._tied_head


class HeadPiece(Piece):
    """The head and the loss."""

    def __init__(self, skeleton: Skeleton, piece: int, loss: HeadLoss) -> None:
        super().__init__(skeleton, piece)
        self._loss = loss

    def forward(self, message: Message) -> torch.Tensor:
        """Take `(hidden, position_ids)`, return the loss."""
        return self._loss(self.inner, message)


def body_types(mapping: PieceMap) -> list[type[Piece]]:
    """Return the class of every piece but the head, in order."""
    return [EmbeddingPiece, *[LayerPiece] * mapping.num_layers, NormPiece]


def check_pieces(config: PreTrainedConfig) -> float:
    """Compare the pieces with the whole on a small random copy of the configuration.

    Returns:
        The largest difference of a logit, relative to the largest logit.

    Raises:
        ModelError: they differ or cannot be made, so that this architecture cannot be trained under the pipeline.
    """
    instead = "so it cannot be trained under the pipeline; use sft with tuning=full instead"
    try:
        difference = _difference(small_copy(config))
    except ModelError:
        raise
    except Exception as error:  # whatever an architecture may do that its pieces cannot
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise ModelError(
            f"model type {config.model_type}: a small copy does not run in pieces ({reason}), {instead}"
        ) from error
    if not difference < _TOLERANCE:
        raise ModelError(
            f"model type {config.model_type}: its layers give another result in pieces than as a whole (logits differ "
            f"by {difference:.1e} on a small random copy), {instead}"
        )
    return difference


def _difference(small: PreTrainedConfig) -> float:
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(0)
        # In fp64, so that what differs is the way and not the rounding.
        whole = AutoModelForCausalLM.from_config(small, dtype=torch.float64).eval()
        for parameter in whole.parameters():  # fresh weights are too small to tell architectures apart
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
        ids = torch.randint(3, small.vocab_size, (2, 24))
        positions = torch.cat([torch.arange(9), torch.arange(15)]).expand(2, -1)
        expected = whole(input_ids=ids, position_ids=positions, use_cache=False).logits
        skeleton = Skeleton(small, dtype=torch.float64)
        body = [build(skeleton, number).eval() for number, build in enumerate(body_types(skeleton.map))]
        message: Message = (ids, positions)
        for piece in body:
            piece.load_state_dict(whole.get_submodule(skeleton.map.modules[piece.piece]).state_dict())
            # Positions that it has not seen make every layer ask the backbone anew, as the first one of a stage does.
            message = piece((message[0], positions.clone()))
        head = whole.get_output_embeddings()
        found = skeleton.logits(head, message[0].flatten(0, 1)).view_as(expected)
    return ((found - expected).abs().max() / expected.abs().max()).item()


def small_copy(config: PreTrainedConfig) -> PreTrainedConfig:
    """Return a configuration of the same architecture with few, narrow layers of every kind that it has."""
    small = copy.deepcopy(config)
    small._experts_implementation = "eager"  # the other ways do not compute in fp64
    kinds = getattr(config, "layer_types", None)
    depth = max([3, *(kinds.index(kind) + 1 for kind in set(kinds))]) if kinds else 3
    small.num_hidden_layers = min(config.num_hidden_layers, depth)
    if kinds:
        small.layer_types = kinds[: small.num_hidden_layers]
    if getattr(config, "sliding_window", None):
        small.sliding_window = 5  # shorter than the rows that it is tried on
    small.vocab_size = min(config.vocab_size, 128)
    for name in ("pad_token_id", "bos_token_id", "eos_token_id"):
        if getattr(small, name, None) is not None:
            setattr(small, name, 0)
    if getattr(small, "head_dim", None) is None and config.hidden_size % config.num_attention_heads:
        return small
    width = getattr(small, "head_dim", None) or config.hidden_size // config.num_attention_heads
    shared = config.num_attention_heads // (getattr(config, "num_key_value_heads", None) or config.num_attention_heads)
    groups = min(shared, 2)
    small.num_attention_heads = 2 * groups
    if getattr(config, "num_key_value_heads", None) is not None:
        small.num_key_value_heads = 2
    small.hidden_size = 2 * groups * width
    experts = () if (getattr(config, "n_group", None) or 1) > 1 else ("n_routed_experts",)  # groups have a size
    for name in ("num_experts", "num_local_experts", *experts):
        if getattr(config, name, None):
            setattr(small, name, min(getattr(config, name), 16))
    for name in ("intermediate_size", "moe_intermediate_size"):
        if getattr(config, name, None):
            setattr(small, name, min(getattr(config, name), 64))
    return small
