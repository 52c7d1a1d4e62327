"""The kinds of model, by name. All keep the contract of `Seq2Seq`."""

from collections.abc import Sequence
from typing import Any

import torch
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


def model_shapes(settings: ModelSettings, vocabularies: Sequence[int]) -> dict[str, tuple[int, ...]]:
    """Return {name: shape} of every parameter that a model of these settings has. Takes no memory for them."""
    with torch.device("meta"), _WithoutDrawing():
        model = make_model(settings, *vocabularies)
    return {name: tuple(parameter.shape) for name, parameter in model.named_parameters()}


def make_model(settings: ModelSettings, source_vocab: int, target_vocab: int) -> Seq2Seq:
    """Make a model with fresh weights, drawn from torch's global generator."""
    return ARCHITECTURES[settings.architecture](settings, source_vocab, target_vocab)


ARCHITECTURES: dict[str, type[Seq2Seq]] = {
    "recurrent": Seq2Seq,
    "transformer": Transformer,
}
