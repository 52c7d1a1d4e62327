"""Speed up torch's LSTM where its sequence kernel is slow: single positions, and padding on a CPU.

In mixed precision the gates and the cell state stay in float32: a cell adds up over a whole sentence.
"""

import functools
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from nmt.kernels.deferred_gradients import compute_dtype, linear, shares

# sigmoid(HOLD + anything a gate may hold) is exactly 1 in float32, and sigmoid(-HOLD ...) exactly 0.
HOLD = 300.0


class LSTM(nn.LSTM):
    """Run one layer, batch first: Hochreiter & Schmidhuber 1997, with the forget gate of Gers et al. 2000."""

    weight_ih_l0: Tensor
    weight_hh_l0: Tensor
    bias_ih_l0: Tensor
    bias_hh_l0: Tensor

    def __init__(self, input_size: int, hidden_size: int, bidirectional: bool = False) -> None:
        super().__init__(input_size, hidden_size, batch_first=True, bidirectional=bidirectional)

    def forward(self, inputs: Any, state: Any = None) -> Any:
        """Run as torch's LSTM. Single positions bypass the sequence kernel, which rearranges the weights at each
        call."""
        if state is None or self.bidirectional or not isinstance(inputs, Tensor) or inputs.size(1) != 1:
            return self._sequence(inputs, state)
        step = self._step if shares(inputs.size(0), self.weight_hh_l0) else self._cell
        hidden, cell = step(inputs.squeeze(1), state[0].squeeze(0), state[1].squeeze(0))  # each (rows, hidden)
        return hidden.unsqueeze(1), (hidden.unsqueeze(0), cell.unsqueeze(0))  # (rows, 1, hidden), (1, rows, hidden)

    def _sequence(self, inputs: Any, state: Any = None) -> Any:
        """Run torch's sequence kernel."""
        if not isinstance(inputs, Tensor) or not _lacks_kernel(inputs):
            return super().forward(inputs, state)
        with torch.autocast("cpu", enabled=False):
            return super().forward(inputs.float(), None if state is None else tuple(part.float() for part in state))

    def _weights(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Return the weights of the input and of the state, and their biases. Torch's `all_weights` takes longer."""
        return self.weight_ih_l0, self.weight_hh_l0, self.bias_ih_l0, self.bias_hh_l0

    def _cell(self, inputs: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        new_state: tuple[Tensor, Tensor] = torch.lstm_cell(inputs, (hidden, cell), *self._weights())
        return new_state

    def _step(self, inputs: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the same as `_cell`, with deferred gradients. The new cell is float32 whatever the products are."""
        input_weight, hidden_weight, *biases = self._weights()
        sums = linear(inputs, input_weight, biases[0]) + linear(hidden, hidden_weight, biases[1])
        if not torch.is_grad_enabled():
            *_, new_hidden, new_cell = _gated(sums, cell)
            return new_hidden, new_cell
        after: tuple[Tensor, Tensor] = _Gates.apply(sums, cell)  # type: ignore[no-untyped-call]
        return after

    def padded(
        self,
        inputs: Float[Tensor, "batch time input"],
        mask: Bool[Tensor, "batch time"],
        lengths: Sequence[int] | None = None,
    ) -> tuple[Float[Tensor, "batch time hidden"], tuple[Tensor, Tensor]]:
        """Run over sentences of unequal lengths: outputs, zero at padding, and each sentence's own final state.

        `lengths` are those that `mask` shows, if the caller knows them.

        The kernel knows no lengths (and takes no packed sequences: with those torch runs step by step, which takes
        twice as long), so padding is made harmless: one more input, 1 at padding, closes the input gate and opens the
        forget gate. Backwards, padding comes first and the cell keeps its zero; forwards it comes last, and the cell
        keeps what it has. The output gate is not held, so the final output is taken from the last real token.
        """
        ends = mask.sum(dim=1) if lengths is None else torch.tensor(lengths, device=inputs.device)
        if min(ends.tolist() if lengths is None else lengths) == inputs.size(1):
            outputs, (hidden, cell) = self._sequence(inputs)
            return outputs, (hidden, cell)
        if _lacks_kernel(inputs):
            with torch.autocast("cpu", enabled=False):
                return self._held(inputs.float(), mask, ends)
        return self._held(inputs, mask, ends)

    def _held(
        self, inputs: Float[Tensor, "batch time input"], mask: Bool[Tensor, "batch time"], ends: Int[Tensor, " batch"]
    ) -> tuple[Float[Tensor, "batch time hidden"], tuple[Tensor, Tensor]]:
        """Run with one more input that holds the cell at padding."""
        padding = ~mask.unsqueeze(-1)  # (batch, time, 1)
        # (directions, batch, hidden)
        zeros = inputs.new_zeros(2 if self.bidirectional else 1, inputs.size(0), self.hidden_size)
        outputs, hidden, cell = torch.lstm(
            torch.cat([inputs.masked_fill(padding, 0), padding.to(inputs.dtype)], dim=-1),  # (batch, time, input + 1)
            (zeros, zeros),
            self._holding_weights(),
            has_biases=True,
            num_layers=1,
            dropout=0.0,
            train=self.training,
            bidirectional=self.bidirectional,
            batch_first=True,
        )
        last = outputs[torch.arange(outputs.size(0)), ends - 1, : self.hidden_size]  # (batch, hidden)
        return outputs.masked_fill(padding, 0), (torch.cat([last.unsqueeze(0), hidden[1:]]), cell)

    def _holding_weights(self) -> list[Tensor]:
        """Return the layer's weights, with a column for the mark of padding; torch's gates are input, forget, cell,
        output."""
        # (4 * hidden, 1)
        gates = torch.tensor([-HOLD, HOLD, 0.0, 0.0]).repeat_interleave(self.hidden_size).unsqueeze(1)
        weights = []
        for input_weight, *others in self.all_weights:
            weights += [torch.cat([input_weight, gates.to(input_weight)], dim=1), *others]
        return weights


def _lacks_kernel(inputs: Tensor) -> bool:
    """Return whether autocast wants a type that the sequence kernel of this CPU does not know."""
    reduced = compute_dtype(inputs) in {torch.bfloat16, torch.float16}
    return inputs.device.type == "cpu" and reduced and not (compute_dtype(inputs) == torch.bfloat16 and _knows_bf16())


@functools.cache
def _knows_bf16() -> bool:
    """Return whether this CPU can run an LSTM in bf16 (torch supports it with AVX-512 only), by trying. No random
    number is drawn: a run that is resumed would draw others."""
    state, weights = torch.zeros(1, 1, 8), [torch.zeros(32, 8), torch.zeros(32, 8), torch.zeros(32), torch.zeros(32)]
    try:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            torch.lstm(torch.zeros(1, 1, 8), (state, state), weights, True, 1, 0.0, False, False, True)
    except RuntimeError:
        return False
    return True


def _gated(
    sums: Float[Tensor, "rows gates"], cell: Float[Tensor, "rows hidden"]
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Compute c' = f c + i g and h' = o tanh(c'), from the sums of the gates i, f, g, o and the cell c.

    Sums in bf16 are widened first: c' is float32, and h' has the type of the sums. Return the gates, c, tanh(c'), h'
    and c'.
    """
    dtype = sums.dtype
    if dtype != torch.float64:
        sums, cell = sums.float(), cell.float()
    gates = torch.sigmoid(sums)  # (rows, 4 * hidden)
    enter, keep, new, out = gates.chunk(4, dim=1)  # each (rows, hidden)
    torch.tanh(sums.chunk(4, dim=1)[2], out=new)
    after = torch.addcmul(keep * cell, enter, new)
    squashed = torch.tanh(after)
    return gates, cell, squashed, (out * squashed).to(dtype), after


class _Gates(torch.autograd.Function):
    """Compute `_gated` with a gradient."""

    @staticmethod
    def forward(
        ctx: Any, sums: Float[Tensor, "rows gates"], cell: Float[Tensor, "rows hidden"]
    ) -> tuple[Float[Tensor, "rows hidden"], Float[Tensor, "rows hidden"]]:
        ctx.types = sums.dtype, cell.dtype
        *saved, hidden, after = _gated(sums, cell)
        ctx.save_for_backward(*saved)
        return hidden, after

    @staticmethod
    def backward(ctx: Any, of_hidden: Tensor, of_cell: Tensor) -> tuple[Tensor, Tensor]:
        gates, cell, squashed = ctx.saved_tensors
        of_hidden = of_hidden.to(gates.dtype)
        enter, keep, new, out = gates.chunk(4, dim=1)  # each (rows, hidden)
        of_after = torch.addcmul(of_cell, of_hidden * out, 1 - squashed * squashed)
        of_sums = torch.addcmul(gates, gates, gates, value=-1)  # s (1 - s), the slope of a sigmoid
        slope_enter, slope_keep, slope_new, slope_out = of_sums.chunk(4, dim=1)
        torch.addcmul(torch.ones_like(new), new, new, value=-1, out=slope_new)
        slope_enter.mul_(new).mul_(of_after)
        slope_keep.mul_(cell).mul_(of_after)
        slope_new.mul_(enter).mul_(of_after)
        slope_out.mul_(squashed).mul_(of_hidden)
        return of_sums.to(ctx.types[0]), (of_after * keep).to(ctx.types[1])
