"""Restrict a model to some of its target tokens, so that its generator ranks fewer."""

from collections.abc import Callable
from functools import partial

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

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
        self.output = _only(model.generator.output, pieces)

    def encode(self, source: Int[Tensor, "batch src"]) -> tuple[Memory, State]:
        return self.model.encode(source)

    def step(
        self, tokens: Int[Tensor, "rows"], state: State, memory: Memory
    ) -> tuple[Float[Tensor, "rows pieces"], State, Float[Tensor, "rows src"]]:
        words = self.model.target_embedding(self.pieces[tokens].unsqueeze(1))  # (rows,) -> (rows, 1, embed)
        decoded = self.model.decoder(words, state, memory)
        logits = self.output(self.model.generator.projection(decoded.features.squeeze(1)))  # (rows, pieces)
        return F.log_softmax(logits.float(), dim=-1), decoded.state, decoded.attention.squeeze(1)


def _only(output: nn.Linear | Int8Linear, pieces: Int[Tensor, " pieces"]) -> Callable[[Tensor], Tensor]:
    """Select some outputs of the generator's last layer."""
    if isinstance(output, Int8Linear):
        return output.only(pieces)
    return partial(linear, weight=output.weight.detach()[pieces], bias=output.bias.detach()[pieces])
