"""Attention: weights = softmax(score(query, keys)) over the real source tokens, context = weights @ values.

Each class gives one score function of the literature. To add one, write its class and its line in ATTENTIONS:
the settings' check, the property tests and the documentation read that table.
"""

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from nmt.config import ModelSettings


class Memory(NamedTuple):
    """The encoded source, one row per token. `mask` is True for a real token."""

    keys: Float[Tensor, "batch src key"]
    values: Float[Tensor, "batch src value"]
    mask: Bool[Tensor, "batch src"]

    def select(self, rows: Int[Tensor, "rows"]) -> "Memory":
        return Memory(*(part.index_select(0, rows) for part in self))


class Attention(nn.Module):
    """Base of all: holds the shapes, the mask and the softmax; a subclass gives `score` and may project the memory."""

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.context_size = settings.hidden

    def memory(self, encoded: Float[Tensor, "batch src hidden"], mask: Bool[Tensor, "batch src"]) -> Memory:
        """Everything that depends on the source alone, computed once per sentence."""
        return Memory(encoded, encoded, mask)

    def score(
        self, query: Float[Tensor, "batch tgt hidden"], keys: Float[Tensor, "batch src key"]
    ) -> Float[Tensor, "batch tgt src"]:
        raise NotImplementedError

    def forward(
        self, query: Float[Tensor, "rows tgt hidden"], memory: Memory
    ) -> tuple[Float[Tensor, "rows tgt context"], Float[Tensor, "rows tgt src"]]:
        """Context and weights for each query.

        There may be several rows per sentence of the memory (the hypotheses of a beam, next to each other). They are
        treated as more positions of that sentence, so the memory is never copied for them.
        """
        rows, positions, size = query.shape
        query = query.reshape(memory.mask.size(0), -1, size)
        context, weights = self.attend(query, memory)
        return context.reshape(rows, positions, -1), weights.reshape(rows, positions, -1)

    def attend(
        self, query: Float[Tensor, "batch tgt hidden"], memory: Memory
    ) -> tuple[Float[Tensor, "batch tgt context"], Float[Tensor, "batch tgt src"]]:
        weights = masked_softmax(self.score(query, memory.keys), memory.mask)
        return weights @ memory.values, weights


def masked_softmax(
    scores: Float[Tensor, "batch tgt src"], mask: Bool[Tensor, "batch src"]
) -> Float[Tensor, "batch tgt src"]:
    """Softmax over the last dimension; padding gets exactly 0. In float32 whatever the products were in."""
    return F.softmax(scores.masked_fill(~mask.unsqueeze(1), -torch.inf), dim=-1, dtype=torch.float32).to(scores.dtype)


class NoAttention(Attention):
    """The plain encoder-decoder (Sutskever et al. 2014): no context, the bridge's state is all there is."""

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__(settings)
        self.context_size = 0

    def attend(
        self, query: Float[Tensor, "batch tgt hidden"], memory: Memory
    ) -> tuple[Float[Tensor, "batch tgt context"], Float[Tensor, "batch tgt src"]]:
        batch, positions, _ = query.shape
        return query.new_zeros(batch, positions, 0), query.new_zeros(batch, positions, memory.mask.size(1))


class DotAttention(Attention):
    """score = q . k (Luong et al. 2015, dot)."""

    def score(
        self, query: Float[Tensor, "batch tgt hidden"], keys: Float[Tensor, "batch src key"]
    ) -> Float[Tensor, "batch tgt src"]:
        return query @ keys.transpose(1, 2)


class ScaledDotAttention(DotAttention):
    """score = q . k / sqrt(d) (Vaswani et al. 2017)."""

    def score(
        self, query: Float[Tensor, "batch tgt hidden"], keys: Float[Tensor, "batch src key"]
    ) -> Float[Tensor, "batch tgt src"]:
        return super().score(query, keys) / math.sqrt(keys.size(-1))


class GeneralAttention(DotAttention):
    """score = q W k (Luong et al. 2015, general). W k is computed once per sentence, as the key."""

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__(settings)
        self.key = nn.Linear(settings.hidden, settings.hidden, bias=False)

    def memory(self, encoded: Float[Tensor, "batch src hidden"], mask: Bool[Tensor, "batch src"]) -> Memory:
        return Memory(self.key(encoded), encoded, mask)


class AdditiveAttention(Attention):
    """score = v . tanh(W q + U k) (Bahdanau et al. 2015, equation A.1.2; Luong's concat)."""

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__(settings)
        self.query = nn.Linear(settings.hidden, settings.hidden)
        self.key = nn.Linear(settings.hidden, settings.hidden, bias=False)
        self.energy = nn.Linear(settings.hidden, 1, bias=False)

    def memory(self, encoded: Float[Tensor, "batch src hidden"], mask: Bool[Tensor, "batch src"]) -> Memory:
        return Memory(self.key(encoded), encoded, mask)

    def score(
        self, query: Float[Tensor, "batch tgt hidden"], keys: Float[Tensor, "batch src key"]
    ) -> Float[Tensor, "batch tgt src"]:
        energy = torch.tanh(self.query(query).unsqueeze(2) + keys.unsqueeze(1))
        return torch.as_tensor(self.energy(energy).squeeze(-1))


class MultiHeadAttention(Attention):
    """softmax(W_q q . W_k k / sqrt(d)) W_v v per head, then W_o (Vaswani et al. 2017); weights: the heads' mean."""

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__(settings)
        self.heads = settings.attention_heads
        self.query = nn.Linear(settings.hidden, settings.hidden, bias=False)
        self.key = nn.Linear(settings.hidden, settings.hidden, bias=False)
        self.value = nn.Linear(settings.hidden, settings.hidden, bias=False)
        self.output = nn.Linear(settings.hidden, settings.hidden, bias=False)

    def memory(self, encoded: Float[Tensor, "batch src hidden"], mask: Bool[Tensor, "batch src"]) -> Memory:
        return Memory(self.key(encoded), self.value(encoded), mask)

    def attend(
        self, query: Float[Tensor, "batch tgt hidden"], memory: Memory
    ) -> tuple[Float[Tensor, "batch tgt context"], Float[Tensor, "batch tgt src"]]:
        q, k, v = (self._split(part) for part in (self.query(query), memory.keys, memory.values))
        scores = q @ k.transpose(2, 3) / math.sqrt(q.size(-1))
        weights = masked_softmax(scores.flatten(1, 2), memory.mask).view_as(scores)
        context = (weights @ v).transpose(1, 2).flatten(2)
        return self.output(context), weights.mean(dim=1)

    def _split(self, part: Float[Tensor, "batch time hidden"]) -> Float[Tensor, "batch heads time size"]:
        batch, time, _ = part.shape
        return part.view(batch, time, self.heads, -1).transpose(1, 2)


ATTENTIONS: dict[str, type[Attention]] = {
    "none": NoAttention,
    "dot": DotAttention,
    "scaled_dot": ScaledDotAttention,
    "general": GeneralAttention,
    "additive": AdditiveAttention,
    "multihead": MultiHeadAttention,
}
