"""Products in a loop over positions: what all positions share is prepared once, and gets its gradient once.

Each step uses the same weights, keys and values. By itself autograd would make, at every step, a gradient of their full
size out of a few rows, and add it to the last: a third of the arithmetic, at a fraction of the machine's speed. Here
a step's backward pass only notes its rows; after the last one a single product has them all.

Inside the loop rows stand as columns, (features, rows): a product W x of a large matrix and a few columns is up to
twice as fast as x W^T of a few rows (docs/benchmarks.md).
"""

import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

Uses = list[tuple[Tensor, Tensor]]  # (gradient of the product, other factor) of each step, noted in the backward pass
FEW = 8  # rows, up to which a product with a weight takes as long as reading it, in whatever order
MANY = 64  # rows, from which on making rows of the result takes what columns have won
T = TypeVar("T")
_loop = threading.local()


@contextmanager
def loop_over_positions() -> Iterator[None]:
    """Within this context the functions below prepare things once and put gradients off, unless types are mixed. A loop
    within a loop is part of it."""
    before = getattr(_loop, "kept", None)
    mixed = torch.is_autocast_enabled("cpu") or torch.is_autocast_enabled("cuda")
    _loop.kept = None if mixed else {} if before is None else before
    try:
        yield
    finally:
        _loop.kept = before


def in_a_loop() -> bool:
    return getattr(_loop, "kept", None) is not None


def _puts_off(factor: Tensor) -> bool:
    return in_a_loop() and torch.is_grad_enabled() and factor.requires_grad


def once(key: Hashable, make: Callable[[], T]) -> T:
    """What `make` gave at the first step of the loop."""
    kept: dict[Hashable, T] = _loop.kept
    if key not in kept:
        kept[key] = make()
    return kept[key]


def affine(
    columns: Float[Tensor, "input rows"], weight: Float[Tensor, "output input"], bias: Float[Tensor, " output"]
) -> Float[Tensor, "output rows"]:
    """W x + b for each column x."""
    if not _puts_off(weight):
        return torch.addmm(bias.unsqueeze(1), weight, columns)
    shared = once(("affine", _place(weight)), lambda: _SharedWeight.make(weight, bias))
    result: Tensor = _Affine.apply(columns, *shared)  # type: ignore[no-untyped-call]
    return result


def product(
    rows: Float[Tensor, "*batch rows size"], matrix: Float[Tensor, "*batch size out"]
) -> Float[Tensor, "*batch rows out"]:
    """rows @ matrix, one matrix for each of a batch."""
    if not _puts_off(matrix):
        return rows @ matrix
    shared = once(("product", _place(matrix)), lambda: _SharedBatch.make(matrix))
    result: Tensor = _Product.apply(rows, *shared)  # type: ignore[no-untyped-call]
    return result


def linear(
    inputs: Float[Tensor, "*rows input"], weight: Float[Tensor, "output input"], bias: Float[Tensor, " output"] | None
) -> Float[Tensor, "*rows output"]:
    """torch's; in a loop by columns where that is faster, the gradient of the weight put off."""
    rows = inputs.shape[:-1]
    by_columns = _puts_off(weight) or (in_a_loop() and FEW < rows.numel() <= MANY)
    if not by_columns:
        return nn.functional.linear(inputs, weight, bias)
    if bias is None:
        bias = once(("no bias", len(weight)), lambda: weight.new_zeros(len(weight)))
    outputs: Tensor = affine(inputs.flatten(0, -2).t().contiguous(), weight, bias).t().unflatten(0, rows)
    return outputs


class Linear(nn.Linear):
    """A layer that computes by `linear`."""

    def forward(self, inputs: Float[Tensor, "*rows input"]) -> Float[Tensor, "*rows output"]:
        return linear(inputs, self.weight, self.bias)


def _place(tensor: Tensor) -> Hashable:
    """Tells tensors apart, but not two views of the same, which are made anew at each step. What is kept stays alive
    until the loop ends, so its place is not taken by another."""
    return tensor.data_ptr(), tensor.shape, tensor.stride()


class _SharedWeight(torch.autograd.Function):
    """A weight and a bias as they are. Backwards this comes after all uses, whose gradients it forms."""

    @staticmethod
    def make(weight: Tensor, bias: Tensor) -> tuple[Tensor, Tensor, Tensor, Uses]:
        uses: Uses = []
        transposed = weight.detach().t().contiguous()
        weight, bias = _SharedWeight.apply(weight, bias, uses)  # type: ignore[no-untyped-call]
        return weight, bias, transposed, uses

    @staticmethod
    def forward(ctx: Any, weight: Tensor, bias: Tensor, uses: Uses) -> tuple[Tensor, Tensor]:
        ctx.uses = uses
        ctx.set_materialize_grads(False)
        return weight.view_as(weight), bias.view_as(bias)

    @staticmethod
    def backward(ctx: Any, *_: None) -> tuple[Tensor | None, Tensor | None, None]:
        if not ctx.uses:
            return None, None, None
        gradients, columns = (torch.cat(parts, dim=1) for parts in zip(*ctx.uses, strict=True))
        ctx.uses.clear()
        return gradients @ columns.t(), gradients.sum(dim=1), None


class _Affine(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, columns: Tensor, weight: Tensor, bias: Tensor, transposed: Tensor, uses: Uses) -> Tensor:
        ctx.save_for_backward(columns, transposed)
        ctx.uses = uses
        return torch.addmm(bias.unsqueeze(1), weight, columns)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None, None]:
        columns, transposed = ctx.saved_tensors
        gradient = gradient.contiguous()
        ctx.uses.append((gradient, columns))
        return transposed @ gradient, None, None, None, None


class _SharedBatch(torch.autograd.Function):
    """As `_SharedWeight`, for one matrix for each of a batch."""

    @staticmethod
    def make(matrix: Tensor) -> tuple[Tensor, Uses]:
        uses: Uses = []
        return _SharedBatch.apply(matrix, uses), uses  # type: ignore[no-untyped-call]

    @staticmethod
    def forward(ctx: Any, matrix: Tensor, uses: Uses) -> Tensor:
        ctx.uses = uses
        ctx.set_materialize_grads(False)
        return matrix.view_as(matrix)

    @staticmethod
    def backward(ctx: Any, *_: None) -> tuple[Tensor | None, None]:
        if not ctx.uses:
            return None, None
        gradients, rows = (torch.cat(parts, dim=-2) for parts in zip(*ctx.uses, strict=True))
        ctx.uses.clear()
        return rows.transpose(-2, -1) @ gradients, None


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, rows: Tensor, matrix: Tensor, uses: Uses) -> Tensor:
        ctx.save_for_backward(rows, matrix)
        ctx.uses = uses
        return rows @ matrix

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:
        rows, matrix = ctx.saved_tensors
        ctx.uses.append((gradient, rows))
        return gradient @ matrix.transpose(-2, -1), None, None
