"""Cross-entropy of the output layer, a few rows at a time: the logits of all target tokens are never there at once.

A chunk's gradient is the softmax of its logits less the truth, so it is formed while the chunk is at hand, in the
memory of its logits; the backward pass only scales what is there. Beside memory this saves the passes that a separate
log-softmax and its gradient take through it.
"""

from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

CHUNK = 2**21  # logits at a time, 8 MB: they stay in a cache


def cross_entropy(
    rows: Float[Tensor, "rows features"],
    output: nn.Linear,
    targets: Int[Tensor, " rows"],
    label_smoothing: float,
) -> Float[Tensor, ""]:
    """Sum over the rows, in nats, of output(rows) against the targets.

    With label smoothing e: (1 - e) of the truth, e of all pieces alike (Szegedy et al. 2016).
    """
    size = max(1, CHUNK // output.out_features)
    mixed = torch.is_autocast_enabled(rows.device.type)
    if torch.is_grad_enabled() and not mixed:
        loss: Tensor = _CrossEntropy.apply(rows, output.weight, output.bias, targets, label_smoothing, size)  # type: ignore[no-untyped-call]
        return loss
    losses = [
        F.cross_entropy(_exact(output(part)), truth, label_smoothing=label_smoothing, reduction="sum")
        for part, truth in zip(rows.split(size), targets.split(size), strict=True)
    ]
    return torch.stack(losses).sum()


def _exact(logits: Float[Tensor, "rows vocab"]) -> Float[Tensor, "rows vocab"]:
    """In 32 bits at the least."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


class _CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, rows: Tensor, weight: Tensor, bias: Tensor, targets: Tensor, label_smoothing: float, size: int
    ) -> Tensor:
        loss = rows.new_zeros(())
        of_rows, of_weight, of_bias = torch.empty_like(rows), torch.zeros_like(weight), torch.zeros_like(bias)
        space = rows.new_empty(min(size, rows.size(0)), weight.size(0))
        for part, truth, place in zip(rows.split(size), targets.split(size), of_rows.split(size), strict=True):
            logits = torch.addmm(bias, part, weight.t(), out=space[: part.size(0)])
            losses, slopes = _slopes(logits, truth.unsqueeze(1), label_smoothing)
            loss += losses.sum()
            torch.mm(slopes, weight, out=place)
            torch.addmm(of_weight, slopes.t(), part, out=of_weight)
            of_bias += slopes.sum(dim=0)
        ctx.save_for_backward(of_rows, of_weight, of_bias)
        return loss

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        return (*(part * gradient for part in ctx.saved_tensors), None, None, None)


def _slopes(
    logits: Float[Tensor, "rows vocab"], truth: Int[Tensor, "rows 1"], label_smoothing: float
) -> tuple[Float[Tensor, "rows 1"], Float[Tensor, "rows vocab"]]:
    """Losses, and their derivatives in the place of the logits.

    The loss is log sum exp(l) - (1 - e) l_t - e mean(l), its derivative softmax(l) - (1 - e) [v = t] - e / |V|.
    """
    share = label_smoothing / logits.size(1)
    largest = logits.amax(dim=1, keepdim=True)
    linear = (1 - label_smoothing) * logits.gather(1, truth)
    if label_smoothing:
        linear += label_smoothing * logits.mean(dim=1, keepdim=True)
    slopes = logits.sub_(largest).exp_()
    total = slopes.sum(dim=1, keepdim=True)
    slopes.mul_(total.reciprocal())
    if label_smoothing:
        slopes.sub_(share)
    slopes.scatter_add_(1, truth, torch.full_like(total, label_smoothing - 1))
    return largest + total.log() - linear, slopes
