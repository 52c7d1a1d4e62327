"""Weights in 8 bits: a quarter of the size, and faster decoding on CPUs that multiply 8-bit integers natively.

Symmetric, one scale for each row of a weight: w = s q with q in [-127, 127]. Inputs are rounded as they come, with a
scale for each row, and products are summed in 32-bit integers (as Wu et al. 2016, section 6, did for GNMT).
"""

from collections.abc import Mapping
from copy import copy

import torch
from jaxtyping import Float, Int, Int8
from torch import Tensor, nn

from nmt.kernels.choice import uses
from nmt.kernels.lstm import LSTM
from nmt.model.recurrent import Recurrent

LARGEST = 127
SMALLEST_SIDE = 32  # of a weight that is rounded; there is nothing to gain from smaller ones
SCALE = ".scale"


def rounded(
    values: Float[Tensor, "rows columns"],
) -> tuple[Int8[Tensor, "rows columns"], Float[Tensor, "rows 1"]]:
    """Return q and s."""
    scale = values.abs().amax(dim=1, keepdim=True).clamp_(min=1e-20).div_(LARGEST)  # (rows, 1)
    return (values / scale).round_().to(torch.int8), scale


# Files ---------------------------------------------------------------------------------------------------------------


def pack(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Pack every matrix as 8-bit values and, under a name of its own, their scales."""
    packed: dict[str, Tensor] = {}
    for name, weight in weights.items():
        if weight.dim() == 2 and min(weight.shape) >= SMALLEST_SIDE:
            packed[name], packed[name + SCALE] = rounded(weight)
        else:
            packed[name] = weight
    return packed


def is_packed(weights: Mapping[str, Tensor]) -> bool:
    """Return whether any weight is in 8 bits."""
    return any(weight.dtype == torch.int8 for weight in weights.values())


def unpack(packed: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Weights in 32 bits; rounded again they give the same 8. What has no fitting scale stays as it is."""
    scales = {name: packed.get(name + SCALE) for name, values in packed.items() if values.dtype == torch.int8}
    scales = {
        name: scale
        for name, scale in scales.items()
        if scale is not None and scale.is_floating_point() and scale.shape == (len(packed[name]), 1)
    }
    used = {name + SCALE for name in scales}
    return {
        name: values.float() * scale if (scale := scales.get(name)) is not None else values
        for name, values in packed.items()
        if name not in used
    }


# Computing -----------------------------------------------------------------------------------------------------------


def multiplies_int8() -> bool:
    """Return whether this CPU multiplies 8-bit integers natively (VNNI). Elsewhere such products take ten times as long
    as those in float32, which compute with the same rounded weights instead."""
    return bool(torch.cpu._is_vnni_supported())


class Int8Linear(nn.Module):
    """Apply an 8-bit linear layer, for inference."""

    weight: Tensor
    scale: Tensor
    bias: Tensor

    def __init__(self, weight: Float[Tensor, "output input"], bias: Float[Tensor, " output"] | None) -> None:
        super().__init__()
        values, scale = rounded(weight.detach())
        self.register_buffer("weight", values)
        self.register_buffer("scale", scale.squeeze(1))
        self.register_buffer("bias", torch.zeros(len(weight)) if bias is None else bias.detach())

    def only(self, outputs: Int[Tensor, " kept"]) -> "Int8Linear":
        """Select some of the outputs."""
        kept = copy(self)
        kept._buffers = {name: part[outputs] for name, part in self.named_buffers()}
        return kept

    def forward(self, inputs: Float[Tensor, "*rows input"]) -> Float[Tensor, "*rows output"]:
        if not uses("int8"):
            weight = self.weight.float() * self.scale.unsqueeze(1)
            return nn.functional.linear(inputs, weight, self.bias)
        values, scale = rounded(inputs.flatten(0, -2))
        sums = torch._int_mm(values, self.weight.t()) * scale  # (rows, input) -> (rows, output)
        outputs: Tensor = torch.addcmul(self.bias, sums, self.scale).unflatten(0, inputs.shape[:-1])
        return outputs


class Int8LSTM(nn.Module):
    """Run an LSTM whose single steps, as in search, use 8-bit weights; whole sequences run as before."""

    def __init__(self, layer: LSTM) -> None:
        super().__init__()
        self.layer = layer
        of_input, of_hidden, *biases = layer.all_weights[0]
        self.gates = Int8Linear(torch.cat([of_input, of_hidden], dim=1), biases[0] + biases[1])

    def forward(
        self, inputs: Float[Tensor, "rows time input"], state: tuple[Tensor, Tensor]
    ) -> tuple[Float[Tensor, "rows time hidden"], tuple[Tensor, Tensor]]:
        if inputs.size(1) != 1:
            outputs, after = self.layer(inputs, state)
            return outputs, after
        hidden, cell = state[0][0], state[1][0]
        sums = self.gates(torch.cat([inputs[:, 0], hidden], dim=1))  # (rows, input + hidden) -> (rows, 4 * hidden)
        enter, keep, new, out = sums.chunk(4, dim=1)
        cell = torch.addcmul(keep.sigmoid() * cell, enter.sigmoid(), new.tanh())
        hidden = out.sigmoid() * cell.tanh()
        return hidden.unsqueeze(1), (hidden.unsqueeze(0), cell.unsqueeze(0))  # (rows, 1, hidden), (1, rows, hidden)


def quantize(module: nn.Module) -> None:
    """Replaces, within a model that will not be trained any more, what a search spends its time on. Of LSTMs those in a
    `Recurrent`, which a decoder steps: an encoder reads whole sentences."""
    for name, child in module.named_children():
        if isinstance(child, nn.Linear) and min(child.weight.shape) >= SMALLEST_SIDE:
            setattr(module, name, Int8Linear(child.weight, child.bias))
            continue
        if isinstance(child, Recurrent):
            layers = (Int8LSTM(layer) if isinstance(layer, LSTM) else layer for layer in child.layers)
            child.layers = nn.ModuleList(layers)
        quantize(child)
