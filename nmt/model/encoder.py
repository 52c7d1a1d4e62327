"""The encoder: source ids -> one vector per source token, and the recurrent state at the end of the sentence."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from nmt.config import ModelSettings
from nmt.model.attention import ATTENTIONS
from nmt.model.dropout import SequenceDropout
from nmt.model.embedding import Embedding
from nmt.model.padding import Packing, run_layer
from nmt.model.recurrent import State, make_layer


class Encoder(nn.Module):
    """Encode with layers of one of CELLS, in one direction or in both; padding changes nothing.

    With both directions each has half of `hidden`.
    """

    def __init__(self, settings: ModelSettings, embedding: Embedding) -> None:
        super().__init__()
        self.embedding = embedding
        self.residual = settings.residual
        directions = 2 if settings.bidirectional else 1
        self.layers = nn.ModuleList(
            make_layer(
                settings.cell,
                settings.embedding if layer == 0 else settings.hidden,
                settings.hidden // directions,
                transitions=settings.encoder_transitions,
                bidirectional=settings.bidirectional,
            )
            for layer in range(settings.encoder_layers)
        )
        self.norms = nn.ModuleList(
            nn.LayerNorm(settings.hidden) if settings.layer_norm else nn.Identity()
            for _ in range(settings.encoder_layers)
        )
        self.dropout = SequenceDropout(settings.dropout, settings.variational)
        self.on_top = nn.ModuleList([SelfAttention(settings)] if settings.self_attention != "none" else [])

    def forward(
        self, source: Int[Tensor, "batch src"], mask: Bool[Tensor, "batch src"], lengths: Sequence[int]
    ) -> tuple[Float[Tensor, "batch src hidden"], State]:
        """Return encoded tokens (zero at padding), and the final state of each layer, the directions side by side.

        `lengths` are those that `mask` shows.
        """
        outputs = self.embedding(source)  # (batch, src, embed)
        packing = None if source.device.type == "cpu" else Packing.of(lengths, source.size(1), source.device)
        states: list[State] = []
        for index, (layer, norm) in enumerate(zip(self.layers, self.norms, strict=True)):
            layer_input = self.dropout(outputs) if index > 0 else outputs
            outputs, state = run_layer(
                layer, layer_input, mask, lengths, packing
            )  # (batch, src, hidden), (batch, hidden)
            outputs = norm(outputs + layer_input if self.residual and index > 0 else outputs)
            states.append(state)
        for layer in self.on_top:
            outputs = layer(outputs, mask)
        outputs = self.dropout(outputs) * mask.unsqueeze(-1)  # zero at padding
        # (batch, src, hidden), (layers, batch, hidden)
        return outputs, tuple(torch.stack(parts) for parts in zip(*states, strict=True))


class SelfAttention(nn.Module):
    """Compute norm(h + attention(h)): every token attends to all tokens of its sentence, itself included (Vaswani et
    al. 2017).

    The attention is one of ATTENTIONS, its queries being the encoded tokens themselves.
    """

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.attention = ATTENTIONS[settings.self_attention](settings)
        self.norm = nn.LayerNorm(settings.hidden)
        self.dropout = SequenceDropout(settings.dropout, settings.variational)

    def forward(
        self, tokens: Float[Tensor, "batch src hidden"], mask: Bool[Tensor, "batch src"]
    ) -> Float[Tensor, "batch src hidden"]:
        read = self.attention(tokens, self.attention.memory(tokens, mask), tokens)
        normed: Tensor = self.norm(tokens + self.dropout(read.context))
        return normed
