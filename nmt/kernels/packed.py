"""Packed weights: arranged as oneDNN's kernels read them, once for all products with them.

Once oneDNN has rearranged a large weight into the blocks that its kernels read, a product with 5 to 200 rows takes
between 0.4 and 0.9 of the time (docs/lab/benchmarks.md). With one row it depends on the processor; on some, a product
with one row is faster if it is padded with rows of zeros. In bf16 the weight is rounded at the same time. Other types
and devices stay as they are.
"""

import functools
import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook

from nmt.kernels.choice import thresholds, uses

ROWS = 32  # that the blocks are chosen for; as good for 5 and for 300
MOST_PADDED = 8  # rows that a product may be padded to
WORTH_BF16 = 250_000  # multiplications in bf16, from which on a product gains more than the call costs

Product = Callable[[Tensor], Tensor]  # (*rows, input) -> (*rows, output)
T = TypeVar("T")


def packing_available() -> bool:
    """Return whether packed weights are switched on in this thread, and this torch supports them."""
    return uses("packed") and torch.backends.mkldnn.is_available() and bool(torch.backends.mkldnn.enabled)


def is_worthwhile(rows: int, weight: Tensor, dtype: torch.dtype | None = None, size: int = 0) -> bool:
    """Return whether a product with `rows` rows is faster with a packed weight: by the thresholds of this thread, or in
    bf16, where packing also saves rounding the weight.

    `dtype` is the type of the product, by default the weight's. `size` is the number of elements of the packed weight,
    if it is a concatenation of `weight` and others.
    """
    dtype = dtype or weight.dtype
    if weight.device.type != "cpu" or weight.dtype != torch.float32 or not packing_available():
        return False
    multiplications = rows * (size or weight.numel())
    if dtype == torch.bfloat16:
        return multiplications >= WORTH_BF16 and _packs_bf16()
    known = thresholds()
    return dtype == torch.float32 and multiplications >= (known.one_row if rows == 1 else known.rows)


@functools.cache
def _packs_bf16() -> bool:
    """Return whether packed products in bf16 work here, by trying one."""
    rows, weight = torch.arange(64.0).view(2, 32) / 64, torch.arange(32.0 * 48).view(48, 32) / 999
    try:
        found = Packed(weight, torch.ones(48), torch.bfloat16)(rows)
    except RuntimeError:
        return False
    expected = torch.nn.functional.linear(rows.bfloat16(), weight.bfloat16(), torch.ones(48).bfloat16())
    return found.dtype == torch.bfloat16 and torch.allclose(found.float(), expected.float(), rtol=0.02, atol=0.02)


class Packed:
    """Compute x W^T + b, for a weight and a bias that do not change meanwhile.

    `dtype` is that of the product, float32 or bfloat16. Inputs are converted to it.
    """

    def __init__(
        self, weight: Float[Tensor, "output input"], bias: Float[Tensor, " output"] | None, dtype: torch.dtype
    ) -> None:
        self.dtype = dtype
        self._blocks = torch.ops.mkldnn._reorder_linear_weight(weight.detach().to(dtype), ROWS)
        self._bias = None if bias is None else bias.detach().to(dtype)
        self._product = torch.ops.mkldnn._linear_pointwise.default

    def __call__(self, inputs: Float[Tensor, "*rows input"]) -> Float[Tensor, "*rows output"]:
        inputs = inputs if inputs.dtype == self.dtype else inputs.to(self.dtype)
        result: Tensor = self._product(inputs, self._blocks, self._bias, "none", [], "")
        return result

    def for_rows(self, rows: int, min_rows: int | None = None) -> Product:
        """Return the function that computes the product for inputs with `rows` rows. In float32, it pads fewer than
        `min_rows` rows with zeros. By default, `min_rows` is that of this thread's thresholds."""
        least = thresholds().min_rows if min_rows is None else min_rows
        if self.dtype != torch.float32 or not 0 < rows < least:
            return self
        missing = least - rows

        def padded(inputs: Tensor) -> Tensor:
            flat = inputs.reshape(rows, -1)  # (rows, input)
            outputs = self(nn.functional.pad(flat, (0, 0, 0, missing)))[:rows]  # (min_rows, output) -> (rows, output)
            return outputs if inputs.dim() == 2 else outputs.view(*inputs.shape[:-1], -1)

        return padded


# Kept while weights stay the same -------------------------------------------------------------------------------------

_scope = threading.local()
_steps = [0]  # of all optimizers of this process: a fused one writes to weights and leaves their version as it is


def _count_step(*_: object) -> None:
    _steps[0] += 1


register_optimizer_step_post_hook(_count_step)


class PackedWeights:
    """Cache packed weights by the tensors that they were packed from.

    A weight is packed again after its tensor was written to or replaced. Torch does not count writes through `.data` or
    NumPy, so they are not noticed. Threads may share a cache. Copies and pickles of a cache are empty.
    """

    def __init__(self) -> None:
        self._kept: dict[Hashable, tuple[Hashable, Any]] = {}

    def __len__(self) -> int:
        return len(self._kept)

    def __reduce__(self) -> tuple[type["PackedWeights"], tuple[()]]:
        """Leave the contents out: torch can neither copy nor pickle a packed weight."""
        return PackedWeights, ()

    def get(self, kind: Hashable, weights: Sequence[Tensor], make: Callable[[], T]) -> T:
        """Return the packed form of `weights`: from the cache, or by calling `make`. `kind` distinguishes packed forms
        of the same weights, for example by type."""
        key = (kind, *weights)
        state = (_steps[0], *((weight._version, weight.data_ptr()) for weight in weights))
        known = self._kept.get(key)
        if known is None or known[0] != state:
            known = self._kept[key] = state, make()
        packed: T = known[1]
        return packed


@contextmanager
def cached_packing(packed: PackedWeights) -> Iterator[None]:
    """Keep packed weights in `packed` in this context and thread, from one loop over positions to the next."""
    before = getattr(_scope, "packed", None)
    _scope.packed = packed
    try:
        yield
    finally:
        _scope.packed = before


def cache_for(weights: Sequence[Tensor]) -> PackedWeights | None:
    """Return the cache for these weights. Return None outside `cached_packing`, and unless all are parameters with a
    version, from which changes are noticed: inference tensors have none."""
    packed: PackedWeights | None = getattr(_scope, "packed", None)
    if packed is None or not all(isinstance(weight, nn.Parameter) and not weight.is_inference() for weight in weights):
        return None
    return packed
