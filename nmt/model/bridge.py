"""The bridge makes the decoder's first state from what the encoder has read."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from nmt.config import ModelSettings
from nmt.model.recurrent import State, state_parts


class Bridge(nn.Module):
    """Map (final states of the encoder's layers, encoded tokens, mask) to the first state of `decoder_layers`
    layers."""

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.layers = settings.decoder_layers

    def forward(
        self, state: State, encoded: Float[Tensor, "batch src hidden"], mask: Bool[Tensor, "batch src"]
    ) -> State:
        raise NotImplementedError


class CopyBridge(Bridge):
    """Copy the encoder's final state layer by layer (Sutskever et al. 2014)."""

    def forward(
        self, state: State, encoded: Float[Tensor, "batch src hidden"], mask: Bool[Tensor, "batch src"]
    ) -> State:
        return state


class ZeroBridge(Bridge):
    """Start from zeros: the decoder knows the source through the attention alone."""

    def forward(
        self, state: State, encoded: Float[Tensor, "batch src hidden"], mask: Bool[Tensor, "batch src"]
    ) -> State:
        return tuple(part.new_zeros(self.layers, *part.shape[1:]) for part in state)  # (layers, batch, hidden)


class LinearBridge(Bridge):
    """Compute tanh(W s + b) of the top layer's final state s, for each layer and each part of the state."""

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__(settings)
        self.parts = nn.ModuleList(
            nn.Linear(settings.hidden, settings.decoder_layers * settings.hidden)
            for _ in range(state_parts(settings.cell))
        )

    def forward(
        self, state: State, encoded: Float[Tensor, "batch src hidden"], mask: Bool[Tensor, "batch src"]
    ) -> State:
        return tuple(
            self._layers(linear, part[-1].contiguous()) for linear, part in zip(self.parts, state, strict=True)
        )

    def _layers(
        self, linear: nn.Module, summary: Float[Tensor, "batch hidden"]
    ) -> Float[Tensor, "layers batch hidden"]:
        states = torch.tanh(linear(summary)).view(summary.size(0), self.layers, -1)  # (batch, layers, hidden)
        return states.transpose(0, 1).contiguous()  # (layers, batch, hidden)


class MeanBridge(LinearBridge):
    """Compute tanh(W m + b) of the mean m of the encoded tokens (Sennrich et al. 2017, Nematus)."""

    def forward(
        self, state: State, encoded: Float[Tensor, "batch src hidden"], mask: Bool[Tensor, "batch src"]
    ) -> State:
        weights = mask.to(encoded.dtype).unsqueeze(-1)  # (batch, src, 1)
        mean = (encoded * weights).sum(dim=1) / weights.sum(dim=1)  # (batch, src, hidden) -> (batch, hidden)
        return tuple(self._layers(linear, mean) for linear in self.parts)


BRIDGES: dict[str, type[Bridge]] = {
    "copy": CopyBridge,
    "linear": LinearBridge,
    "mean": MeanBridge,
    "zero": ZeroBridge,
}
