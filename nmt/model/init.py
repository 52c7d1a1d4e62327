"""Initialise all weights from torch's global generator: seed it before."""

import torch
from torch import nn

from nmt.model.attention import GeneralAttention
from nmt.model.cells import Cell, LayerNormLSTMCell, Transition
from nmt.model.embedding import PAD_ID


def initialise(model: nn.Module) -> None:
    """Draw the initial weights of a model."""
    if any(parameter.is_meta for parameter in model.parameters()):
        return  # only shapes are wanted; to draw what is not there would import much of torch
    for module in model.modules():
        if isinstance(module, nn.RNNBase | Cell | Transition):
            _recurrent(module, module.hidden_size)
        elif isinstance(module, nn.Linear):
            nn.init.xavier_uniform_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    # Last, since a tied generator is a Linear too and its matrix is the embedding's.
    for module in model.modules():
        if isinstance(module, nn.Embedding):
            nn.init.normal_(module.weight, std=module.embedding_dim**-0.5)
            with torch.no_grad():
                module.weight[PAD_ID].zero_()
        elif isinstance(module, GeneralAttention):
            with torch.no_grad():  # as scaled dot: scores of normalised states would saturate the softmax
                module.key.weight.mul_(module.key.in_features**-0.5)


def _recurrent(layer: nn.Module, hidden: int) -> None:
    """Initialise gate by gate: Xavier for inputs, orthogonal for the recurrence; an LSTM starts with open forget
    gates."""
    for name, weight in layer.named_parameters(recurse=False):
        if name.startswith("weight_ih"):
            for gate in weight.split(hidden):
                nn.init.xavier_uniform_(gate)
        elif name.startswith("weight_hh"):
            for gate in weight.split(hidden):
                nn.init.orthogonal_(gate)
        elif name == "gain":
            nn.init.ones_(weight)
        else:
            nn.init.zeros_(weight)
            if isinstance(layer, nn.LSTM | LayerNormLSTMCell) and name.startswith("bias_ih"):
                nn.init.ones_(weight[hidden : 2 * hidden])  # Jozefowicz et al. 2015
