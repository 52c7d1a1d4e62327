"""Packed weights: arranged for products with few rows, as in a loop over positions.

Once oneDNN has rearranged a large weight into the blocks that its kernels read, a product with 5 to 200 rows takes
between 0.4 and 0.9 of the time (docs/lab/benchmarks.md). Other types and devices stay as they are.
"""

import torch
from jaxtyping import Float
from torch import Tensor

ROWS = 32  # that the blocks are chosen for; as good for 5 and for 300
WORTH = 2_000_000  # multiplications, from which on a product gains more than the call costs


def is_worthwhile(rows: int, weight: Tensor) -> bool:
    """Return whether a product with `rows` rows is faster with a packed weight. Memory bandwidth limits a single
    row."""
    return rows > 1 and rows * weight.numel() >= WORTH and _known(weight)


def _known(weight: Tensor) -> bool:
    if weight.device.type != "cpu" or weight.dtype != torch.float32:
        return False
    return bool(torch.backends.mkldnn.is_available() and torch.backends.mkldnn.enabled)


class Packed:
    """Compute x W^T + b, for a weight that does not change meanwhile."""

    def __init__(self, weight: Float[Tensor, "output input"]) -> None:
        self._blocks = torch.ops.mkldnn._reorder_linear_weight(weight.detach(), ROWS)

    def __call__(
        self, inputs: Float[Tensor, "rows input"], bias: Float[Tensor, " output"] | None
    ) -> Float[Tensor, "rows output"]:
        result: Tensor = torch.ops.mkldnn._linear_pointwise(inputs, self._blocks, bias, "none", [], "")
        return result
