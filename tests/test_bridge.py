"""Bridges: the decoder's first state, by hand."""

import math

import pytest
import torch

from nmt.config import ModelSettings
from nmt.model.bridge import BRIDGES, Bridge

# Two encoder layers, two sentences, two units; the second sentence has one real token.
HIDDEN = torch.tensor([[[1.0, 2.0], [3.0, 4.0]], [[0.5, -1.0], [0.25, 2.0]]])
CELL = HIDDEN + 10
ENCODED = torch.tensor([[[1.0, 0.0], [0.0, 3.0]], [[0.5, 0.5], [99.0, 99.0]]])
MASK = torch.tensor([[True, True], [True, False]])


def bridge(name: str, cell: str, decoder_layers: int) -> Bridge:
    torch.manual_seed(0)
    return BRIDGES[name](
        ModelSettings(bridge=name, cell=cell, hidden=2, encoder_layers=2, decoder_layers=decoder_layers)
    )


def set_linear(module: torch.nn.Module, weight: list[list[float]], bias: list[float]) -> None:
    with torch.no_grad():
        module.weight.copy_(torch.tensor(weight))
        module.bias.copy_(torch.tensor(bias))


@pytest.mark.parametrize(("cell", "state"), [("gru", (HIDDEN,)), ("lstm", (HIDDEN, CELL))])
def test_copy(cell: str, state: tuple[torch.Tensor, ...]) -> None:
    found = bridge("copy", cell, 2)(state, ENCODED, MASK)
    assert [part.tolist() for part in found] == [part.tolist() for part in state]


@pytest.mark.parametrize(("cell", "state"), [("rnn", (HIDDEN,)), ("lstm", (HIDDEN, CELL))])
def test_zero(cell: str, state: tuple[torch.Tensor, ...]) -> None:
    found = bridge("zero", cell, 3)(state, ENCODED, MASK)
    assert [part.tolist() for part in found] == [[[[0.0, 0.0], [0.0, 0.0]]] * 3] * len(state)


def test_linear_reads_the_top_layer() -> None:
    """tanh(W s + b): the first two rows of W make the first layer's state, the others the second's."""
    module = bridge("linear", "gru", 2)
    set_linear(module.parts[0], [[1.0, 0.0], [0.0, 1.0], [0.5, 0.5], [2.0, -1.0]], [0.0, 0.1, 0.0, -0.2])
    (found,) = module((HIDDEN,), ENCODED, MASK)
    assert found.shape == (2, 2, 2)
    tanh = math.tanh
    assert found[0].flatten().tolist() == pytest.approx([tanh(0.5), tanh(-0.9), tanh(0.25), tanh(2.1)])
    assert found[1].flatten().tolist() == pytest.approx([tanh(-0.25), tanh(1.8), tanh(1.125), tanh(-1.7)])


def test_linear_has_a_matrix_for_each_part_of_an_lstms_state() -> None:
    module = bridge("linear", "lstm", 1)
    set_linear(module.parts[0], [[1.0, 0.0], [0.0, 0.0]], [0.0, 0.0])
    set_linear(module.parts[1], [[0.0, 0.0], [0.0, 0.1]], [0.0, 0.0])
    hidden, cell = module((HIDDEN, CELL), ENCODED, MASK)
    assert hidden.flatten().tolist() == pytest.approx([math.tanh(0.5), 0.0, math.tanh(0.25), 0.0])
    assert cell.flatten().tolist() == pytest.approx([0.0, math.tanh(0.9), 0.0, math.tanh(1.2)])


def test_mean_leaves_padding_out() -> None:
    module = bridge("mean", "gru", 1)
    set_linear(module.parts[0], [[1.0, 0.0], [1.0, 1.0]], [0.0, 0.5])
    (found,) = module((HIDDEN,), ENCODED, MASK)
    # means: [0.5, 1.5] and [0.5, 0.5]
    expected = [math.tanh(0.5), math.tanh(2.5), math.tanh(0.5), math.tanh(1.5)]
    assert found.flatten().tolist() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("name", "layers"), [(name, layers) for name in BRIDGES for layers in (1, 2, 3) if name != "copy" or layers == 2]
)
def test_every_bridge_gives_a_state_for_each_layer(name: str, layers: int) -> None:
    found = bridge(name, "lstm", layers)((HIDDEN, CELL), ENCODED, MASK)
    assert [part.shape for part in found] == [(layers, 2, 2)] * 2
