"""Dropout: how often, how much, and that a seed decides."""

import pytest
import torch
from torch import nn

from nmt.model.dropout import SequenceDropout, dropout


@pytest.mark.parametrize("rate", [0.05, 0.1, 0.3, 0.5, 0.9])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float64])
def test_numbers_are_dropped_at_the_rate_and_the_mean_stays(rate: float, dtype: torch.dtype) -> None:
    torch.manual_seed(1)
    count = 200_003  # not a multiple of what one drawn number decides
    dropped = dropout(torch.ones(count, dtype=dtype), rate)
    zeros = float((dropped == 0).float().mean())
    assert zeros == pytest.approx(rate, abs=5 * (rate * (1 - rate) / count) ** 0.5)
    kept = dropped[dropped != 0]
    assert len(set(kept.tolist())) == 1
    assert float(kept[0]) == pytest.approx(1 / (1 - rate), rel=1e-2 if dtype == torch.bfloat16 else 2e-4)


def test_each_place_is_dropped_by_itself() -> None:
    """The four decisions from one drawn number, and numbers that follow each other, know nothing of each other."""
    torch.manual_seed(2)
    kept = (dropout(torch.ones(400_000), 0.3) != 0).double() - 0.7
    for distance in (1, 2, 3, 4, 5, 8, 64):
        correlation = float((kept[:-distance] * kept[distance:]).mean()) / 0.21
        assert abs(correlation) < 5 / 400_000**0.5, distance
    places = kept.view(-1, 4).mean(dim=0)
    assert float(places.abs().max()) < 5 * (0.21 / 100_000) ** 0.5


def test_a_seed_decides_whatever_the_number_of_threads() -> None:
    inputs, threads = torch.randn(64, 9, 33), torch.get_num_threads()
    found = []
    try:
        for count in (1, 2):
            torch.set_num_threads(count)
            torch.manual_seed(3)
            found.append(dropout(inputs, 0.2))
    finally:
        torch.set_num_threads(threads)
    assert torch.equal(*found)
    assert not torch.equal(dropout(inputs, 0.2), found[0])


def test_the_gradient_has_the_mask_of_the_output() -> None:
    torch.manual_seed(4)
    inputs = torch.randn(5, 7, 11, requires_grad=True)
    outputs = dropout(inputs, 0.4)
    outputs.sum().backward()
    assert inputs.grad is not None
    assert torch.equal(inputs.grad * inputs, outputs)
    assert torch.equal(inputs.grad == 0, outputs == 0)


def test_a_variational_mask_is_the_same_at_all_positions() -> None:
    torch.manual_seed(5)
    layer, inputs = SequenceDropout(0.5, variational=True), torch.ones(4, 6, 50)
    outputs = layer(inputs)
    assert torch.equal(outputs, outputs[:, :1].expand_as(outputs))
    assert not torch.equal(outputs[0], outputs[1])
    held = layer.mask(4, 50, inputs)
    assert held is not None and torch.equal(layer(inputs, held), inputs * held)


@pytest.mark.parametrize("layer", [SequenceDropout(0.5, variational=False), SequenceDropout(0.0, variational=True)])
def test_nothing_is_dropped_outside_training_or_at_rate_0(layer: nn.Module) -> None:
    inputs = torch.randn(3, 4, 5)
    assert torch.equal(layer.eval()(inputs), inputs)
    if not layer.rate:
        assert torch.equal(layer.train()(inputs), inputs)
