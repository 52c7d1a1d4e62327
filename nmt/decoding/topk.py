"""Find the largest of many values without sorting more than needed."""

import torch
from jaxtyping import Float
from torch import Tensor

BLOCK = 64


def topk(values: Float[Tensor, "batch values"], count: int) -> tuple[Tensor, Tensor]:
    """Return what torch.topk returns, without sorting as much: the `count` largest lie in the `count` blocks with
    the largest maxima."""
    whole = values.size(1) // BLOCK * BLOCK
    if whole <= count * BLOCK:
        plain = values.topk(count)
        return plain.values, plain.indices
    blocks = values[:, :whole].unflatten(1, (-1, BLOCK))  # (batch, blocks, BLOCK)
    first = blocks.amax(dim=2).topk(count).indices * BLOCK  # (batch, count)
    rest = torch.arange(whole, values.size(1), device=values.device).expand(values.size(0), -1)
    places = torch.cat([(first.unsqueeze(2) + torch.arange(BLOCK, device=values.device)).flatten(1), rest], dim=1)
    best, index = values.gather(1, places).topk(count)
    return best, places.gather(1, index)
