"""torch's LSTM, where its kernel for whole sequences alone would be slow: single positions, and padding on a CPU."""

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

# sigmoid(HOLD + anything a gate may hold) is exactly 1 in float32, and sigmoid(-HOLD ...) exactly 0.
HOLD = 300.0


class LSTM(nn.LSTM):
    """One layer, batch first: Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000."""

    def __init__(self, input_size: int, hidden_size: int, bidirectional: bool = False) -> None:
        super().__init__(input_size, hidden_size, batch_first=True, bidirectional=bidirectional)

    def forward(self, inputs: Any, state: Any = None) -> Any:
        """As torch's; for a single position torch's cell, since the kernel rearranges the weights at each call."""
        if state is None or self.bidirectional or not isinstance(inputs, Tensor) or inputs.size(1) != 1:
            return super().forward(inputs, state)
        hidden, cell = torch.lstm_cell(inputs[:, 0], [part[0] for part in state], *self.all_weights[0])
        return hidden.unsqueeze(1), (hidden.unsqueeze(0), cell.unsqueeze(0))

    def padded(
        self, inputs: Float[Tensor, "batch time input"], mask: Bool[Tensor, "batch time"]
    ) -> tuple[Float[Tensor, "batch time hidden"], tuple[Tensor, Tensor]]:
        """Over sentences of unequal lengths: outputs, zero at padding, and each sentence's own final state.

        The kernel knows no lengths (and takes no packed sequences: with those torch runs step by step, which takes
        twice as long), so padding is made harmless: one more input, 1 at padding, closes the input gate and opens the
        forget gate. Backwards, padding comes first and the cell keeps its zero; forwards it comes last, and the cell
        keeps what it has. The output gate is not held, so the final output is taken from the last real token.
        """
        if mask.all():
            outputs, (hidden, cell) = super().forward(inputs)
            return outputs, (hidden, cell)
        padding = ~mask.unsqueeze(-1)
        zeros = inputs.new_zeros(2 if self.bidirectional else 1, inputs.size(0), self.hidden_size)
        outputs, hidden, cell = torch.lstm(
            torch.cat([inputs.masked_fill(padding, 0), padding.to(inputs.dtype)], dim=-1),
            (zeros, zeros),
            self._holding_weights(),
            has_biases=True,
            num_layers=1,
            dropout=0.0,
            train=self.training,
            bidirectional=self.bidirectional,
            batch_first=True,
        )
        last = outputs[torch.arange(outputs.size(0)), mask.sum(dim=1) - 1, : self.hidden_size]
        return outputs.masked_fill(padding, 0), (torch.cat([last.unsqueeze(0), hidden[1:]]), cell)

    def _holding_weights(self) -> list[Tensor]:
        """The layer's own, with a column for the mark of padding; torch's gates are input, forget, cell, output."""
        gates = torch.tensor([-HOLD, HOLD, 0.0, 0.0]).repeat_interleave(self.hidden_size).unsqueeze(1)
        weights = []
        for of_input, *others in self.all_weights:
            weights += [torch.cat([of_input, gates.to(of_input)], dim=1), *others]
        return weights
