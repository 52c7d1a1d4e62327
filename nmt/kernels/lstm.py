"""Speed up torch's LSTM where its sequence kernel is slow: single positions, and padding on a CPU.

In mixed precision the gates and the cell state stay in float32: a cell adds up over a whole sentence.
"""

import functools
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from nmt.kernels.deferred_gradients import compute_dtype, is_deferred, linear, packed_product
from nmt.kernels.packed import cache_for, packing_available

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
        step = self._deferred_step if is_deferred(self.weight_hh_l0) else self._step
        hidden, cell = step(inputs.transpose(0, 1), *state)  # each (1, rows, hidden)
        return hidden.transpose(0, 1), (hidden, cell)

    def _sequence(self, inputs: Any, state: Any = None) -> Any:
        """Run torch's sequence kernel."""
        if not isinstance(inputs, Tensor) or not _lacks_kernel(inputs):
            return super().forward(inputs, state)
        with torch.autocast("cpu", enabled=False):
            return super().forward(inputs.float(), None if state is None else tuple(part.float() for part in state))

    def _step(self, inputs: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        """Compute one position from (1, rows, size) each: without gradients, where that is faster, by one product with
        packed weights."""
        weights, biases = (self.weight_ih_l0, self.weight_hh_l0), (self.bias_ih_l0, self.bias_hh_l0)
        packed = packed_product(inputs.size(1), weights, biases)
        if packed is None:
            state = (hidden.squeeze(0), cell.squeeze(0))  # each (rows, hidden)
            new_hidden, new_cell = torch.lstm_cell(inputs.squeeze(0), state, *weights, *biases)
            return new_hidden.unsqueeze(0), new_cell.unsqueeze(0)
        *_, new_hidden, new_cell = _gated(packed(torch.cat([inputs, hidden], dim=2)), cell)
        return new_hidden, new_cell

    def _deferred_step(self, inputs: Tensor, hidden: Tensor, cell: Tensor) -> tuple[Tensor, Tensor]:
        """Compute the same with deferred gradients. The new cell is float32 whatever the products are."""
        sums = linear(inputs, self.weight_ih_l0, self.bias_ih_l0) + linear(hidden, self.weight_hh_l0, self.bias_hh_l0)
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
        full = min(ends.tolist() if lengths is None else lengths) == inputs.size(1)
        if _lacks_kernel(inputs):
            with torch.autocast("cpu", enabled=False):
                return self._padded(inputs.float(), mask, None if full else ends)
        return self._padded(inputs, mask, None if full else ends)

    def _padded(
        self,
        inputs: Float[Tensor, "batch time input"],
        mask: Bool[Tensor, "batch time"],
        ends: Int[Tensor, " batch"] | None,
    ) -> tuple[Float[Tensor, "batch time hidden"], tuple[Tensor, Tensor]]:
        """Run over sentences of these lengths; `ends` is None if all have the full length."""
        if ends is None:
            outputs, hidden, cell = self._from_zero(inputs, marked=False)
            return outputs, (hidden, cell)
        padding = ~mask.unsqueeze(-1)  # (batch, time, 1)
        # (batch, time, input + 1)
        with_mark = torch.cat([inputs.masked_fill(padding, 0), padding.to(inputs.dtype)], dim=-1)
        outputs, hidden, cell = self._from_zero(with_mark, marked=True)
        last = outputs[torch.arange(outputs.size(0)), ends - 1, : self.hidden_size]  # (batch, hidden)
        return outputs.masked_fill(padding, 0), (torch.cat([last.unsqueeze(0), hidden[1:]]), cell)

    def _from_zero(
        self, inputs: Float[Tensor, "batch time input"], *, marked: bool
    ) -> tuple[Float[Tensor, "batch time hidden"], Tensor, Tensor]:
        """Run whole sequences from a state of zeros. Return outputs, and the final hidden and cell state, each
        (directions, batch, hidden). `marked` says that the last input is 1 at padding."""
        dtype = compute_dtype(inputs)
        parameters: list[Tensor] = [part for direction in self.all_weights for part in direction]

        def weights() -> list[Tensor]:
            return self._holding_weights() if marked else parameters

        cache = cache_for(parameters)
        if cache is not None and not torch.is_grad_enabled() and packs_sequences(dtype):
            kind = ("sequences", marked, dtype)
            return cache.get(kind, parameters, lambda: PackedSequences(weights(), self.hidden_size, dtype))(inputs)
        # (directions, batch, hidden)
        zeros = inputs.new_zeros(2 if self.bidirectional else 1, inputs.size(0), self.hidden_size)
        found: tuple[Tensor, Tensor, Tensor] = torch.lstm(
            inputs,
            (zeros, zeros),
            weights(),
            has_biases=True,
            num_layers=1,
            dropout=0.0,
            train=self.training,
            bidirectional=self.bidirectional,
            batch_first=True,
        )
        return found

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


class PackedSequences:
    """Run one LSTM layer over whole sequences, from a state of zeros and without gradients, as `torch.lstm` does, which
    rearranges the weights at each call: here that is done once.

    `weights` are those of torch: for each direction that of the input, that of the state, and two biases.
    """

    MODE = 2  # torch's number of an LSTM

    def __init__(self, weights: Sequence[Tensor], hidden_size: int, dtype: torch.dtype) -> None:
        self.dtype, self._hidden_size = dtype, hidden_size
        weights = [weight.detach().to(dtype) for weight in weights]
        self._directions: list[tuple[list[Tensor], bool]] = []  # weights, and whether to read backwards
        for first in range(0, len(weights), 4):
            of_input, of_hidden, *biases = weights[first : first + 4]
            backwards = first > 0
            blocks = torch.ops.mkldnn._reorder_mkldnn_rnn_layer_weight(
                of_input, of_hidden, hidden_size, backwards, True, False, None
            )
            self._directions.append(([*blocks, *biases], backwards))

    def __call__(
        self, inputs: Float[Tensor, "batch time input"]
    ) -> tuple[Float[Tensor, "batch time hidden"], Tensor, Tensor]:
        by_time = inputs.to(self.dtype).transpose(0, 1).contiguous()  # (time, batch, input); no strides are read
        zeros = by_time.new_zeros(inputs.size(0), self._hidden_size)
        # Arguments after the state: the direction, no packed batches, the cell, its size, one layer, with biases, one
        # direction, time first, no training. Returned: outputs, hidden, cell, and what only training needs.
        fixed: tuple[Any, ...] = ([], self.MODE, self._hidden_size, 1, True, False, False, False)
        run = torch.ops.aten.mkldnn_rnn_layer.default
        found = [run(by_time, *weights, zeros, zeros, backwards, *fixed)[:3] for weights, backwards in self._directions]
        outputs, hidden, cell = zip(*found, strict=True)
        # (batch, time, directions * hidden), (directions, batch, hidden) twice
        return torch.cat(outputs, dim=-1).transpose(0, 1), torch.stack(hidden), torch.stack(cell)


def packs_sequences(dtype: torch.dtype) -> bool:
    """Return whether this thread may use `PackedSequences` in this type, and this torch supports it."""
    return packing_available() and dtype in {torch.float32, torch.bfloat16} and _packed_sequences_work(dtype)


@functools.cache
def _packed_sequences_work(dtype: torch.dtype) -> bool:
    """Return whether `PackedSequences` computes the same as `torch.lstm` here, by trying. Draw no random number."""
    matrix, bias = torch.linspace(-1, 1, 4 * 8 * 8).view(32, 8), torch.linspace(-1, 1, 32)
    weights = [matrix, matrix, bias, bias] * 2
    inputs, zeros = torch.linspace(-1, 1, 2 * 3 * 8).view(2, 3, 8), torch.zeros(2, 2, 8)
    with torch.inference_mode(), torch.autocast("cpu", dtype, enabled=dtype != torch.float32):
        try:
            found = PackedSequences(weights, 8, dtype)(inputs)
            expected = torch.lstm(inputs, (zeros, zeros), weights, True, 1, 0.0, False, True, True)
        except RuntimeError:
            return False
    pairs = zip(found, expected, strict=True)
    return all(torch.allclose(one.float(), other.float(), atol=0.02) for one, other in pairs)


def _gated(
    sums: Float[Tensor, "*rows gates"], cell: Float[Tensor, "*rows hidden"]
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor]:
    """Compute c' = f c + i g and h' = o tanh(c'), from the sums of the gates i, f, g, o and the cell c.

    Sums in bf16 are widened first: c' is float32, and h' has the type of the sums. Return the gates, c, tanh(c'), h'
    and c'.
    """
    dtype = sums.dtype
    if dtype != torch.float64 and not dtype == cell.dtype == torch.float32:
        sums, cell = sums.float(), cell.float()
    gates = torch.sigmoid(sums)  # (*rows, 4 * hidden)
    enter, keep, new, out = gates.chunk(4, dim=-1)  # each (*rows, hidden)
    torch.tanh(sums.chunk(4, dim=-1)[2], out=new)
    after = torch.addcmul(keep * cell, enter, new)
    squashed = torch.tanh(after)
    hidden = out * squashed
    return gates, cell, squashed, hidden if hidden.dtype == dtype else hidden.to(dtype), after


class _Gates(torch.autograd.Function):
    """Compute `_gated` with a gradient."""

    @staticmethod
    def forward(
        ctx: Any, sums: Float[Tensor, "*rows gates"], cell: Float[Tensor, "*rows hidden"]
    ) -> tuple[Float[Tensor, "*rows hidden"], Float[Tensor, "*rows hidden"]]:
        ctx.types = sums.dtype, cell.dtype
        *saved, hidden, after = _gated(sums, cell)
        ctx.save_for_backward(*saved)
        return hidden, after

    @staticmethod
    def backward(ctx: Any, of_hidden: Tensor, of_cell: Tensor) -> tuple[Tensor, Tensor]:
        gates, cell, squashed = ctx.saved_tensors
        of_hidden = of_hidden.to(gates.dtype)
        enter, keep, new, out = gates.chunk(4, dim=-1)  # each (*rows, hidden)
        of_after = torch.addcmul(of_cell, of_hidden * out, 1 - squashed * squashed)
        of_sums = torch.addcmul(gates, gates, gates, value=-1)  # s (1 - s), the slope of a sigmoid
        slope_enter, slope_keep, slope_new, slope_out = of_sums.chunk(4, dim=-1)
        torch.addcmul(torch.ones_like(new), new, new, value=-1, out=slope_new)
        slope_enter.mul_(new).mul_(of_after)
        slope_keep.mul_(cell).mul_(of_after)
        slope_new.mul_(enter).mul_(of_after)
        slope_out.mul_(squashed).mul_(of_hidden)
        return of_sums.to(ctx.types[0]), (of_after * keep).to(ctx.types[1])
