"""Recurrent layers over sentences of unequal lengths: padding changes no result and costs as little as possible.

Lengths are known on the host, so that no layer waits for a GPU.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from nmt.kernels.choice import uses
from nmt.kernels.lstm import LSTM

Final = tuple[Float[Tensor, "_batch _hidden"], ...]


class Packing(NamedTuple):
    """Tell where the tokens of a padded batch are in a packed one, which holds position by position the rows that are
    still there, the longest first; and back."""

    sizes: Int[Tensor, " time"]  # rows at each position; on the host, where torch wants them
    order: Int[Tensor, " batch"]  # the rows, the longest first
    back: Int[Tensor, " batch"]
    tokens: Int[Tensor, " tokens"]  # places in (batch * time)
    places: Int[Tensor, "batch time"]  # of each token in the packed batch; that of padding is one beyond the end

    @classmethod
    def of(cls, lengths: Sequence[int], time: int, device: torch.device) -> "Packing":
        """Return how sentences of these lengths are packed."""
        ends = np.asarray(lengths)
        order = np.argsort(-ends, kind="stable")
        there = np.arange(time)[:, None] < ends[order]  # (time, batch), rows in order
        position, row = np.nonzero(there)
        tokens = order[row] * time + position
        places = np.full(len(ends) * time, len(tokens))
        places[tokens] = np.arange(len(tokens))
        sizes = torch.from_numpy(there.sum(axis=1))[: int(ends.max())]
        found = (order, np.argsort(order), tokens, places.reshape(len(ends), time))
        return cls(sizes, *(torch.from_numpy(part).to(device, non_blocking=True) for part in found))


def run_layer(
    layer: nn.Module,
    inputs: Float[Tensor, "batch time input"],
    mask: Bool[Tensor, "batch time"],
    lengths: Sequence[int] | None = None,
    packing: Packing | None = None,
) -> tuple[Float[Tensor, "batch time hidden"], Final]:
    """Return outputs, zero at padding, and the final state, the directions side by side: that after the last real
    token, and backwards that after the first. `layer` is one of `recurrent.CELLS` and starts from zero.

    `lengths` are those that `mask` shows, and `packing` is theirs, if the caller knows them: without them, a GPU is
    waited for. A GPU runs one kernel over the packed sentences; so does a CPU for all cells but an LSTM.
    """
    final: Tensor | tuple[Tensor, ...]
    if isinstance(layer, LSTM) and inputs.device.type == "cpu" and uses("padded_lstm"):
        outputs, final = layer.padded(inputs, mask, lengths)
    elif packing is not None:
        tokens = inputs.flatten(0, 1).index_select(0, packing.tokens)  # (tokens, input)
        packed_outputs, final = layer(PackedSequence(tokens, packing.sizes, packing.order, packing.back))
        data = packed_outputs.data  # (tokens, directions * hidden)
        padded = torch.cat([data, data.new_zeros(1, data.size(1))])  # the last row is that of padding
        outputs = padded.index_select(0, packing.places.flatten()).view(*inputs.shape[:2], -1)
    else:  # torch's own functions, which wait for a GPU
        ends = mask.sum(dim=1).cpu() if lengths is None else torch.tensor(lengths)
        packed: PackedSequence = pack_padded_sequence(inputs, ends, batch_first=True, enforce_sorted=False)
        packed_outputs, final = layer(packed)
        outputs, _ = pad_packed_sequence(packed_outputs, batch_first=True, total_length=inputs.size(1))
    # (directions, batch, hidden) -> (batch, directions * hidden)
    final = final if isinstance(final, tuple) else (final,)
    return outputs, tuple(part.transpose(0, 1).flatten(1) for part in final)
