"""Cross-entropy of the output layer, a few rows at a time, so that all logits are never in memory at once.

The gradient of a chunk is the softmax of its logits minus the target distribution. It is computed in the memory of the
logits during the forward pass; the backward pass only scales it, in place, so it runs once. This also saves the memory
traffic of a separate log-softmax and its gradient. In bf16 the products are rounded; softmax, loss and the sum of the
weight's gradient are not.
"""

from itertools import zip_longest
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from jaxtyping import Float, Int
from torch import Tensor, nn

from nmt.kernels.choice import uses
from nmt.kernels.deferred_gradients import compute_dtype

CHUNK = 2**21  # logits at a time, 8 MB: they stay in a cache
WIDENED = 2**19  # logits that are converted from bf16 to float32 at a time, 2 MB
CHUNK_OF_PRODUCTS = 2**23  # logits in bf16 at a time: the gradient of the weight is added up once for all of them
CHUNK_ON_GPU = 2**27  # logits at a time on a GPU, which has the memory and needs few, large kernels


class TargetDistribution(NamedTuple):
    """Hold the target distribution of each row: probabilities of some tokens, and a rest spread evenly over the
    vocabulary."""

    pieces: Int[Tensor, "rows some"]  # one may come twice: its shares are added
    shares: Float[Tensor, "rows some"]
    rest: Float[Tensor, "rows 1"] | None = None  # None: nothing is left

    def split(self, size: int) -> "list[TargetDistribution]":
        """Split the rows into chunks of `size`."""
        parts = [() if part is None else part.split(size) for part in self]
        return [TargetDistribution(*chunk) for chunk in zip_longest(*parts)]


def smoothed(targets: Int[Tensor, " rows"], label_smoothing: float) -> TargetDistribution:
    """Return label-smoothed targets: 1 - e for the reference, e spread evenly (Szegedy et al. 2016)."""
    every = torch.ones(len(targets), 1, device=targets.device)
    return TargetDistribution(
        targets.unsqueeze(1), (1 - label_smoothing) * every, label_smoothing * every if label_smoothing else None
    )


def with_soft_targets(
    target: TargetDistribution, pieces: Int[Tensor, "rows best"], probs: Float[Tensor, "rows best"], share: float
) -> TargetDistribution:
    """Mix 1 - `share` of `target` with `share` of the teachers' distribution (Hinton et al. 2015).

    The teachers' probability that is not in `probs` is spread evenly over the vocabulary.
    """
    rest = share * (1 - probs.sum(dim=1, keepdim=True))
    if target.rest is not None:
        rest += (1 - share) * target.rest
    shares = torch.cat([(1 - share) * target.shares, share * probs], dim=1)
    return TargetDistribution(torch.cat([target.pieces, pieces], dim=1), shares, rest)


def cross_entropy(
    rows: Float[Tensor, "rows features"], output: nn.Linear, target: TargetDistribution
) -> Float[Tensor, ""]:
    """Return the cross-entropy of output(rows) against `target`, in nats, summed over the rows."""
    chunk = CHUNK if rows.device.type == "cpu" else CHUNK_ON_GPU
    size = max(1, chunk // output.out_features)
    dtype = compute_dtype(output.weight)
    fast = torch.is_grad_enabled() and uses("cross_entropy")
    if fast and dtype == output.weight.dtype:
        loss: Tensor = _CrossEntropy.apply(rows, output.weight, output.bias, target, size)  # type: ignore[no-untyped-call]
        return loss
    if fast and dtype == torch.bfloat16:
        if rows.device.type == "cpu":
            size = max(1, WIDENED // output.out_features)
        wide = max(size, CHUNK_OF_PRODUCTS // output.out_features)
        rounded: Tensor = _RoundedCrossEntropy.apply(rows, output.weight, output.bias, target, size, wide)  # type: ignore[no-untyped-call]
        return rounded
    losses = []
    for part, wanted in zip(rows.split(size), target.split(size), strict=True):
        logits = output(part)
        logits = logits.to(torch.promote_types(logits.dtype, torch.float32))  # at least 32 bits
        log_probs = F.log_softmax(logits, dim=1)  # (rows, vocab)
        linear = (wanted.shares * log_probs.gather(1, wanted.pieces)).sum(dim=1, keepdim=True)
        if wanted.rest is not None:
            linear += wanted.rest * log_probs.mean(dim=1, keepdim=True)
        losses.append(-linear.sum())
    return torch.stack(losses).sum()


class _CrossEntropy(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, weight: Tensor, bias: Tensor, target: TargetDistribution, size: int) -> Tensor:
        loss = rows.new_zeros(())
        of_rows, of_weight, of_bias = torch.empty_like(rows), torch.empty_like(weight), torch.zeros_like(bias)
        space = rows.new_empty(min(size, rows.size(0)), weight.size(0))
        parts = zip(rows.split(size), target.split(size), of_rows.split(size), strict=True)
        for index, (part, chunk_target, place) in enumerate(parts):
            logits = torch.addmm(bias, part, weight.t(), out=space[: part.size(0)])
            losses, slopes = _slopes(logits, chunk_target)
            loss += losses.sum()
            torch.mm(slopes, weight, out=place)
            torch.addmm(of_weight, slopes.t(), part, beta=min(index, 1), out=of_weight)  # the first chunk begins it
            of_bias += slopes.sum(dim=0)
        ctx.save_for_backward(of_rows, of_weight, of_bias)
        return loss

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        return (*(part.mul_(gradient) for part in ctx.saved_tensors), None, None)


class _RoundedCrossEntropy(torch.autograd.Function):
    """Compute the same with products in bf16: those of `wide` rows at a time, softmax and loss of `size` rows at a time
    in float32."""

    @staticmethod
    def forward(
        ctx: Any, rows: Tensor, weight: Tensor, bias: Tensor, target: TargetDistribution, size: int, wide: int
    ) -> Tensor:
        rounded = weight.to(torch.bfloat16)
        with torch.autocast(rows.device.type, enabled=False):
            loss = weight.new_zeros(())
            of_rows = torch.empty_like(rows, dtype=torch.bfloat16)
            of_weight, of_bias = torch.empty_like(weight), torch.zeros_like(bias)
            parts = zip(rows.to(torch.bfloat16).split(wide), target.split(wide), of_rows.split(wide), strict=True)
            for index, (part, part_target, place) in enumerate(parts):
                logits = part @ rounded.t()  # (wide, vocab), which becomes the slopes
                for some, some_target in zip(logits.split(size), part_target.split(size), strict=True):
                    losses, slopes = _slopes(some.float().add_(bias), some_target)
                    loss += losses.sum()
                    of_bias += slopes.sum(dim=0)
                    some.copy_(slopes)
                torch.mm(logits, rounded, out=place)
                product = logits.t() @ part
                of_weight = of_weight.add_(product) if index else of_weight.copy_(product)
        ctx.save_for_backward(of_rows, of_weight, of_bias)
        ctx.dtype = rows.dtype
        return loss

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        of_rows, of_weight, of_bias = ctx.saved_tensors
        scaled = (of_rows.to(ctx.dtype).mul_(gradient), of_weight.mul_(gradient), of_bias.mul_(gradient))
        return (*scaled, None, None, None)


def _slopes(
    logits: Float[Tensor, "rows vocab"], target: TargetDistribution
) -> tuple[Float[Tensor, "rows 1"], Float[Tensor, "rows vocab"]]:
    """Return the losses, and their derivatives in the memory of the logits.

    With probabilities s_v and the rest r, the loss is log sum exp(l) - sum_v s_v l_v - r mean(l), and its derivative is
    softmax(l) - s - r / |V|.
    """
    shares = target.shares.to(logits.dtype)
    largest = logits.amax(dim=1, keepdim=True)
    linear = (shares * logits.gather(1, target.pieces)).sum(dim=1, keepdim=True)
    if target.rest is not None:
        linear += target.rest * logits.mean(dim=1, keepdim=True)
    slopes = logits.sub_(largest).exp_()
    total = slopes.sum(dim=1, keepdim=True)
    slopes.mul_(total.reciprocal())
    if target.rest is not None:
        slopes.sub_(target.rest / logits.size(1))
    slopes.scatter_add_(1, target.pieces, -shares)
    return largest + total.log() - linear, slopes
