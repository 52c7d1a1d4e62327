"""Deferred gradients: the products of a loop over positions, whose weight gradients are formed once, after the loop.

Every step uses the same weights, keys and values. Left alone, autograd would build a full-size gradient from a few rows
at each step and accumulate it: a third of all arithmetic, in small inefficient products. Here the backward pass of a
step only records its rows; after the last step one large product computes the gradient. Weights are also packed once
for all steps (`packed.py`). Under autocast, as for training in bf16, weights, keys and values are rounded once for all
steps, and their gradients come back in float32.
"""

import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn

from nmt.kernels.choice import uses
from nmt.kernels.packed import Packed, Product, cache_for, is_worthwhile

# (gradient of the product, other factor) of each step, recorded in the backward pass
Uses = list[tuple[Tensor, Tensor]]
T = TypeVar("T")
_scope = threading.local()


@contextmanager
def deferred_gradients() -> Iterator[None]:
    """Defer gradients: within this context the functions below prepare shared tensors once, and form the
    gradients of weights after the last step. A nested context is part of the outer one."""
    before = getattr(_scope, "kept", None)
    _scope.kept = {} if before is None else before
    try:
        yield
    finally:
        _scope.kept = before


def is_deferring() -> bool:
    """Return whether this is within `deferred_gradients`."""
    return getattr(_scope, "kept", None) is not None


def compute_dtype(tensor: Tensor) -> torch.dtype:
    """Return the type that products with this tensor are computed in: autocast's, where it applies."""
    kind = tensor.device.type
    if tensor.dtype == torch.float64 or tensor.is_meta or not torch.is_autocast_enabled(kind):
        return tensor.dtype
    return torch.get_autocast_dtype(kind)


def is_deferred(factor: Tensor) -> bool:
    """Return whether the gradient of this tensor is formed after the loop."""
    return is_deferring() and torch.is_grad_enabled() and factor.requires_grad and uses("deferred")


def memoize(key: Hashable, make: Callable[[], T]) -> T:
    """Return what `make` returned the first time within this context."""
    kept: dict[Hashable, T] = _scope.kept
    if key not in kept:
        kept[key] = make()
    return kept[key]


def linear(
    inputs: Float[Tensor, "*rows input"], weight: Float[Tensor, "output input"], bias: Float[Tensor, " output"] | None
) -> Float[Tensor, "*rows output"]:
    """Compute as torch's `linear`; when deferring, with a packed weight where that is faster and a deferred
    gradient."""
    if is_deferred(weight):
        return _deferred_linear(inputs, weight, bias)
    packed = packed_product(inputs.numel() // inputs.size(-1), (weight,), (bias,))
    return nn.functional.linear(inputs, weight, bias) if packed is None else packed(inputs)


def _deferred_linear(inputs: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    rows, dtype = inputs.shape[:-1], compute_dtype(weight)
    key = ("linear", _storage_key(weight), dtype, rows.numel())
    shared = memoize(key, lambda: _SharedWeight.make(weight, bias, rows.numel(), dtype))
    outputs = _Linear.apply(inputs.flatten(0, -2).to(dtype), *shared)  # type: ignore[no-untyped-call]
    result: Tensor = outputs.unflatten(0, rows)
    return result


def packed_product(rows: int, weights: tuple[Tensor, ...], biases: tuple[Tensor | None, ...]) -> Product | None:
    """Return a function that computes x W^T + b with a packed W, for inputs x with `rows` rows.

    W is the concatenation of `weights` along the input dimension, and b is the sum of `biases`. Return None where the
    plain product is at least as fast, outside a loop over positions, and where gradients are needed: a packed product
    has no gradient, not even for its inputs.

    The choice is made once for a loop. Within `cached_packing`, packed weights outlive the loop.
    """
    kept: dict[Hashable, Any] | None = getattr(_scope, "kept", None)
    if kept is None or torch.is_grad_enabled():
        return None
    dtype = compute_dtype(weights[0])
    key = (rows, dtype, *map(id, weights), *map(id, biases))
    if key not in kept:  # weights and biases stay alive, so that ids are not used again
        kept[key] = weights, biases, _choose_product(rows, weights, biases, dtype)
    product: Product | None = kept[key][2]
    return product


def _choose_product(
    rows: int, weights: tuple[Tensor, ...], biases: tuple[Tensor | None, ...], dtype: torch.dtype
) -> Product | None:
    if not is_worthwhile(rows, weights[0], dtype, sum(weight.numel() for weight in weights)):
        return None
    factors = (*weights, *(bias for bias in biases if bias is not None))

    def pack() -> Packed:
        added = [bias for bias in biases if bias is not None]
        weight = weights[0] if len(weights) == 1 else torch.cat(weights, dim=1)  # (output, sum of inputs)
        return Packed(weight, sum(added[1:], start=added[0]) if added else None, dtype)

    cache = cache_for(factors)
    if cache is not None:
        return cache.get(dtype, factors, pack).for_rows(rows)
    return memoize(("packed", dtype, *map(id, weights), *map(id, biases)), pack).for_rows(rows)


def product(
    rows: Float[Tensor, "*batch rows size"], matrix: Float[Tensor, "*batch size out"]
) -> Float[Tensor, "*batch rows out"]:
    """Return rows @ matrix, one matrix for each of a batch."""
    if not is_deferred(matrix):
        return rows @ matrix
    on_cpu = matrix.device.type == "cpu"
    # In float32 on a CPU: with one row, torch's product of float32 takes half the time of that of bf16.
    dtype = torch.promote_types(matrix.dtype, torch.float32) if on_cpu else compute_dtype(matrix)
    shared = memoize(("product", _storage_key(matrix), dtype), lambda: _SharedBatch.make(matrix, dtype))
    with torch.autocast("cpu", enabled=False) if on_cpu else nullcontext():
        result: Tensor = _Product.apply(rows.to(dtype), *shared)  # type: ignore[no-untyped-call]
    return result


class Linear(nn.Linear):
    """Apply a linear layer by `linear`."""

    def forward(self, inputs: Float[Tensor, "*rows input"]) -> Float[Tensor, "*rows output"]:
        return linear(inputs, self.weight, self.bias)


def _storage_key(tensor: Tensor) -> Hashable:
    """Identify a tensor by address, shape and strides, so that equal views of one tensor share a key.

    What is kept stays alive until the context ends, so no address is reused.
    """
    return tensor.data_ptr(), tensor.shape, tensor.stride()


def _view_or_rounded(tensor: Tensor, dtype: torch.dtype) -> Tensor:
    return tensor.view_as(tensor) if tensor.dtype == dtype else tensor.to(dtype)


class _SharedWeight(torch.autograd.Function):
    """Pass a weight and a bias through. Its backward pass follows those of all uses, and forms the gradients."""

    @staticmethod
    def make(
        weight: Tensor, bias: Tensor | None, rows: int, dtype: torch.dtype
    ) -> tuple[Tensor, Tensor | None, Product | None, Uses]:
        """Return the arguments of `_Linear` that follow its inputs, which have `rows` rows."""
        uses: Uses = []
        packed = Packed(weight, bias, dtype).for_rows(rows) if is_worthwhile(rows, weight, dtype) else None
        weight, bias = _SharedWeight.apply(weight, bias, uses, dtype)  # type: ignore[no-untyped-call]
        return weight, bias, packed, uses

    @staticmethod
    def forward(
        ctx: Any, weight: Tensor, bias: Tensor | None, uses: Uses, dtype: torch.dtype
    ) -> tuple[Tensor, Tensor | None]:
        ctx.uses, ctx.dtype = uses, weight.dtype
        ctx.bias_dtype = None if bias is None else bias.dtype
        ctx.set_materialize_grads(False)
        return _view_or_rounded(weight, dtype), None if bias is None else _view_or_rounded(bias, dtype)

    @staticmethod
    def backward(ctx: Any, *_: None) -> tuple[Tensor | None, Tensor | None, None, None]:
        if not ctx.uses:
            return None, None, None, None
        # (steps * rows, output), (steps * rows, input)
        gradients, rows = (torch.cat(parts) for parts in zip(*ctx.uses, strict=True))
        ctx.uses.clear()
        of_bias = None if ctx.bias_dtype is None else gradients.sum(dim=0, dtype=ctx.bias_dtype)  # (output,)
        return (gradients.t() @ rows).to(ctx.dtype), of_bias, None, None  # (output, input)


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, rows: Tensor, weight: Tensor, bias: Tensor | None, packed: Product | None, uses: Uses
    ) -> Tensor:
        ctx.save_for_backward(rows, weight)
        ctx.uses = uses
        return packed(rows) if packed else nn.functional.linear(rows, weight, bias)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None, None]:
        """Use the plain weight: packing its transpose takes longer than it saves."""
        rows, weight = ctx.saved_tensors
        gradient = gradient.contiguous()
        ctx.uses.append((gradient, rows))
        return gradient @ weight, None, None, None, None


class _SharedBatch(torch.autograd.Function):
    """Pass one matrix per element of a batch through, as `_SharedWeight`."""

    @staticmethod
    def make(matrix: Tensor, dtype: torch.dtype) -> tuple[Tensor, Uses]:
        uses: Uses = []
        return _SharedBatch.apply(matrix, uses, dtype), uses  # type: ignore[no-untyped-call]

    @staticmethod
    def forward(ctx: Any, matrix: Tensor, uses: Uses, dtype: torch.dtype) -> Tensor:
        ctx.uses, ctx.dtype = uses, matrix.dtype
        ctx.set_materialize_grads(False)
        return _view_or_rounded(matrix, dtype)

    @staticmethod
    def backward(ctx: Any, *_: None) -> tuple[Tensor | None, None, None]:
        if not ctx.uses:
            return None, None, None
        # (*batch, steps * rows, out or size)
        gradients, rows = (torch.cat(parts, dim=-2) for parts in zip(*ctx.uses, strict=True))
        ctx.uses.clear()
        return (rows.transpose(-2, -1) @ gradients).to(ctx.dtype), None, None  # (*batch, size, out)


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
