"""Restrict a model to some of its target tokens, so that its generator ranks fewer."""

from collections.abc import Callable
from functools import partial

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor

from nmt.kernels.deferred_gradients import linear
from nmt.model.int8 import Int8Linear
from nmt.model.memory import Memory
from nmt.model.recurrent import State
from nmt.model.seq2seq import Seq2Seq


class VocabularyRestriction:
    """Restrict a model to some target tokens for search. They are renumbered: `tokens` are places in `pieces`."""

    def __init__(self, model: Seq2Seq, pieces: Int[Tensor, " pieces"]) -> None:
        self.model = model
        self.pieces = pieces
        output = model.generator.output  # of its outputs, only those of the chosen tokens are computed
        self.output: Callable[[Tensor], Tensor]
        if isinstance(output, Int8Linear):
            self.output = output.only(pieces)
        else:
            self.output = partial(linear, weight=output.weight.detach()[pieces], bias=output.bias.detach()[pieces])

    def encode(self, source: Int[Tensor, "batch src"]) -> tuple[Memory, State]:
        """Encode the source with the whole model."""
        return self.model.encode(source)

    def step(
        self, tokens: Int[Tensor, "rows"], state: State, memory: Memory
    ) -> tuple[Float[Tensor, "rows pieces"], State, Float[Tensor, "rows src"]]:
        """Return log-probabilities over the chosen tokens alone, the next state and the attention."""
        pieces = self.pieces.index_select(0, tokens)
        words = self.model.target_embedding(pieces.unsqueeze(1))  # (rows,) -> (rows, 1, embed)
        decoded = self.model.decoder(words, state, memory)
        logits = self.output(self.model.generator.projection(decoded.features.squeeze(1)))  # (rows, pieces)
        return F.log_softmax(logits.float(), dim=-1), decoded.state, decoded.attention.squeeze(1)
