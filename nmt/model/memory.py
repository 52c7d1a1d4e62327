"""The memory that the decoder reads, and the base class of every attention."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from nmt.config import ModelSettings
from nmt.kernels.deferred_gradients import product
from nmt.model.recurrent import State

AT_ONCE = 1 << 22  # numbers about pairs of a target and a source position, where no gradient needs all of them


class Memory(NamedTuple):
    """Hold the encoded source, one row per token. `mask` is True for a real token."""

    keys: Float[Tensor, "batch src key"]
    values: Float[Tensor, "batch src value"]
    mask: Bool[Tensor, "batch src"]

    def select(self, rows: Int[Tensor, "rows"]) -> "Memory":
        """Return the memory of these rows, in this order."""
        return Memory(*(part.index_select(0, rows) for part in self))


class Attended(NamedTuple):
    """Hold context and weights; `cache` is what the next position must know of this one: () for most attentions."""

    context: Float[Tensor, "rows tgt context"]
    weights: Float[Tensor, "rows tgt src"]
    cache: State = ()


class Attention(nn.Module):
    """Compute weights = softmax(score(query, keys)) over the real source tokens, context = weights @ values.

    A subclass gives `score`; it may project the source in `memory`, turn scores into weights differently in `weigh`,
    or replace `attend` as a whole.
    """

    depth = 1  # numbers that `attend` computes for each pair of a target and a source position

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.context_size = settings.hidden

    def memory(self, encoded: Float[Tensor, "batch src hidden"], mask: Bool[Tensor, "batch src"]) -> Memory:
        """Compute everything that depends on the source alone, once per sentence."""
        return Memory(encoded, encoded, mask)

    def initial_state(self, memory: Memory) -> State:
        """Return the cache before the first position: tensors (1, batch, anything)."""
        return ()

    def forward(
        self,
        query: Float[Tensor, "rows tgt hidden"],
        memory: Memory,
        word: Float[Tensor, "rows tgt embed"],
        cache: State = (),
    ) -> Attended:
        """Return context and weights for each query. `word` is the embedded input of the same position.

        There may be several rows per sentence of the memory (the hypotheses of a beam, next to each other). They are
        treated as more positions of that sentence, so the memory is never copied for them.
        """
        rows, positions, _ = query.shape
        batch = memory.mask.size(0)
        if rows == batch:
            return Attended(*self._attend_in_parts(query, word, memory), cache)
        # Hypotheses become positions of their sentence: (rows, tgt, _) -> (batch, beam * tgt, _)
        context, weights = self._attend_in_parts(_by_sentence(query, batch), _by_sentence(word, batch), memory)
        # Back to (rows, tgt, _)
        return Attended(context.reshape(rows, positions, -1), weights.reshape(rows, positions, -1), cache)

    def _attend_in_parts(
        self, query: Float[Tensor, "batch tgt hidden"], word: Float[Tensor, "batch tgt embed"], memory: Memory
    ) -> tuple[Float[Tensor, "batch tgt context"], Float[Tensor, "batch tgt src"]]:
        """`attend`, without gradients a few positions at a time: what long sentences need at once may be gigabytes."""
        few = query.size(1) if torch.is_grad_enabled() else max(1, AT_ONCE // (memory.mask.numel() * self.depth))
        if few >= query.size(1):
            return self.attend(query, word, memory)
        parts = zip(query.split(few, dim=1), word.split(few, dim=1), strict=True)
        contexts, weights = zip(*(self.attend(*part, memory) for part in parts), strict=True)
        return torch.cat(contexts, dim=1), torch.cat(weights, dim=1)  # (batch, tgt, value), (batch, tgt, src)

    def attend(
        self, query: Float[Tensor, "batch tgt hidden"], word: Float[Tensor, "batch tgt embed"], memory: Memory
    ) -> tuple[Float[Tensor, "batch tgt context"], Float[Tensor, "batch tgt src"]]:
        """Return the context of a query, (rows, tgt, value), and its weights, (rows, tgt, src)."""
        weights = self.weigh(self.score(query, memory.keys), memory.mask)  # (batch, tgt, src)
        # (batch, tgt, src) @ (batch, src, value) -> (batch, tgt, value)
        return product(weights, memory.values), weights

    def score(
        self, query: Float[Tensor, "batch tgt hidden"], keys: Float[Tensor, "batch src key"]
    ) -> Float[Tensor, "batch tgt src"]:
        """Return the score of each key, (rows, tgt, src), for each query."""
        raise NotImplementedError

    def weigh(
        self, scores: Float[Tensor, "batch tgt src"], mask: Bool[Tensor, "batch src"]
    ) -> Float[Tensor, "batch tgt src"]:
        """Return scores as weights that sum to 1 over the source, 0 where `mask` is false."""
        return masked_softmax(scores, mask)


def _by_sentence(part: Float[Tensor, "rows tgt size"], batch: int) -> Float[Tensor, "batch positions size"]:
    return part.reshape(batch, -1, part.size(-1))


def masked_softmax(
    scores: Float[Tensor, "batch tgt src"], mask: Bool[Tensor, "batch src"]
) -> Float[Tensor, "batch tgt src"]:
    """Apply softmax over the last dimension; padding gets exactly 0. In float32 whatever the products were in."""
    # Mask (batch, src) -> (batch, 1, src), the same for every target position
    return F.softmax(scores.masked_fill(~mask.unsqueeze(1), -torch.inf), dim=-1, dtype=torch.float32).to(scores.dtype)
