"""Weights in 8 bits: a quarter of the size, and faster decoding on CPUs that multiply 8-bit integers natively.

Symmetric, one scale for each row of a weight: w = s q with q in [-127, 127]. Inputs are rounded as they come, with a
scale for each row, and products are summed in 32-bit integers (as Wu et al. 2016, section 6, did for GNMT).
"""

import functools
from collections.abc import Mapping
from copy import copy

import torch
from jaxtyping import Float, Int, Int8
from torch import Tensor, nn

from nmt.kernels.choice import uses
from nmt.kernels.lstm import LSTM
from nmt.kernels.packed import PackedWeights, packing_available
from nmt.model.recurrent import Recurrent

LARGEST = 127
ZERO_POINT = 128  # what inputs are shifted by for kernels that take numbers from 0 to 255
TINY = 1e-20  # instead of the largest number of a row of zeros
SMALLEST_SIDE = 32  # of a weight that is rounded; there is nothing to gain from smaller ones
WORTH_PACKING = 1_000_000  # elements of a weight, from which on products with several rows gain from packing it
SCALE = ".scale"


def rounded(
    values: Float[Tensor, "rows columns"],
) -> tuple[Int8[Tensor, "rows columns"], Float[Tensor, "rows 1"]]:
    """Return q and s."""
    scale = _largest(values).div_(LARGEST)  # (rows, 1)
    return (values / scale).round_().to(torch.int8), scale


def _largest(values: Float[Tensor, "rows columns"]) -> Float[Tensor, "rows 1"]:
    """Return the largest absolute value of each row."""
    return values.abs().amax(dim=1, keepdim=True).clamp_(min=TINY)


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
    """Apply an 8-bit linear layer, for inference.

    Products with several rows use a packed copy of a large weight, with which oneDNN takes half the time for 5 rows
    (docs/lab/benchmarks.md).
    """

    weight: Tensor
    scale: Tensor
    bias: Tensor

    def __init__(self, weight: Float[Tensor, "output input"], bias: Float[Tensor, " output"] | None) -> None:
        super().__init__()
        values, scale = rounded(weight.detach())
        self.register_buffer("weight", values)
        self.register_buffer("scale", scale.squeeze(1))
        self.register_buffer("bias", torch.zeros(len(weight)) if bias is None else bias.detach())
        self._packed: PackedWeights | None = PackedWeights()  # None: never packed

    def only(self, outputs: Int[Tensor, " kept"]) -> "Int8Linear":
        """Return a layer with some of the outputs. It serves a few sentences, so its weight is never packed."""
        kept = copy(self)
        kept._buffers = {name: part[outputs] for name, part in self.named_buffers()}
        kept._packed = None
        return kept

    def forward(self, inputs: Float[Tensor, "*rows input"]) -> Float[Tensor, "*rows output"]:
        if not uses("int8"):
            weight = self.weight.float() * self.scale.unsqueeze(1)
            return nn.functional.linear(inputs, weight, self.bias)
        rows = inputs.flatten(0, -2)  # (rows, input)
        packed = self._packed_for(len(rows))
        if packed is None:
            values, scale = rounded(rows)
            sums = torch._int_mm(values, self.weight.t()) * scale  # (rows, input) -> (rows, output)
            outputs = torch.addcmul(self.bias, sums, self.scale)
        else:
            outputs = packed(rows, self.bias)
        return outputs.view(*inputs.shape[:-1], len(self.weight))

    def _packed_for(self, rows: int) -> "Int8Packed | None":
        """Return the packed weight for a product with `rows` rows; None where the plain product is faster."""
        if self._packed is None or rows == 1 or self.weight.numel() < WORTH_PACKING or self.weight.is_inference():
            return None
        if self.scale.dtype != torch.float32 or not packing_available() or not packs_int8():
            return None
        return self._packed.get("int8", (self.weight, self.scale), lambda: Int8Packed(self.weight, self.scale))


class Int8Packed:
    """Multiply by an 8-bit weight that is packed for oneDNN, whose kernels take inputs from 0 to 255.

    Inputs halfway between two integers are rounded up; `rounded` rounds them to the even one.
    """

    def __init__(self, weight: Int8[Tensor, "output input"], scale: Float[Tensor, " output"]) -> None:
        self._blocks = torch.ops.onednn.qlinear_prepack(weight, None)
        self._scale, self._zeros = scale / LARGEST, torch.zeros(len(weight), dtype=torch.int64)
        self._middle = torch.tensor(ZERO_POINT + 0.5)  # the half, since a conversion to integers cuts fractions off
        self._product = torch.ops.onednn.qlinear_pointwise.default

    def __call__(
        self, inputs: Float[Tensor, "rows input"], bias: Float[Tensor, " output"]
    ) -> Float[Tensor, "rows output"]:
        """Return x W^T + b, with x rounded to 8 bits."""
        largest = _largest(inputs)  # (rows, 1)
        values = torch.addcdiv(self._middle, inputs, largest, value=LARGEST).to(torch.uint8)  # 128 + 127 x / largest
        # Arguments: inputs, their scale and zero point; weight, its scales and zero points; no bias; scale, zero point
        # and type of the outputs.
        sums = self._product(
            values, 1.0, ZERO_POINT, self._blocks, self._scale, self._zeros, None, 1.0, 0, torch.float32, "none", [], ""
        )
        return torch.addcmul(bias, sums, largest)


@functools.cache
def packs_int8() -> bool:
    """Return whether packed products in 8 bits work here, by trying one."""
    weight = torch.linspace(-127, 127, 32 * 64).to(torch.int8).view(32, 64)
    inputs = torch.linspace(-1, 1, 3 * 64).view(3, 64)
    scale, bias = torch.linspace(0.1, 1, 32), torch.linspace(-1, 1, 32)
    try:
        found = Int8Packed(weight, scale)(inputs, bias)
    except (RuntimeError, AttributeError):
        return False
    values, own = rounded(inputs)
    return torch.allclose(found, torch.addcmul(bias, torch._int_mm(values, weight.t()) * own, scale), atol=1e-4)


class Int8LSTM(nn.Module):
    """Run an LSTM whose single steps, as in search, use 8-bit weights; whole sequences run as before.

    The rows of gate g (weights and bias) are doubled, so that one sigmoid serves all gates:
    tanh(x) = 2 sigmoid(2 x) - 1.
    """

    def __init__(self, layer: LSTM) -> None:
        super().__init__()
        self.layer = layer
        of_input, of_hidden, *biases = layer.all_weights[0]
        weight, bias = torch.cat([of_input, of_hidden], dim=1), biases[0] + biases[1]
        # (4 * hidden, 1): 2 in the rows of g
        factors = torch.tensor([1.0, 1.0, 2.0, 1.0]).repeat_interleave(layer.hidden_size).unsqueeze(1)
        self.gates = Int8Linear(weight * factors, bias * factors.squeeze(1))

    def forward(
        self, inputs: Float[Tensor, "rows time input"], state: tuple[Tensor, Tensor]
    ) -> tuple[Float[Tensor, "rows time hidden"], tuple[Tensor, Tensor]]:
        if inputs.size(1) != 1:
            outputs, after = self.layer(inputs, state)
            return outputs, after
        hidden, cell = state[0][0], state[1][0]
        sums = self.gates(torch.cat([inputs[:, 0], hidden], dim=1))  # (rows, input + hidden) -> (rows, 4 * hidden)
        enter, keep, new, out = torch.sigmoid(sums.detach()).chunk(4, dim=1)  # each (rows, hidden)
        cell = torch.addcmul(keep * cell.detach(), enter, new, value=2) - enter  # f c + i (2 new - 1)
        hidden = out * torch.tanh(cell)
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
