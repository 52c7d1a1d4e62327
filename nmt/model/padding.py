"""Recurrent layers over sentences of unequal lengths: padding changes no result and costs as little as possible."""

from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence

from nmt.model.lstm import LSTM

Final = tuple[Float[Tensor, "_batch _hidden"], ...]


def run_layer(
    layer: nn.Module, inputs: Float[Tensor, "batch time input"], mask: Bool[Tensor, "batch time"]
) -> tuple[Float[Tensor, "batch time hidden"], Final]:
    """Return outputs, zero at padding, and the final state, the directions side by side: that after the last real
    token, and backwards that after the first. `layer` is one of `recurrent.CELLS` and starts from zero."""
    held = layer.padded if isinstance(layer, LSTM) and inputs.device.type == "cpu" else None
    outputs, final = held(inputs, mask) if held else _packed(layer, inputs, mask)
    # (directions, batch, hidden) -> (batch, directions * hidden)
    return outputs, tuple(part.transpose(0, 1).flatten(1) for part in final)


def _packed(
    layer: nn.Module, inputs: Float[Tensor, "batch time input"], mask: Bool[Tensor, "batch time"]
) -> tuple[Float[Tensor, "batch time hidden"], tuple[Tensor, ...]]:
    lengths = mask.sum(dim=1).cpu()
    packed: PackedSequence = pack_padded_sequence(inputs, lengths, batch_first=True, enforce_sorted=False)
    packed_outputs, final = layer(packed)
    outputs, _ = pad_packed_sequence(packed_outputs, batch_first=True, total_length=inputs.size(1))
    return outputs, final if isinstance(final, tuple) else (final,)
