"""Layers over sentences of unequal lengths: the fast way equals packed sequences, and each sentence alone."""

from contextlib import nullcontext

import pytest
import torch
from torch import Tensor, nn

from nmt.kernels.choice import reference
from nmt.model.padding import run_layer
from nmt.model.recurrent import make_layer

LENGTHS = (7, 1, 4, 7, 2)
EXACT = {"rtol": 0.0, "atol": 1e-12}


def layer_and_inputs(cell: str, bidirectional: bool) -> tuple[nn.Module, Tensor, Tensor]:
    torch.manual_seed(1)
    layer = make_layer(cell, 3, 4, bidirectional=bidirectional).double()
    for weight in layer.parameters():
        nn.init.normal_(weight)  # far larger than in training, so that gates are open and shut
    mask = torch.arange(max(LENGTHS)) < torch.tensor(LENGTHS).unsqueeze(1)
    return layer, torch.randn(len(LENGTHS), max(LENGTHS), 3, dtype=torch.float64), mask


@pytest.mark.parametrize("bidirectional", [True, False])
def test_held_equals_packed_with_gradients(bidirectional: bool) -> None:
    layer, inputs, mask = layer_and_inputs("lstm", bidirectional)
    found = []
    for packed in (True, False):
        layer.zero_grad()
        given = inputs.clone().requires_grad_()
        with reference() if packed else nullcontext():
            outputs, (hidden, cell) = run_layer(layer, given, mask)
        (outputs.sin().sum() + hidden.exp().sum() + cell.pow(2).sum()).backward()
        found.append([outputs, hidden, cell, given.grad, *(weight.grad for weight in layer.parameters())])
    for packed, held in zip(*found, strict=True):
        torch.testing.assert_close(held, packed, **EXACT)


@pytest.mark.parametrize("bidirectional", [True, False])
@pytest.mark.parametrize("cell", ["rnn", "gru", "lstm"])
def test_a_sentence_is_what_it_is_alone(cell: str, bidirectional: bool) -> None:
    layer, inputs, mask = layer_and_inputs(cell, bidirectional)
    outputs, final = run_layer(layer, inputs, mask)
    for row, length in enumerate(LENGTHS):
        alone, states = layer(inputs[row : row + 1, :length])
        torch.testing.assert_close(outputs[row, :length], alone[0], **EXACT)
        assert not outputs[row, length:].any()
        for part, state in zip(final, states if isinstance(states, tuple) else (states,), strict=True):
            torch.testing.assert_close(part[row], state.transpose(0, 1).flatten(), **EXACT)


def test_whatever_stands_at_padding_changes_nothing() -> None:
    layer, inputs, mask = layer_and_inputs("lstm", True)
    before = run_layer(layer, inputs, mask)
    after = run_layer(layer, inputs.masked_fill(~mask.unsqueeze(-1), float("inf")), mask)
    torch.testing.assert_close(after, before, rtol=0.0, atol=0.0)


def test_single_positions_equal_the_whole() -> None:
    layer, inputs, _ = layer_and_inputs("lstm", False)
    state = (torch.randn(1, 5, 4, dtype=torch.float64), torch.randn(1, 5, 4, dtype=torch.float64))
    whole, end = layer(inputs, state)
    for position in range(inputs.size(1)):
        outputs, state = layer(inputs[:, position : position + 1], state)
        torch.testing.assert_close(outputs[:, 0], whole[:, position], **EXACT)
    torch.testing.assert_close(state, end, **EXACT)
