"""Layers that are stepped in a loop: as torch's own where they are the same, and as the formulas where they are not."""

import math
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from nmt.config import ModelSettings
from nmt.model import make_model
from nmt.model.cells import Cell, LayerNormLSTMCell, Parts, Stepped, TransitionGRUCell
from nmt.model.recurrent import CELLS, State, call_cell, make_layer, state_parts

LENGTHS = torch.tensor([3, 5, 1, 5, 2])
INPUT, HIDDEN = 4, 6
EXACT = {"rtol": 0.0, "atol": 1e-12}  # in float64

KINDS = {
    "ln_lstm": LayerNormLSTMCell,
    "transitions=1": partial(TransitionGRUCell, transitions=1),
    "transitions=3": partial(TransitionGRUCell, transitions=3),
}
every_kind = pytest.mark.parametrize("kind", KINDS)
both_directions = pytest.mark.parametrize("bidirectional", [False, True])


class PlainLSTMCell(Cell):
    """torch's LSTM, to hold the loop against a library layer with two parts in its state."""

    parts = 2

    def __init__(self, input_size: int, hidden_size: int) -> None:
        super().__init__(hidden_size)
        self.weight_ih = nn.Parameter(torch.empty(4 * hidden_size, input_size))
        self.weight_hh = nn.Parameter(torch.empty(4 * hidden_size, hidden_size))
        self.bias_ih = nn.Parameter(torch.empty(4 * hidden_size))
        self.bias_hh = nn.Parameter(torch.empty(4 * hidden_size))

    def project(self, inputs: Tensor) -> Tensor:
        return F.linear(inputs, self.weight_ih, self.bias_ih)

    def forward(self, projected: Tensor, state: Parts) -> Parts:
        enter, keep, new, out = (projected + F.linear(state[0], self.weight_hh, self.bias_hh)).chunk(4, dim=-1)
        memory = torch.sigmoid(keep) * state[1] + torch.sigmoid(enter) * torch.tanh(new)
        return torch.sigmoid(out) * torch.tanh(memory), memory


def drawn(layer: nn.Module) -> nn.Module:
    torch.manual_seed(2)
    for parameter in layer.parameters():
        nn.init.normal_(parameter, std=0.7)
    return layer.double()


def stepped(kind: str, bidirectional: bool) -> Stepped:
    return drawn(Stepped(KINDS[kind], INPUT, HIDDEN, bidirectional=bidirectional))


def sentences() -> Tensor:
    torch.manual_seed(1)
    return torch.randn(len(LENGTHS), int(LENGTHS.max()), INPUT, dtype=torch.float64)


def start(layer: Stepped, directions: int) -> Tensor | tuple[Tensor, ...]:
    torch.manual_seed(3)
    parts = tuple(
        torch.randn(directions, len(LENGTHS), HIDDEN, dtype=torch.float64) for _ in range(layer.forwards.parts)
    )
    return parts if len(parts) > 1 else parts[0]


def row(state: Tensor | tuple[Tensor, ...], index: int) -> Tensor | tuple[Tensor, ...]:
    if isinstance(state, tuple):
        return tuple(part[:, index : index + 1] for part in state)
    return state[:, index : index + 1]


def packed(inputs: Tensor, lengths: Tensor = LENGTHS) -> PackedSequence:
    return pack_padded_sequence(inputs, lengths, batch_first=True, enforce_sorted=False)


# The loop ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", [False, True], ids=["zeros", "state"])
@pytest.mark.parametrize("pack", [False, True], ids=["padded", "packed"])
@both_directions
@pytest.mark.parametrize(("library", "cell"), [(nn.GRU, KINDS["transitions=1"]), (nn.LSTM, PlainLSTMCell)])
def test_loop_equals_the_librarys(
    library: type, cell: type[Cell], bidirectional: bool, pack: bool, given: bool
) -> None:
    """Outputs, states and gradients, with the same weights, which also have the same names."""
    theirs = library(INPUT, HIDDEN, batch_first=True, bidirectional=bidirectional).double()
    ours = drawn(Stepped(cell, INPUT, HIDDEN, bidirectional=bidirectional))
    pairs = {
        f"{name.split('.')[1]}_l0{'_reverse' if name.startswith('backwards') else ''}": parameter
        for name, parameter in ours.named_parameters()
    }
    theirs.load_state_dict(pairs)

    given_state = start(ours, 2 if bidirectional else 1) if given else None
    expected, expected_state = theirs(packed(sentences()) if pack else sentences(), given_state)
    found, found_state = ours(packed(sentences()) if pack else sentences(), given_state)
    if pack:
        for field in ("batch_sizes", "sorted_indices", "unsorted_indices"):
            assert torch.equal(getattr(found, field), getattr(expected, field))
        found, expected = found.data, expected.data
    torch.testing.assert_close(found, expected, **EXACT)
    torch.testing.assert_close(found_state, expected_state, **EXACT)

    found.square().sum().backward()
    expected.square().sum().backward()
    for name, parameter in pairs.items():
        torch.testing.assert_close(parameter.grad, getattr(theirs, name).grad, **EXACT)


@every_kind
@both_directions
def test_packed_sentences_equal_each_alone(kind: str, bidirectional: bool) -> None:
    layer, inputs = stepped(kind, bidirectional), sentences()
    state = start(layer, 2 if bidirectional else 1)
    outputs, final = layer(packed(inputs), state)
    outputs, _ = pad_packed_sequence(outputs, batch_first=True)
    for index, length in enumerate(LENGTHS.tolist()):
        expected, expected_final = layer(inputs[index : index + 1, :length], row(state, index))
        torch.testing.assert_close(outputs[index : index + 1, :length], expected, **EXACT)
        torch.testing.assert_close(row(final, index), expected_final, **EXACT)
        assert not outputs[index, length:].any()


@every_kind
@both_directions
def test_padding_is_never_read(kind: str, bidirectional: bool) -> None:
    layer, inputs = stepped(kind, bidirectional), sentences()
    spoilt = inputs.masked_fill((torch.arange(inputs.size(1)) >= LENGTHS.unsqueeze(1)).unsqueeze(-1), math.nan)
    torch.testing.assert_close(layer(packed(spoilt))[0].data, layer(packed(inputs))[0].data, rtol=0, atol=0)


def test_sentences_packed_in_order_of_length() -> None:
    """Such a PackedSequence has no order to undo."""
    layer, order = stepped("ln_lstm", True), LENGTHS.argsort(descending=True, stable=True)
    sorted_inputs = pack_padded_sequence(sentences()[order], LENGTHS[order], batch_first=True)
    assert sorted_inputs.sorted_indices is None
    found, (hidden, memory) = layer(sorted_inputs)
    expected, (expected_hidden, expected_memory) = layer(packed(sentences()))
    torch.testing.assert_close(found.data, expected.data, **EXACT)
    torch.testing.assert_close(hidden, expected_hidden[:, order], **EXACT)
    torch.testing.assert_close(memory, expected_memory[:, order], **EXACT)


@every_kind
def test_a_whole_target_equals_its_steps(kind: str) -> None:
    layer, inputs = stepped(kind, False), sentences()
    expected, final = layer(inputs, state := start(layer, 1))
    for position in range(inputs.size(1)):
        found, state = layer(inputs[:, position : position + 1], state)
        torch.testing.assert_close(found, expected[:, position : position + 1], **EXACT)
    torch.testing.assert_close(state, final, **EXACT)


@every_kind
@both_directions
def test_gradients_are_those_of_differences(kind: str, bidirectional: bool) -> None:
    layer = stepped(kind, bidirectional)
    names = [name for name, _ in layer.named_parameters()]

    def run(inputs: Tensor, *parameters: Tensor) -> tuple[Tensor, ...]:
        sequence = packed(inputs, torch.tensor([2, 3]))
        outputs, final = torch.func.functional_call(layer, dict(zip(names, parameters, strict=True)), (sequence,))
        return (outputs.data, *(final if isinstance(final, tuple) else (final,)))

    inputs = sentences()[:2, :3].clone().requires_grad_()
    assert torch.autograd.gradcheck(run, (inputs, *layer.parameters()), fast_mode=True)


@every_kind
def test_half_precision_products(kind: str) -> None:
    layer = stepped(kind, True).float()
    expected, _ = layer(packed(sentences().float()))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found, _ = layer(packed(sentences().float()))
    torch.testing.assert_close(found.data.float(), expected.data, rtol=0, atol=0.1)
    found.data.float().sum().backward()
    assert all(parameter.grad.isfinite().all() for parameter in layer.parameters())


# The formulas --------------------------------------------------------------------------------------------------------


def sigmoid(x: float) -> float:
    return 1 / (1 + math.exp(-x))


def test_a_step_of_the_layer_normalised_lstm() -> None:
    """Two units, so that a gate's sums become 1 and -1, but for the 1e-5 that is added to the variance."""
    cell = LayerNormLSTMCell(1, 2).double()
    with torch.no_grad():
        cell.weight_ih.copy_(torch.tensor([[1.0], [0], [0], [2], [3], [1], [0], [0]]))
        cell.weight_hh.copy_(torch.tensor([[0.0, 1], [1, 0], [0, 0], [1, 1], [0, 0], [0, 0], [2, 0], [0, 2]]))
        cell.gain.copy_(torch.tensor([1.0, 1, 2, 2, 0.5, 1.5, 1, -1]))
        cell.bias_ih.copy_(torch.tensor([0.0, 0.5, 1, 1, 0, 0, -0.5, 0]))
    state = (torch.tensor([[1, -1]], dtype=torch.float64), torch.tensor([[0.3, -0.4]], dtype=torch.float64))
    hidden, memory = cell(cell.project(torch.tensor([[2.0]]).double()), state)
    # W x + U h with x = 2, h = (1, -1). Enter: (2 - 1, 0 + 1) = (1, 1), which normalises to zeros.
    # Keep: (0, 4 + 0) -> (-1, 1). New: (6, 2) -> (1, -1). Out: (2, -2) -> (1, -1).
    one = 2 / math.sqrt(4 + 1e-5)  # all three have a variance of 4
    enter, keep = (0.0, 0.5), (1 - 2 * one, 1 + 2 * one)
    new, out = (0.5 * one, -1.5 * one), (one - 0.5, one)
    expected_memory = [
        sigmoid(keep[unit]) * (0.3, -0.4)[unit] + sigmoid(enter[unit]) * math.tanh(new[unit]) for unit in (0, 1)
    ]
    expected_hidden = [sigmoid(out[unit]) * math.tanh(expected_memory[unit]) for unit in (0, 1)]
    assert memory[0].tolist() == pytest.approx(expected_memory, abs=1e-12)
    assert hidden[0].tolist() == pytest.approx(expected_hidden, abs=1e-12)


def test_scale_of_the_sums_does_not_matter_to_the_layer_normalised_lstm() -> None:
    layer = stepped("ln_lstm", False)
    expected, _ = layer(sentences())
    with torch.no_grad():
        for weight in (layer.forwards.weight_ih, layer.forwards.weight_hh):
            weight.view(4, -1)[1] *= 50  # the forget gate's
    torch.testing.assert_close(layer(sentences())[0], expected, rtol=0, atol=1e-4)


def test_a_step_with_transitions_is_a_chain_of_grus() -> None:
    """The first reads the input, the others get zeros, and the last one's state is the output and goes on."""
    layer = stepped("transitions=3", False)
    chain = [nn.GRUCell(INPUT, HIDDEN).double() for _ in range(3)]
    cell = layer.forwards
    assert isinstance(cell, TransitionGRUCell)
    for theirs, ours in zip(chain, (cell, *cell.others), strict=True):
        own = {name: tensor for name, tensor in ours.state_dict().items() if not name.startswith("others.")}
        theirs.load_state_dict({"weight_ih": torch.zeros(3 * HIDDEN, INPUT), **own})
    inputs, state = sentences(), torch.zeros(len(LENGTHS), HIDDEN, dtype=torch.float64)
    found, final = layer(inputs)
    for position in range(inputs.size(1)):
        for index, theirs in enumerate(chain):
            state = theirs(inputs[:, position] if index == 0 else torch.zeros_like(inputs[:, 0]), state)
        torch.testing.assert_close(found[:, position], state, **EXACT)
    torch.testing.assert_close(final[0], state, **EXACT)


# The table -----------------------------------------------------------------------------------------------------------


@both_directions
@pytest.mark.parametrize("cell", CELLS)
def test_every_cell_makes_a_layer_of_one_interface(cell: str, bidirectional: bool) -> None:
    layer, directions = make_layer(cell, INPUT, HIDDEN, bidirectional=bidirectional), 2 if bidirectional else 1
    state: State = tuple(torch.zeros(directions, 2, HIDDEN) for _ in range(state_parts(cell)))
    outputs, after = call_cell(layer, torch.randn(2, 3, INPUT), state)
    assert outputs.shape == (2, 3, directions * HIDDEN)
    assert [part.shape for part in after] == [(directions, 2, HIDDEN)] * state_parts(cell)
    assert layer.hidden_size == HIDDEN


def test_a_cell_is_a_line_of_the_table(monkeypatch: pytest.MonkeyPatch) -> None:
    """torch's LSTM under a name of its own: as many parts in its state, and the same results."""
    monkeypatch.setitem(CELLS, "mine", CELLS["lstm"]._replace(layer=partial(nn.LSTM, batch_first=True)))
    source, target = torch.tensor([[5, 6, 7, 3], [8, 3, 0, 0]]), torch.tensor([[2, 4, 9], [2, 6, 6]])
    found = []
    for cell in ("lstm", "mine"):
        torch.manual_seed(1)
        settings = ModelSettings(embedding=6, hidden=8, attention="dot", bridge="linear")
        model = make_model(settings.model_copy(update={"cell": cell}), 12, 12).eval()
        with torch.no_grad():
            found.append(model.generator.log_probs(model(source, target).features))
    torch.testing.assert_close(*found, rtol=0.0, atol=1e-5)


def test_only_a_gru_has_transitions_and_with_one_it_is_the_librarys() -> None:
    assert type(make_layer("gru", INPUT, HIDDEN, transitions=1)) is nn.GRU
    deep = make_layer("gru", INPUT, HIDDEN, transitions=4)
    assert isinstance(deep, Stepped) and isinstance(deep.forwards, TransitionGRUCell)
    assert len(deep.forwards.others) == 3
    assert isinstance(make_layer("lstm", INPUT, HIDDEN, transitions=4), nn.LSTM)
