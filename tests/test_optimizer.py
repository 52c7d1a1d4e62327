"""Optimizers, clipping and the moving average, by hand."""

import math

import pytest
import torch
from torch import nn

from nmt.config import TrainingSettings
from nmt.training.optimizer import clip_gradients, make_optimizer, set_learning_rate, update_average


class Two(nn.Module):
    """Two parameters, 1 and (-2, 3); the gradients are set by the test."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Parameter(torch.tensor([1.0]))
        self.b = nn.Parameter(torch.tensor([-2.0, 3.0]))

    def gradients(self, a: float, b: list[float]) -> None:
        self.a.grad, self.b.grad = torch.tensor([a]), torch.tensor(b)

    def values(self) -> list[float]:
        return [*self.a.tolist(), *self.b.tolist()]


def steps(gradients: list[tuple[float, list[float]]], rate: float, **changes) -> list[float]:
    model = Two()
    optimizer = make_optimizer(model, TrainingSettings(**changes))
    for a, b in gradients:
        set_learning_rate(optimizer, rate)
        model.gradients(a, b)
        optimizer.step()
    return model.values()


FIRST, SECOND = (0.5, [-0.1, 0.0]), (-1.0, [0.3, 0.2])


def test_adam_by_hand() -> None:
    """The first step is the rate times the sign of the gradient, whatever its size; nothing for no gradient."""
    assert steps([FIRST], 0.01, optimizer="adam") == pytest.approx([0.99, -1.99, 3.0], abs=1e-6)
    # second step, first parameter: m = 0.9 * 0.05 - 0.1 = -0.055, corrected by 1 - 0.81 = 0.19: -0.2894737;
    # v = 0.98 * 0.005 + 0.02 = 0.0249, corrected by 1 - 0.9604 = 0.0396: 0.6287879, its root 0.7929615
    expected = 0.99 + 0.01 * 0.2894737 / 0.7929615
    assert steps([FIRST, SECOND], 0.01, optimizer="adam", betas=[0.9, 0.98])[0] == pytest.approx(expected, abs=1e-6)


def test_adam_adds_weight_decay_to_the_gradient() -> None:
    """Without a gradient the decay alone gives it a sign: every weight moves by the rate towards zero."""
    found = steps([(0.0, [0.0, 0.0])], 0.01, optimizer="adam", weight_decay=0.1)
    assert found == pytest.approx([0.99, -1.99, 2.99], abs=1e-6)


def test_adamw_decays_apart_from_the_gradient() -> None:
    """w (1 - rate * decay), and then Adam's step."""
    found = steps([FIRST], 0.01, optimizer="adamw", weight_decay=0.1)
    assert found == pytest.approx([0.999 - 0.01, -1.998 + 0.01, 2.997], abs=1e-6)


def test_sgd_by_hand() -> None:
    assert steps([FIRST], 0.1, optimizer="sgd") == pytest.approx([0.95, -1.99, 3.0])
    # momentum 0.5: the second move is 0.1 (0.5 * 0.5 - 1.0) = -0.075, so 0.95 + 0.075
    found = steps([FIRST, SECOND], 0.1, optimizer="sgd", momentum=0.5)
    assert found == pytest.approx([1.025, -1.99 - 0.1 * (0.5 * -0.1 + 0.3), 2.98])
    assert steps([FIRST], 0.1, optimizer="sgd", weight_decay=0.2) == pytest.approx(
        [1 - 0.1 * 0.7, -2 + 0.1 * 0.5, 3 - 0.1 * 0.6]
    )


def test_the_learning_rate_is_set_for_each_step() -> None:
    model = Two()
    optimizer = make_optimizer(model, TrainingSettings(optimizer="sgd"))
    for rate in (0.1, 0.01):
        set_learning_rate(optimizer, rate)
        model.gradients(1.0, [0.0, 0.0])
        optimizer.step()
    assert model.values()[0] == pytest.approx(1 - 0.1 - 0.01)


def test_clipping_scales_all_gradients_together() -> None:
    model = Two()
    model.gradients(3.0, [0.0, 4.0])
    assert clip_gradients(model, 2.0) == pytest.approx(5.0)
    assert [*model.a.grad.tolist(), *model.b.grad.tolist()] == pytest.approx([1.2, 0.0, 1.6], abs=1e-5)


@pytest.mark.parametrize("norm", [0.0, 6.0])
def test_no_clipping(norm: float) -> None:
    """0 switches it off, and a smaller gradient stays as it is; the norm is told all the same."""
    model = Two()
    model.gradients(3.0, [0.0, 4.0])
    assert clip_gradients(model, norm) == pytest.approx(5.0)
    assert [*model.a.grad.tolist(), *model.b.grad.tolist()] == [3.0, 0.0, 4.0]


@pytest.mark.parametrize("norm", [0.0, 1.0])
def test_a_gradient_that_is_not_finite_shows_in_the_norm(norm: float) -> None:
    model = Two()
    for value in (math.nan, math.inf):
        model.gradients(1.0, [value, 1.0])
        assert not math.isfinite(clip_gradients(model, norm))


@pytest.mark.parametrize(
    ("step", "decay", "expected"),
    [
        (0, 0.999, 0.1),  # the decay is (1 + 0) / (10 + 0) at first
        (8, 0.999, 0.5),
        (90, 0.5, 0.5),  # and never more than was asked for
        (10**7, 0.9, 0.9),
    ],
)
def test_moving_average(step: int, decay: float, expected: float) -> None:
    average, weights = {"w": torch.tensor([10.0, 0.0])}, {"w": torch.tensor([0.0, 10.0])}
    update_average(average, weights, decay, step)
    assert average["w"].tolist() == pytest.approx([10 * expected, 10 * (1 - expected)], abs=1e-5)
    assert weights["w"].tolist() == [0.0, 10.0]


def test_moving_average_goes_by_name() -> None:
    average = {"a": torch.zeros(1), "b": torch.zeros(1)}
    update_average(average, {"b": torch.tensor([2.0]), "a": torch.tensor([1.0])}, 0.5, 10**6)
    assert (average["a"].item(), average["b"].item()) == (0.5, 1.0)
