"""Model R as a textbook writes it in PyTorch: torch's layers, the decoder stepped in a loop (Luong et al. 2015)."""

from pathlib import Path

import torch
import torch.nn.functional as F
from peers.work import PAD, Batch, Ids, Sizes, Work, training_batches
from peers.worker import About, parameters, serve
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class PlainModel(nn.Module):
    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        hidden, embedding = sizes.hidden, sizes.embedding
        self.source = nn.Embedding(sizes.vocab, embedding, padding_idx=PAD)
        self.target = nn.Embedding(sizes.vocab, embedding, padding_idx=PAD)
        options = {"num_layers": sizes.layers, "dropout": sizes.dropout, "batch_first": True}
        self.encoder = nn.LSTM(embedding, hidden // 2, bidirectional=True, **options)
        self.decoder = nn.LSTM(embedding + hidden, hidden, **options)
        self.key = nn.Linear(hidden, hidden, bias=False)
        self.readout = nn.Linear(2 * hidden, hidden)
        self.generator = nn.Linear(hidden, sizes.vocab)
        self.dropout = nn.Dropout(sizes.dropout)

    def forward(self, batch: Batch) -> Tensor:
        """Logits at every position, padding included."""
        memory, state = self.encode(batch)
        keys, mask = self.key(memory), (batch.source != PAD).unsqueeze(1)
        feed = memory.new_zeros(memory.size(0), 1, keys.size(-1))
        features = []
        for word in self.target(batch.target[:, :-1]).split(1, dim=1):
            output, state = self.decoder(torch.cat([word, feed], dim=-1), state)
            scores = (output @ keys.transpose(1, 2)).masked_fill(~mask, -torch.inf)
            context = scores.softmax(dim=-1) @ memory
            feed = self.dropout(torch.tanh(self.readout(torch.cat([output, context], dim=-1))))
            features.append(feed)
        return self.generator(torch.cat(features, dim=1))

    def encode(self, batch: Batch) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """Encoded tokens, and the final states of each layer, the directions side by side."""
        vectors = self.source(batch.source)
        packed = pack_padded_sequence(vectors, batch.lengths, batch_first=True, enforce_sorted=False)
        outputs, (hidden, cell) = self.encoder(packed)
        memory, _ = pad_packed_sequence(outputs, batch_first=True)
        return memory, (_side_by_side(hidden), _side_by_side(cell))


def _side_by_side(state: Tensor) -> Tensor:
    """(layers x directions, batch, size) -> (layers, batch, directions x size)."""
    return torch.cat([state[0::2], state[1::2]], dim=-1)


class Plain:
    def __init__(self, work: Work, _folder: Path) -> None:
        self.model = PlainModel(work.sizes)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=work.learning_rate)
        self.clip_norm = work.clip_norm
        self.batches = training_batches(work)

    def about(self) -> About:
        return About(torch.__version__, parameters(self.model))

    def train(self) -> int:
        return sum(self.update(batch)[1] for batch in self.batches)

    def update(self, batch: Batch) -> tuple[float, int]:
        """Loss per target token in nats, and the target tokens."""
        self.optimizer.zero_grad()
        truth = batch.target[:, 1:].flatten()
        loss = F.cross_entropy(self.model(batch).flatten(0, 1), truth, ignore_index=PAD)
        loss.backward()
        nn.utils.clip_grad_norm_(self.model.parameters(), self.clip_norm)
        self.optimizer.step()
        return loss.item(), batch.tokens

    def decode(self, sources: list[Ids], batch: int, beam: int) -> list[Ids]:
        raise NotImplementedError("it is there for training alone")


if __name__ == "__main__":
    serve(Plain)
