"""Word embeddings with the two dropouts that belong to them."""

from jaxtyping import Float, Int
from torch import Tensor, nn

from nmt.model.dropout import SequenceDropout, dropout

PAD_ID = 0


class Embedding(nn.Module):
    """Map ids to vectors. `word_dropout` takes out whole words (Sennrich et al. 2016), `dropout` single units."""

    def __init__(self, vocab: int, size: int, *, dropout: float, variational: bool, word_dropout: float) -> None:
        super().__init__()
        self.table = nn.Embedding(vocab, size, padding_idx=PAD_ID)
        self.dropout = SequenceDropout(dropout, variational)
        self.word_dropout = word_dropout
        # The table is drawn with variance 1 / size, which suits it as a tied generator; inputs get variance 1 back.
        self.scale = size**0.5

    def new_mask(self, batch: int) -> Float[Tensor, "batch 1 embed"] | None:
        """Draw the mask of `dropout` to pass to each `forward` of one sentence, when the caller loops over its
        positions."""
        return self.dropout.mask(batch, self.table.embedding_dim, self.table.weight)

    def forward(
        self, ids: Int[Tensor, "batch time"], mask: Float[Tensor, "batch 1 embed"] | None = None
    ) -> Float[Tensor, "batch time embed"]:
        vectors: Tensor = self.dropout(self.table(ids) * self.scale, mask)  # (batch, time) -> (batch, time, embed)
        if self.training and self.word_dropout:
            keep = dropout(vectors.new_ones(ids.shape), self.word_dropout).unsqueeze(-1)  # (batch, time, 1)
            vectors = vectors * keep
        return vectors
