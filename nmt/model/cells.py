"""Recurrent layers that torch has no kernel for: one loop over positions, and the cells that it steps.

A `Stepped` layer has the interface of `torch.nn.GRU` or `torch.nn.LSTM` with batch_first=True: it takes a padded tensor
or a PackedSequence, and a state or none. Over packed sentences the batch shrinks as they end, so padding costs nothing.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence

Parts = tuple[Float[Tensor, "rows hidden"], ...]


class Cell(nn.Module):
    """Compute one step of a layer in one direction. What depends on the input alone is computed before the loop."""

    parts = 1  # tensors in the state; the first is the output

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size

    def project(self, inputs: Float[Tensor, "positions input"]) -> Float[Tensor, "positions gates"]:
        """Return the part of the gates that depends on the inputs alone, for all positions at once."""
        raise NotImplementedError

    def forward(self, projected: Float[Tensor, "rows gates"], state: Parts) -> Parts:
        raise NotImplementedError


class LayerNormLSTMCell(Cell):
    """Step an LSTM whose gates are each normalised (Ba et al. 2016; the cell of RNMT+, Chen et al. 2018).

    a = gain * norm(W x + U h) + bias, the mean and variance being those of one gate's units; then
    c' = sigmoid(a_f) * c + sigmoid(a_i) * tanh(a_g) and h' = sigmoid(a_o) * tanh(c'). Gates in torch's order, i f g o.
    """

    parts = 2

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(hidden_size)
        self.weight_ih = nn.Parameter(torch.empty(4 * hidden_size, input_size))
        self.weight_hh = nn.Parameter(torch.empty(4 * hidden_size, hidden_size))
        self.gain = nn.Parameter(torch.ones(4 * hidden_size))
        self.bias_ih = nn.Parameter(torch.empty(4 * hidden_size))

    def project(self, inputs: Float[Tensor, "positions input"]) -> Float[Tensor, "positions gates"]:
        return F.linear(inputs, self.weight_ih)

    def forward(self, projected: Float[Tensor, "rows gates"], state: Parts) -> Parts:
        hidden, memory = state
        sums = projected + F.linear(hidden, self.weight_hh)  # (rows, 4 * hidden)
        # Over each of (rows, 4, hidden)
        normed = F.layer_norm(sums.unflatten(-1, (4, -1)), (self.hidden_size,)).flatten(-2)
        enter, keep, new, out = (normed * self.gain + self.bias_ih).chunk(4, dim=-1)  # each (rows, hidden)
        memory = torch.sigmoid(keep) * memory + torch.sigmoid(enter) * torch.tanh(new)
        return torch.sigmoid(out) * torch.tanh(memory), memory


class TransitionGRUCell(Cell):
    """Step a chain of GRUs: the first reads the input, the others (transitions) the state alone.

    The deep transition of Pascanu et al. 2014 as Miceli Barone et al. 2017 use it, s_1 = GRU_1(x, s) and
    s_k = GRU_k(0, s_(k-1)); in a stack of layers, their BiDeep. With one GRU it is torch's, to whose weights these are
    named alike.
    """

    def __init__(self, input_size: int, hidden_size: int, transitions: int) -> None:
        super().__init__(hidden_size)
        self.weight_ih = nn.Parameter(torch.empty(3 * hidden_size, input_size))
        self.weight_hh = nn.Parameter(torch.empty(3 * hidden_size, hidden_size))
        self.bias_ih = nn.Parameter(torch.empty(3 * hidden_size))
        self.bias_hh = nn.Parameter(torch.empty(3 * hidden_size))
        self.others = nn.ModuleList(Transition(hidden_size) for _ in range(transitions - 1))

    def project(self, inputs: Float[Tensor, "positions input"]) -> Float[Tensor, "positions gates"]:
        return F.linear(inputs, self.weight_ih, self.bias_ih)

    def forward(self, projected: Float[Tensor, "rows gates"], state: Parts) -> Parts:
        [hidden] = state
        hidden = _gru(projected, F.linear(hidden, self.weight_hh, self.bias_hh), hidden)
        for transition in self.others:
            hidden = transition(hidden)
        return (hidden,)


class Transition(nn.Module):
    """Step a GRU without input."""

    def __init__(self, hidden_size: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.weight_hh = nn.Parameter(torch.empty(3 * hidden_size, hidden_size))
        self.bias_ih = nn.Parameter(torch.empty(3 * hidden_size))
        self.bias_hh = nn.Parameter(torch.empty(3 * hidden_size))

    def forward(self, hidden: Float[Tensor, "rows hidden"]) -> Float[Tensor, "rows hidden"]:
        return _gru(self.bias_ih, F.linear(hidden, self.weight_hh, self.bias_hh), hidden)


def _gru(
    from_input: Float[Tensor, "... gates"],
    from_state: Float[Tensor, "rows gates"],
    hidden: Float[Tensor, "rows hidden"],
) -> Float[Tensor, "rows hidden"]:
    """Compute r, z = sigmoid(a + b); n = tanh(a_n + r * b_n); h' = (1 - z) * n + z * h. Gates in torch's order, r z
    n."""
    sizes = (2 * hidden.size(-1), hidden.size(-1))
    gates_input, new_input = from_input.split(sizes, dim=-1)  # (..., 2 * hidden), (..., hidden)
    gates_state, new_state = from_state.split(sizes, dim=-1)
    reset, keep = torch.sigmoid(gates_input + gates_state).chunk(2, dim=-1)  # each (rows, hidden)
    new = torch.tanh(new_input + reset * new_state)
    return new + keep * (hidden - new)


class Stepped(nn.Module):
    """Run a cell over sequences forwards and, if bidirectional, a second one backwards."""

    def __init__(
        self, cell: Callable[[int, int], Cell], input_size: int, hidden_size: int, *, bidirectional: bool = False
    ) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.forwards = cell(input_size, hidden_size)
        self.backwards = cell(input_size, hidden_size) if bidirectional else None

    def forward(
        self, inputs: Tensor | PackedSequence, state: Tensor | tuple[Tensor, ...] | None = None
    ) -> tuple[Tensor | PackedSequence, Tensor | tuple[Tensor, ...]]:
        """Run as torch.nn.GRU or torch.nn.LSTM do: outputs of the inputs' kind, and states (directions, batch,
        hidden)."""
        if isinstance(inputs, PackedSequence):
            # (positions, input): all rows of the first position, then of the next
            positions, sizes = inputs.data, inputs.batch_sizes.tolist()
            order, back = inputs.sorted_indices, inputs.unsorted_indices
        else:
            # (rows, time, input) -> (time * rows, input)
            positions, sizes = inputs.transpose(0, 1).flatten(0, 1), [inputs.size(0)] * inputs.size(1)
            order, back = None, None
        cells = [self.forwards] if self.backwards is None else [self.forwards, self.backwards]
        if state is None:
            # (directions, rows, hidden)
            state = (positions.new_zeros(len(cells), sizes[0], self.hidden_size),) * self.forwards.parts
        parts = _select(state if isinstance(state, tuple) else (state,), order)

        outputs, ends = zip(
            *(
                _run(cell, positions, sizes, tuple(part[index] for part in parts), backwards=index == 1)
                for index, cell in enumerate(cells)
            ),
            strict=True,
        )
        # (directions, rows, hidden)
        final = _select(tuple(torch.stack(part) for part in zip(*ends, strict=True)), back)
        after = final if len(final) > 1 else final[0]
        joined = torch.cat(outputs, dim=-1)  # (positions, directions * hidden)
        if isinstance(inputs, PackedSequence):
            return PackedSequence(joined, inputs.batch_sizes, order, back), after
        # (rows, time, directions * hidden)
        return joined.unflatten(0, (inputs.size(1), inputs.size(0))).transpose(0, 1), after


def _select(parts: tuple[Tensor, ...], rows: Tensor | None) -> tuple[Tensor, ...]:
    return parts if rows is None else tuple(part.index_select(1, rows) for part in parts)


def _run(
    cell: Cell, positions: Float[Tensor, "positions input"], sizes: list[int], first: Parts, *, backwards: bool
) -> tuple[Float[Tensor, "positions hidden"], Parts]:
    """Return outputs at all positions, and for each row the state where it ends (begins, if backwards).

    `sizes` tells how many rows, the longest first, are still there at each position. So forwards the last rows leave
    the batch as they end, and backwards they join it, each with its own first state.
    """
    state = tuple(part[:0] for part in first)  # no rows yet
    outputs: list[Tensor] = []
    left: list[Parts] = []
    steps = cell.project(positions).split(sizes)  # (positions, gates) -> one (rows, gates) for each position
    for step in reversed(steps) if backwards else steps:
        before, rows = state[0].size(0), step.size(0)
        if rows < before:
            left.append(tuple(part[rows:] for part in state))  # the rows that end here
            state = tuple(part[:rows] for part in state)
        elif rows > before:
            state = tuple(torch.cat([part, new[before:rows]]) for part, new in zip(state, first, strict=True))
        state = cell(step, state)
        outputs.append(state[0])
    final = tuple(torch.cat(parts) for parts in zip(state, *reversed(left), strict=True))
    return torch.cat(outputs[::-1] if backwards else outputs), final
