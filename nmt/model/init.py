"""First values of all weights, from torch's global generator: seed it before."""

import torch
from torch import nn

from nmt.model.embedding import PAD_ID


def initialise(model: nn.Module) -> None:
    for module in model.modules():
        if isinstance(module, nn.RNNBase):
            _recurrent(module)
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


def _recurrent(layer: nn.RNNBase) -> None:
    """Xavier for the inputs and orthogonal for the recurrence, gate by gate; an LSTM starts by remembering."""
    for name, weight in layer.named_parameters():
        if name.startswith("weight_ih"):
            for gate in weight.split(layer.hidden_size):
                nn.init.xavier_uniform_(gate)
        elif name.startswith("weight_hh"):
            for gate in weight.split(layer.hidden_size):
                nn.init.orthogonal_(gate)
        else:
            nn.init.zeros_(weight)
            if isinstance(layer, nn.LSTM) and name.startswith("bias_ih"):
                nn.init.ones_(weight[layer.hidden_size : 2 * layer.hidden_size])  # Jozefowicz et al. 2015
