"""A model that knows only some of its target pieces, so that its generator has fewer to rank."""

import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from nmt.model.int8 import Int8Linear
from nmt.model.memory import Memory
from nmt.model.recurrent import State
from nmt.model.seq2seq import Seq2Seq


class Restricted:
    """What search needs of a model. The pieces are numbered anew: `tokens` are places in `pieces`."""

    def __init__(self, model: Seq2Seq, pieces: Int[Tensor, " pieces"]) -> None:
        self.model = model
        self.pieces = pieces
        self.output = _only(model.generator.output, pieces)

    def encode(self, source: Int[Tensor, "batch src"]) -> tuple[Memory, State]:
        return self.model.encode(source)

    def step(
        self, tokens: Int[Tensor, "rows"], state: State, memory: Memory
    ) -> tuple[Float[Tensor, "rows pieces"], State, Float[Tensor, "rows src"]]:
        words = self.model.target_embedding(self.pieces[tokens].unsqueeze(1))
        decoded = self.model.decoder(words, state, memory)
        logits = self.output(self.model.generator.projection(decoded.features[:, 0]))
        return F.log_softmax(logits.float(), dim=-1), decoded.state, decoded.attention[:, 0]


def _only(output: nn.Module, pieces: Int[Tensor, " pieces"]) -> nn.Module:
    """Some outputs of the generator's last layer."""
    if isinstance(output, Int8Linear):
        return output.only(pieces)
    assert isinstance(output, nn.Linear)
    smaller = nn.Linear(output.in_features, len(pieces), device="meta")
    smaller.weight = nn.Parameter(output.weight.detach()[pieces], requires_grad=False)
    smaller.bias = nn.Parameter(output.bias.detach()[pieces], requires_grad=False)
    return smaller
