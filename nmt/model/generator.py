"""The generator: features of the decoder -> a distribution over the target vocabulary."""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from nmt.kernels.deferred_gradients import Linear
from nmt.model.embedding import Embedding


class Generator(nn.Module):
    """Compute logits = W P f + b. With `tied` W is the embedding's table (Press & Wolf 2017); P is there if sizes
    differ."""

    def __init__(self, features: int, vocab: int, tied: Embedding | None) -> None:
        super().__init__()
        size = tied.table.embedding_dim if tied else features
        self.projection = nn.Linear(features, size, bias=False) if size != features else nn.Identity()
        self.output = Linear(size, vocab)
        if tied:
            self.output.weight = tied.table.weight

    def forward(self, features: Float[Tensor, "*rows features"]) -> Float[Tensor, "*rows vocab"]:
        """Return logits: not normalised."""
        logits: Tensor = self.output(self.projection(features))  # (*rows, features) -> (*rows, embed) -> (*rows, vocab)
        return logits

    def log_probs(self, features: Float[Tensor, "*rows features"]) -> Float[Tensor, "*rows vocab"]:
        """Return natural logarithms of probabilities."""
        return F.log_softmax(self(features).float(), dim=-1)
