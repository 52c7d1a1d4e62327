"""Packed weights: arranged for products with few rows, as in a loop over positions.

Once oneDNN has rearranged a large weight into the blocks that its kernels read, a product with 5 to 200 rows takes
between 0.4 and 0.9 of the time (docs/lab/benchmarks.md). With one row it depends on the processor; on some, a product
with one row is faster if it is padded with rows of zeros. In bf16 the weight is rounded at the same time. Other types
and devices stay as they are.
"""

import functools

import torch
from jaxtyping import Float
from torch import Tensor

from nmt.kernels.choice import thresholds, uses

ROWS = 32  # that the blocks are chosen for; as good for 5 and for 300
MOST_PADDED = 8  # rows that a product may be padded to
WORTH_BF16 = 250_000  # multiplications in bf16, from which on a product gains more than the call costs


def is_worthwhile(rows: int, weight: Tensor, dtype: torch.dtype | None = None) -> bool:
    """Return whether a product with `rows` rows, computed in `dtype` (by default the weight's), is faster with a packed
    weight: by the thresholds of this thread, or in bf16, where packing also saves rounding the weight."""
    dtype = dtype or weight.dtype
    if not uses("packed") or weight.device.type != "cpu" or weight.dtype != torch.float32:
        return False
    if not (torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled):
        return False
    if dtype == torch.bfloat16:
        return rows * weight.numel() >= WORTH_BF16 and _packs_bf16()
    known = thresholds()
    return dtype == torch.float32 and rows * weight.numel() >= (known.one_row if rows == 1 else known.rows)


@functools.cache
def _packs_bf16() -> bool:
    """Return whether packed products in bf16 work here, by trying one."""
    rows, weight = torch.arange(64.0).view(2, 32) / 64, torch.arange(32.0 * 48).view(48, 32) / 999
    try:
        found = Packed(weight, torch.bfloat16)(rows.bfloat16(), torch.ones(48))
    except RuntimeError:
        return False
    expected = torch.nn.functional.linear(rows.bfloat16(), weight.bfloat16(), torch.ones(48).bfloat16())
    return found.dtype == torch.bfloat16 and torch.allclose(found.float(), expected.float(), rtol=0.02, atol=0.02)


class Packed:
    """Compute x W^T + b, for a weight that does not change meanwhile."""

    def __init__(self, weight: Float[Tensor, "output input"], dtype: torch.dtype | None = None) -> None:
        self.dtype = dtype or weight.dtype
        self._blocks = torch.ops.mkldnn._reorder_linear_weight(weight.detach().to(self.dtype), ROWS)

    def __call__(
        self, inputs: Float[Tensor, "rows input"], bias: Float[Tensor, " output"] | None
    ) -> Float[Tensor, "rows output"]:
        """Return the outputs; the inputs must have the type of the packed weight."""
        bias = None if bias is None else bias.to(self.dtype)
        rows = inputs.size(0)
        missing = thresholds().min_rows - rows if 0 < rows < MOST_PADDED and self.dtype == torch.float32 else 0
        if missing > 0:
            inputs = torch.nn.functional.pad(inputs, (0, 0, 0, missing))  # (min_rows, input)
        result: Tensor = torch.ops.mkldnn._linear_pointwise(inputs, self._blocks, bias, "none", [], "")
        return result[:rows] if missing > 0 else result
