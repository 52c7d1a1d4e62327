"""Find the largest of many values without sorting more than needed."""

import functools

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nmt.kernels.choice import uses

BLOCK = 64


def topk(values: Float[Tensor, "batch values"], count: int) -> tuple[Tensor, Tensor]:
    """Return what torch.topk returns, on a CPU without sorting as much: the `count` largest lie in the `count` blocks
    with the largest maxima."""
    whole = values.size(1) // BLOCK * BLOCK
    if whole <= count * BLOCK or values.device.type != "cpu" or not uses("topk"):
        plain = values.topk(count)
        return plain.values, plain.indices
    blocks = values[:, :whole].unflatten(1, (-1, BLOCK))  # (batch, blocks, BLOCK)
    first = blocks.amax(dim=2).topk(count).indices * BLOCK  # (batch, count)
    places = (first.unsqueeze(2) + _places(0, BLOCK)).flatten(1)
    if whole < values.size(1):
        places = torch.cat([places, _places(whole, values.size(1)).expand(values.size(0), -1)], dim=1)
    best, index = values.gather(1, places).topk(count)
    return best, places.gather(1, index)


@functools.lru_cache(maxsize=64)
def _places(start: int, end: int) -> Int[Tensor, " places"]:
    with torch.inference_mode(False):  # the tensor is used in every mode
        return torch.arange(start, end)
