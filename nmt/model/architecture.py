"""The kinds of model, by name. All keep the contract of `Seq2Seq`."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from nmt.config import ModelSettings
from nmt.model.seq2seq import Seq2Seq
from nmt.model.transformer import Transformer


class _WithoutDrawing(TorchFunctionMode):
    """Leaves out what draws weights: on the meta device that would import half of torch."""

    def __torch_function__(self, function: Any, _: Any, args: Any = (), options: Any = None) -> Any:
        if getattr(function, "__module__", "") == "torch.nn.init":
            return args[0] if args else options["tensor"]
        return function(*args, **(options or {}))


def empty_model(settings: ModelSettings, vocabularies: Sequence[int]) -> Seq2Seq:
    """Make a model whose parameters have shapes and no values: on the meta device, where they take no memory."""
    with torch.device("meta"), _WithoutDrawing():
        return make_model(settings, *vocabularies)


def model_shapes(settings: ModelSettings, vocabularies: Sequence[int]) -> dict[str, tuple[int, ...]]:
    """Return {name: shape} of every parameter that a model of these settings has. Takes no memory for them."""
    return {name: tuple(part.shape) for name, part in empty_model(settings, vocabularies).named_parameters()}


def filled(model: Seq2Seq, weights: Mapping[str, torch.Tensor], device: torch.device) -> Seq2Seq:
    """Give an empty model these weights, one for each of `named_parameters`; they are used where they are if the device
    is the same. Tied parameters stay tied."""
    new = {
        old: nn.Parameter(weights[name].to(device=device, dtype=old.dtype)) for name, old in model.named_parameters()
    }
    for module in list(model.modules()):
        for name, old in list(module.named_parameters(recurse=False, remove_duplicate=False)):
            setattr(module, name, new[old])  # a recurrent layer of torch updates its own list of weights
    return model


def make_model(settings: ModelSettings, source_vocab: int, target_vocab: int) -> Seq2Seq:
    """Make a model with fresh weights, drawn from torch's global generator."""
    return ARCHITECTURES[settings.architecture](settings, source_vocab, target_vocab)


ARCHITECTURES: dict[str, type[Seq2Seq]] = {
    "recurrent": Seq2Seq,
    "transformer": Transformer,
}
