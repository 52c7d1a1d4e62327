"""The whole model: encoder, bridge, decoder and generator behind the contract that search and training use.

`encode(source) -> memory, state`; `step(tokens, state, memory) -> log_probs, state, attention`; and
`forward(source, target_input)` for known targets, which gives the same as stepping.
"""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from nmt.config import ModelSettings
from nmt.kernels.deferred_gradients import deferred_gradients
from nmt.model.bridge import BRIDGES, Bridge
from nmt.model.decoder import DECODERS, Decoded, Decoder
from nmt.model.embedding import PAD_ID, Embedding
from nmt.model.encoder import Encoder
from nmt.model.generator import Generator
from nmt.model.init import initialise
from nmt.model.memory import Memory
from nmt.model.recurrent import Masks, State


class Seq2Seq(nn.Module):
    """Combine recurrent encoder, bridge, decoder with attention, and generator (Sutskever et al. 2014, Bahdanau et al.
    2015).

    The weights are drawn from torch's global generator.
    """

    def __init__(self, settings: ModelSettings, source_vocab: int, target_vocab: int) -> None:
        super().__init__()
        self.settings = settings
        embedding = self._embedding(source_vocab)
        self.encoder = self._encoder(embedding)
        self.target_embedding = embedding if settings.tying == "all" else self._embedding(target_vocab)
        self.bridge = self._bridge()
        self.decoder = self._decoder()
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

    def _encoder(self, embedding: Embedding) -> nn.Module:
        """Make the encoder: (source, mask) -> encoded tokens, state for the bridge."""
        return Encoder(self.settings, embedding)

    def _bridge(self) -> Bridge:
        return BRIDGES[self.settings.bridge](self.settings)

    def _decoder(self) -> Decoder:
        return DECODERS[self.settings.decoder](self.settings)

    @property
    def device(self) -> torch.device:
        """Return the device of the weights."""
        return self.target_embedding.table.weight.device

    def encode(self, source: Int[Tensor, "batch src"]) -> tuple[Memory, State]:
        """Return the memory that the decoder reads, and its first state. Padding is `PAD_ID`.

        A source that is still on the host is copied without waiting for the device; one on a GPU has to be waited for,
        since the host must know the lengths.
        """
        lengths = (source != PAD_ID).sum(dim=1).tolist()
        source = source.to(self.device, non_blocking=True)
        mask: Bool[Tensor, "batch src"] = source != PAD_ID
        encoded, state = self.encoder(source, mask, lengths)  # (batch, src, hidden), (layers, batch, hidden)
        memory = self.decoder.encode_memory(encoded, mask)
        return memory, self.decoder.initial_state(self.bridge(state, encoded, mask), memory)

    def step(
        self, tokens: Int[Tensor, "rows"], state: State, memory: Memory
    ) -> tuple[Float[Tensor, "rows vocab"], State, Float[Tensor, "rows src"]]:
        """Return the log-probabilities of the token after `tokens`. Rows are hypotheses, those of a sentence
        adjacent."""
        # One position: (rows, 1, embed)
        decoded = self.decoder(self.target_embedding(tokens.unsqueeze(1)), state, memory)
        # (rows, 1, features) -> (rows, vocab)
        return self.generator.log_probs(decoded.features.squeeze(1)), decoded.state, decoded.attention.squeeze(1)

    def forward(
        self,
        source: Int[Tensor, "batch src"],
        target_input: Int[Tensor, "batch tgt"],
        teacher_forcing: float = 1.0,
        whole_sentences: bool = False,
    ) -> Decoded:
        """Return features (not yet logits) and attention at every position of a known target.

        `teacher_forcing` is the probability that an input is the reference's word; otherwise it is the model's own
        best word (scheduled sampling, Bengio et al. 2015). The coin is thrown at each position of each sentence, or
        once for all positions of a sentence with `whole_sentences`.
        """
        memory, state = self.encode(source)
        word_mask: Float[Tensor, "batch 1 embed"] | None = None
        masks: Masks = ()
        if teacher_forcing < 1:
            coins = (target_input.size(0), 1) if whole_sentences else target_input.shape  # (batch, 1) or (batch, tgt)
            forced = (torch.rand(coins, device=target_input.device) < teacher_forcing).expand_as(target_input)
            word_mask = self.target_embedding.new_mask(target_input.size(0))
            masks = self.decoder.new_masks(target_input.size(0), state[0])
            target_input = self._sample_inputs(target_input, forced, state, memory, word_mask, masks)
        decoded: Decoded = self.decoder(self.target_embedding(target_input, word_mask), state, memory, masks)
        return decoded

    @torch.no_grad()
    def _sample_inputs(
        self,
        target_input: Int[Tensor, "batch tgt"],
        forced: Bool[Tensor, "batch tgt"],
        state: State,
        memory: Memory,
        word_mask: Float[Tensor, "batch 1 embed"] | None,
        masks: Masks,
    ) -> Int[Tensor, "batch tgt"]:
        """Replace reference tokens, except where `forced`, by the model's own best ones, position by position.

        No gradient flows through a choice of words, so only the choices are made here; the pass that is learned from
        then reads all of them at once. The first word is given, and nothing is chosen after the last free position.
        """
        last_free = target_input.size(1) - 1  # a GPU is not waited for: it chooses at every position
        if target_input.device.type == "cpu":
            free = (~forced & (target_input != PAD_ID)).any(dim=0).nonzero().flatten().tolist()
            last_free = max(free, default=0)
        words = target_input.clone()
        with deferred_gradients():
            for position in range(1, last_free + 1):
                last = words[:, position - 1 : position]  # (batch, 1)
                decoded = self.decoder(self.target_embedding(last, word_mask), state, memory, masks)
                own = self.generator(decoded.features[:, 0]).argmax(dim=-1)  # (batch, vocab) -> (batch,)
                words[:, position] = torch.where(forced[:, position], words[:, position], own)
                state = decoded.state
        return words
