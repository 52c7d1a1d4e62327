"""Recurrent cells and stacks of them. Only this file knows that an LSTM's state has two parts.

A state is a tuple of tensors (layers, batch, hidden): `(h,)` for a tanh RNN and a GRU, `(h, c)` for an LSTM.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nmt.kernels.lstm import LSTM
from nmt.model.cells import LayerNormLSTMCell, Stepped, TransitionGRUCell
from nmt.model.dropout import SequenceDropout

State = tuple[Float[Tensor, "_layers _batch _size"], ...]
Masks = tuple[Float[Tensor, "_rows 1 _units"] | None, ...]


class CellKind(NamedTuple):
    """Hold what the rest of the program must know of a cell."""

    layer: Callable[..., nn.Module]  # (input size, hidden size, bidirectional=...); in use as torch.nn.LSTM or nn.GRU
    parts: int  # tensors in its state
    meaning: str  # for docs/systems.md


CELLS: dict[str, CellKind] = {
    "rnn": CellKind(partial(nn.RNN, batch_first=True), 1, "h' = tanh(W x + U h + b) (Elman 1990)."),
    "gru": CellKind(
        partial(nn.GRU, batch_first=True),
        1,
        "Two gates, one state (Cho et al. 2014); with `model.encoder_transitions` or `model.decoder_transitions` a "
        "chain of GRUs per step (Miceli Barone et al. 2017).",
    ),
    "lstm": CellKind(
        LSTM, 2, "Three gates and a cell state (Hochreiter & Schmidhuber 1997; forget gate of Gers et al. 2000)."
    ),
    "ln_lstm": CellKind(
        partial(Stepped, LayerNormLSTMCell),
        LayerNormLSTMCell.parts,
        "An LSTM that normalises the pre-activation of each gate (Ba et al. 2016).",
    ),
}


def state_parts(cell: str) -> int:
    """Return how many tensors the state of a cell has."""
    return CELLS[cell].parts


def make_layer(
    cell: str, input_size: int, hidden: int, *, transitions: int = 1, bidirectional: bool = False
) -> nn.Module:
    """Make one layer. A GRU may have several transitions in each step; with one it is torch's, whose kernel is
    faster."""
    if cell == "gru" and transitions > 1:
        deep = partial(TransitionGRUCell, transitions=transitions)
        return Stepped(deep, input_size, hidden, bidirectional=bidirectional)
    return CELLS[cell].layer(input_size, hidden, bidirectional=bidirectional)


def call_cell(
    layer: nn.Module, inputs: Float[Tensor, "batch time input"], state: State
) -> tuple[Float[Tensor, "batch time hidden"], State]:
    """Run one layer, whose own state is a tensor or a pair, on a state that is always a tuple."""
    if len(state) == 2:
        outputs, (hidden, cell) = layer(inputs, state)
        return outputs, (hidden, cell)
    outputs, hidden = layer(inputs, state[0])
    return outputs, (hidden,)


class Recurrent(nn.Module):
    """Run a stack of unidirectional layers over whole sequences; a single step is a sequence of length one.

    Between layers: dropout, then the layer, then (as asked) the residual connection and layer normalisation.
    """

    def __init__(
        self,
        cell: str,
        input_size: int,
        hidden: int,
        layers: int,
        *,
        transitions: int = 1,
        extra: int = 0,
        dropout: float = 0.0,
        variational: bool = False,
        residual: bool = False,
        layer_norm: bool = False,
    ) -> None:
        super().__init__()
        self.hidden = hidden
        self.residual = residual
        self.extra = extra
        self.layers = nn.ModuleList(
            make_layer(cell, input_size if layer == 0 else hidden + extra, hidden, transitions=transitions)
            for layer in range(layers)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(hidden) if layer_norm else nn.Identity() for _ in range(layers))
        self.dropout = SequenceDropout(dropout, variational)

    def new_masks(self, batch: int, like: Tensor) -> Masks:
        """Draw the dropout masks of one pass, for callers who loop over positions: one per gap between two layers."""
        return tuple(self.dropout.mask(batch, self.hidden, like) for _ in self.layers[1:])

    def forward(
        self,
        inputs: Float[Tensor, "batch time input"],
        state: State,
        masks: Masks = (),
        extra: Float[Tensor, "batch time extra"] | None = None,
    ) -> tuple[Float[Tensor, "batch time hidden"], State]:
        """Return outputs of the top layer, and the state after the last position.

        `extra` enters every layer but the first beside its input, if the stack was made for it.
        """
        outputs, states = self.run(inputs, split_layers(state), masks, extra)
        return outputs, join_layers(states)

    def run(
        self,
        inputs: Float[Tensor, "batch time input"],
        states: list[State],
        masks: Masks = (),
        extra: Float[Tensor, "batch time extra"] | None = None,
    ) -> tuple[Float[Tensor, "batch time hidden"], list[State]]:
        """Run as `forward`, with a state (1, batch, hidden) for each layer: in a loop nothing is joined and split
        again."""
        last: list[State] = []
        outputs = inputs
        for index, (layer, norm, before) in enumerate(zip(self.layers, self.norms, states, strict=True)):
            layer_input = outputs
            if index > 0 and self.training:
                layer_input = self.dropout(layer_input, masks[index - 1] if masks else None)
            with_extra = layer_input
            if index > 0 and self.extra and extra is not None:
                with_extra = torch.cat([layer_input, extra], dim=-1)  # (batch, time, hidden + extra)
            outputs, after = call_cell(layer, with_extra, before)
            outputs = norm(outputs + layer_input if self.residual and index > 0 else outputs)
            last.append(after)
        return outputs, last


def split_layers(state: State) -> list[State]:
    """Split (layers, rows, size) into a state (1, rows, size) for each layer."""
    return list(zip(*(part.contiguous().split(1) for part in state), strict=True))


def join_layers(states: list[State]) -> State:
    """Join the states (1, rows, size) of all layers to (layers, rows, size)."""
    return tuple(torch.cat(parts) for parts in zip(*states, strict=True))  # (layers, rows, hidden)
