"""The output layer's loss in chunks against the plain one: equal losses, equal gradients, little memory."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from nmt.kernels import cross_entropy as module
from nmt.kernels.cross_entropy import cross_entropy, smoothed, with_soft_targets

ROWS, FEATURES, VOCAB = 7, 5, 11


@pytest.fixture
def output() -> nn.Linear:
    torch.manual_seed(1)
    return nn.Linear(FEATURES, VOCAB).double()


@pytest.mark.parametrize("chunk", [1, 2 * VOCAB, 7 * VOCAB, 1000])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_equal_to_the_plain_one(output, monkeypatch, chunk: int, smoothing: float) -> None:
    monkeypatch.setattr(module, "CHUNK", chunk)
    rows = (30 * torch.randn(ROWS, FEATURES, dtype=torch.float64)).requires_grad_()
    targets = torch.randint(VOCAB, (ROWS,))
    plain = F.cross_entropy(output(rows), targets, label_smoothing=smoothing, reduction="sum")
    found = cross_entropy(rows, output, smoothed(targets, smoothing))
    with torch.no_grad():
        torch.testing.assert_close(cross_entropy(rows, output, smoothed(targets, smoothing)), plain)
    torch.testing.assert_close(found, plain)
    wanted = [rows, output.weight, output.bias]
    for one, other in zip(torch.autograd.grad(3 * found, wanted), torch.autograd.grad(3 * plain, wanted), strict=True):
        torch.testing.assert_close(one, other, rtol=0.0, atol=1e-5 if smoothing else 1e-10)  # shares have 32 bits


@pytest.mark.parametrize("chunk", [1, 2 * VOCAB, 1000])
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_teachers_have_their_share(output, monkeypatch, chunk: int, smoothing: float) -> None:
    """Written out: (1 - w) ((1 - e) truth + e / V) + w (their best pieces, and the rest of them / V)."""
    monkeypatch.setattr(module, "CHUNK", chunk)
    rows = torch.randn(ROWS, FEATURES, dtype=torch.float64).requires_grad_()
    targets = torch.randint(VOCAB, (ROWS,))
    probs, pieces = (3 * torch.randn(ROWS, VOCAB)).softmax(dim=1).topk(4)
    theirs = torch.zeros(ROWS, VOCAB).scatter(1, pieces, probs) + (1 - probs.sum(dim=1, keepdim=True)) / VOCAB
    truth = (1 - smoothing) * F.one_hot(targets, VOCAB) + smoothing / VOCAB
    plain = -((0.3 * truth + 0.7 * theirs) * output(rows).log_softmax(dim=1)).sum()
    wanted = with_soft_targets(smoothed(targets, smoothing), pieces, probs, 0.7)
    found = cross_entropy(rows, output, wanted)
    with torch.no_grad():
        torch.testing.assert_close(cross_entropy(rows, output, wanted), plain, rtol=1e-6, atol=0.0)
    torch.testing.assert_close(found, plain, rtol=1e-6, atol=0.0)
    learnt = [rows, output.weight, output.bias]
    for one, other in zip(torch.autograd.grad(found, learnt), torch.autograd.grad(plain, learnt), strict=True):
        torch.testing.assert_close(one, other, rtol=0.0, atol=1e-6)


def test_no_logit_is_too_large(output) -> None:
    rows = torch.full((2, FEATURES), 1e4, dtype=torch.float64, requires_grad=True)
    assert cross_entropy(rows, output, smoothed(torch.tensor([3, 4]), 0.0)).isfinite()


def test_what_is_not_a_number_stays_so(output) -> None:
    rows = torch.full((2, FEATURES), float("nan"), dtype=torch.float64, requires_grad=True)
    assert cross_entropy(rows, output, smoothed(torch.tensor([3, 4]), 0.0)).isnan()


def test_logits_are_never_all_there(output, monkeypatch) -> None:
    monkeypatch.setattr(module, "CHUNK", 2 * VOCAB)
    sizes = []
    real = module._slopes
    monkeypatch.setattr(module, "_slopes", lambda logits, *rest: (sizes.append(len(logits)), real(logits, *rest))[1])
    rows = torch.randn(ROWS, FEATURES, dtype=torch.float64, requires_grad=True)
    cross_entropy(rows, output, smoothed(torch.arange(ROWS), 0.0))
    assert sizes == [2, 2, 2, 1]
