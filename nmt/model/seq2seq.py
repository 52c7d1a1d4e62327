"""The whole model: encoder, bridge, decoder and generator behind the contract that search and training use.

`encode(source) -> memory, state`; `step(tokens, state, memory) -> log_probs, state, attention`; and
`forward(source, target_input)` for known targets, which gives the same as stepping.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from nmt.config import ModelSettings
from nmt.model.bridge import BRIDGES
from nmt.model.decoder import DECODERS, Decoded
from nmt.model.embedding import PAD_ID, Embedding
from nmt.model.encoder import Encoder
from nmt.model.generator import Generator
from nmt.model.init import initialise
from nmt.model.memory import Memory
from nmt.model.recurrent import State


class Seq2Seq(nn.Module):
    """Built from settings and vocabulary sizes; the weights are drawn from torch's global generator."""

    def __init__(self, settings: ModelSettings, source_vocab: int, target_vocab: int) -> None:
        super().__init__()
        self.settings = settings
        embedding = self._embedding(source_vocab)
        self.encoder = Encoder(settings, embedding)
        self.target_embedding = embedding if settings.tying == "all" else self._embedding(target_vocab)
        self.bridge = BRIDGES[settings.bridge](settings)
        self.decoder = DECODERS[settings.decoder](settings)
        tied = None if settings.tying == "none" else self.target_embedding
        self.generator = Generator(self.decoder.features, target_vocab, tied)
        initialise(self)

    def _embedding(self, vocab: int) -> Embedding:
        settings = self.settings
        return Embedding(
            vocab,
            settings.embedding,
            dropout=settings.embedding_dropout,
            variational=settings.variational,
            word_dropout=settings.word_dropout,
        )

    def encode(self, source: Int[Tensor, "batch src"]) -> tuple[Memory, State]:
        """What the decoder reads, and its first state. Padding is `PAD_ID`."""
        mask: Bool[Tensor, "batch src"] = source != PAD_ID
        encoded, state = self.encoder(source, mask)
        memory = self.decoder.remember(encoded, mask)
        return memory, self.decoder.start(self.bridge(state, encoded, mask), memory)

    def step(
        self, tokens: Int[Tensor, "rows"], state: State, memory: Memory
    ) -> tuple[Float[Tensor, "rows vocab"], State, Float[Tensor, "rows src"]]:
        """Log-probabilities of the word after `tokens`. Rows are hypotheses, those of a sentence side by side."""
        decoded = self.decoder(self.target_embedding(tokens.unsqueeze(1)), state, memory)
        return self.generator.log_probs(decoded.features[:, 0]), decoded.state, decoded.attention[:, 0]

    def forward(
        self,
        source: Int[Tensor, "batch src"],
        target_input: Int[Tensor, "batch tgt"],
        teacher_forcing: float = 1.0,
    ) -> Decoded:
        """Features (not yet logits) and attention at every position of a known target.

        `teacher_forcing` is the probability, at each position of each sentence, that the input is the reference's
        word; otherwise it is the model's own best word (scheduled sampling, Bengio et al. 2015).
        """
        memory, state = self.encode(source)
        if teacher_forcing >= 1:
            decoded: Decoded = self.decoder(self.target_embedding(target_input), state, memory)
            return decoded
        return self._sample_inputs(target_input, state, memory, teacher_forcing)

    def _sample_inputs(
        self, target_input: Int[Tensor, "batch tgt"], state: State, memory: Memory, teacher_forcing: float
    ) -> Decoded:
        forced = torch.rand(target_input.shape, device=target_input.device) < teacher_forcing
        masks = self.decoder.new_masks(target_input.size(0), state[0])
        word_mask = self.target_embedding.new_mask(target_input.size(0))
        words = target_input[:, 0]
        features, attention = [], []
        for position in range(target_input.size(1)):
            if position > 0:
                words = torch.where(forced[:, position], target_input[:, position], words)
            decoded = self.decoder(self.target_embedding(words.unsqueeze(1), word_mask), state, memory, masks)
            with torch.no_grad():
                words = self.generator(decoded.features[:, 0]).argmax(dim=-1)
            state = decoded.state
            features.append(decoded.features)
            attention.append(decoded.attention)
        return Decoded(torch.cat(features, dim=1), torch.cat(attention, dim=1), state)
