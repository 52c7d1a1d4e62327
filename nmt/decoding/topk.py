"""The largest of many values, without sorting more than needed."""

import torch
from jaxtyping import Float
from torch import Tensor

BLOCK = 64


def topk(values: Float[Tensor, "batch values"], count: int) -> tuple[Tensor, Tensor]:
    """torch.topk, which sorts more than it must: the largest are within as many blocks, those of the largest maxima."""
    whole = values.size(1) // BLOCK * BLOCK
    if whole <= count * BLOCK:
        plain = values.topk(count)
        return plain.values, plain.indices
    blocks = values[:, :whole].unflatten(1, (-1, BLOCK))
    first = blocks.amax(dim=2).topk(count).indices * BLOCK
    rest = torch.arange(whole, values.size(1), device=values.device).expand(values.size(0), -1)
    places = torch.cat([(first.unsqueeze(2) + torch.arange(BLOCK, device=values.device)).flatten(1), rest], dim=1)
    found, index = values.gather(1, places).topk(count)
    return found, places.gather(1, index)
