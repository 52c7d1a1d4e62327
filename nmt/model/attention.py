"""The attentions of the literature, each with its equation and source. `memory.py` has what they share.

To add one, write its class and its line in ATTENTIONS: the settings' check, the property tests and the documentation
read that table.
"""

import math

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from nmt.config import ModelSettings
from nmt.kernels.deferred_gradients import Linear, product
from nmt.model.memory import Attended, Attention, Memory, masked_softmax
from nmt.model.recurrent import State

# By content ----------------------------------------------------------------------------------------------------------


class NoAttention(Attention):
    """Attend to nothing, as the plain encoder-decoder (Sutskever et al. 2014): the bridge's state is all there is."""

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__(settings)
        self.context_size = 0

    def attend(
        self, query: Float[Tensor, "batch tgt hidden"], word: Float[Tensor, "batch tgt embed"], memory: Memory
    ) -> tuple[Float[Tensor, "batch tgt context"], Float[Tensor, "batch tgt src"]]:
        batch, positions, _ = query.shape
        # Context (batch, tgt, 0), weights (batch, tgt, src)
        return query.new_zeros(batch, positions, 0), query.new_zeros(batch, positions, memory.mask.size(1))


class DotAttention(Attention):
    """Score by the dot product: score = q . k (Luong et al. 2015, section 3.1, dot)."""

    def score(
        self, query: Float[Tensor, "batch tgt hidden"], keys: Float[Tensor, "batch src key"]
    ) -> Float[Tensor, "batch tgt src"]:
        return product(query, keys.transpose(1, 2))  # (batch, tgt, key) @ (batch, key, src) -> (batch, tgt, src)


class ScaledDotAttention(DotAttention):
    """Score by the scaled dot product: score = q . k / sqrt(d) (Vaswani et al. 2017, equation 1)."""

    def score(
        self, query: Float[Tensor, "batch tgt hidden"], keys: Float[Tensor, "batch src key"]
    ) -> Float[Tensor, "batch tgt src"]:
        return super().score(query, keys) / math.sqrt(keys.size(-1))


class CosineAttention(DotAttention):
    """Score by a scaled cosine: score = b cos(q, k) with a learnt sharpness b (Graves et al. 2014, equations 5 and 6).

    A bare cosine lies in [-1, 1], and a softmax over such scores is nearly flat.
    """

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__(settings)
        self.sharpness = nn.Parameter(torch.tensor(5.0))

    def memory(self, encoded: Float[Tensor, "batch src hidden"], mask: Bool[Tensor, "batch src"]) -> Memory:
        return Memory(F.normalize(encoded, dim=-1), encoded, mask)

    def score(
        self, query: Float[Tensor, "batch tgt hidden"], keys: Float[Tensor, "batch src key"]
    ) -> Float[Tensor, "batch tgt src"]:
        return self.sharpness * super().score(F.normalize(query, dim=-1), keys)


class GeneralAttention(DotAttention):
    """Score by a bilinear form: score = q W k (Luong et al. 2015, section 3.1, general). W k is computed once per
    sentence, as the key."""

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__(settings)
        self.key = nn.Linear(settings.hidden, settings.hidden, bias=False)

    def memory(self, encoded: Float[Tensor, "batch src hidden"], mask: Bool[Tensor, "batch src"]) -> Memory:
        return Memory(self.key(encoded), encoded, mask)


class AdditiveAttention(Attention):
    """Score by a small network: score = v . tanh(W q + U k) (Bahdanau et al. 2015, equation A.1.2; Luong's concat)."""

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__(settings)
        self.depth = settings.hidden
        self.query = Linear(settings.hidden, settings.hidden)
        self.key = nn.Linear(settings.hidden, settings.hidden, bias=False)
        self.energy = nn.Linear(settings.hidden, 1, bias=False)

    def memory(self, encoded: Float[Tensor, "batch src hidden"], mask: Bool[Tensor, "batch src"]) -> Memory:
        return Memory(self.key(encoded), encoded, mask)

    def score(
        self, query: Float[Tensor, "batch tgt hidden"], keys: Float[Tensor, "batch src key"]
    ) -> Float[Tensor, "batch tgt src"]:
        # (batch, tgt, 1, hidden) + (batch, 1, src, hidden) -> (batch, tgt, src, hidden)
        energy = torch.tanh(self.query(query).unsqueeze(2) + keys.unsqueeze(1))
        return torch.as_tensor(self.energy(energy).squeeze(-1))  # (batch, tgt, src, 1) -> (batch, tgt, src)


class QueryKeyValueAttention(Attention):
    """Attend by softmax(W_q q . W_k k / sqrt(d)) W_v v (Vaswani et al. 2017, equation 1, with learnt projections)."""

    def __init__(self, settings: ModelSettings, heads: int = 1) -> None:
        super().__init__(settings)
        self.depth = self.heads = heads
        self.query = Linear(settings.hidden, settings.hidden, bias=False)
        self.key = nn.Linear(settings.hidden, settings.hidden, bias=False)
        self.value = nn.Linear(settings.hidden, settings.hidden, bias=False)

    def memory(self, encoded: Float[Tensor, "batch src hidden"], mask: Bool[Tensor, "batch src"]) -> Memory:
        return Memory(self.key(encoded), self.value(encoded), mask)

    def attend(
        self, query: Float[Tensor, "batch tgt hidden"], word: Float[Tensor, "batch tgt embed"], memory: Memory
    ) -> tuple[Float[Tensor, "batch tgt context"], Float[Tensor, "batch tgt src"]]:
        weights = self.of_heads(query, memory)
        # (batch, heads, tgt, src) @ (batch, heads, src, size) -> (batch, tgt, heads * size), (batch, tgt, src)
        return product(weights, self._split(memory.values)).transpose(1, 2).flatten(2), weights.mean(dim=1)

    def of_heads(
        self, query: Float[Tensor, "batch tgt hidden"], memory: Memory
    ) -> Float[Tensor, "batch heads tgt src"]:
        """Return the weights of each head."""
        q, k = (self._split(part) for part in (self.query(query), memory.keys))  # (batch, heads, tgt or src, size)
        scores = product(q, k.transpose(2, 3)) / math.sqrt(q.size(-1))  # (batch, heads, tgt, src)
        return masked_softmax(scores.flatten(1, 2), memory.mask).view_as(scores)  # over (batch, heads * tgt, src)

    def _split(self, part: Float[Tensor, "batch time hidden"]) -> Float[Tensor, "batch heads time size"]:
        batch, time, _ = part.shape
        # (batch, time, heads, size) -> (batch, heads, time, size)
        return part.view(batch, time, self.heads, -1).transpose(1, 2)


class MultiHeadAttention(QueryKeyValueAttention):
    """Attend with several query-key-value heads in parallel, then W_o (Vaswani et al. 2017); weights: the heads'
    mean."""

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__(settings, settings.attention_heads)
        self.output = Linear(settings.hidden, settings.hidden, bias=False)

    def attend(
        self, query: Float[Tensor, "batch tgt hidden"], word: Float[Tensor, "batch tgt embed"], memory: Memory
    ) -> tuple[Float[Tensor, "batch tgt context"], Float[Tensor, "batch tgt src"]]:
        context, weights = super().attend(query, word, memory)
        return self.output(context), weights


class HardAttention(GeneralAttention):
    """Attend to one position instead of a mixture (Xu et al. 2015, section 4.1), scored as by `general`.

    Training draws the position from softmax(score) and sends the gradient straight through to the softmax (the
    straight-through Gumbel estimator, Jang et al. 2017) where Xu et al. use REINFORCE; otherwise the best one is taken.
    """

    def weigh(
        self, scores: Float[Tensor, "batch tgt src"], mask: Bool[Tensor, "batch src"]
    ) -> Float[Tensor, "batch tgt src"]:
        scores = scores.masked_fill(~mask.unsqueeze(1), -torch.inf)
        if self.training:
            return F.gumbel_softmax(scores, hard=True)
        return F.one_hot(scores.argmax(dim=-1), scores.size(-1)).to(scores.dtype)  # (batch, tgt, src)


# By position ---------------------------------------------------------------------------------------------------------


class LocationAttention(Attention):
    """Attend by position alone: weights = softmax(W [state; word] + b) over the first `attention_length` positions.

    Luong et al. 2015, equation 8 (location), and the attention of PyTorch's translation tutorial.
    """

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__(settings)
        self.position = Linear(settings.hidden + settings.embedding, settings.attention_length)

    def attend(
        self, query: Float[Tensor, "batch tgt hidden"], word: Float[Tensor, "batch tgt embed"], memory: Memory
    ) -> tuple[Float[Tensor, "batch tgt context"], Float[Tensor, "batch tgt src"]]:
        # (batch, tgt, hidden + embed) -> (batch, tgt, attention_length)
        scores = self.position(torch.cat([query, word], dim=-1))
        beyond = memory.mask.size(1) - scores.size(-1)  # positions that have no score; negative: scores left over
        # Padded or cut to (batch, tgt, src)
        weights = masked_softmax(F.pad(scores, (0, beyond), value=-torch.inf), memory.mask)
        return product(weights, memory.values), weights


class LocalAttention(GeneralAttention):
    """Attend to a window around a predicted centre p = S sigmoid(v . tanh(W q)), S being the number of source tokens
    (Luong et al. 2015, equations 9 and 10, local-p).

    score = q W k - (s - p)^2 / (2 sigma^2), sigma = D / 2, for tokens s within D of p: the softmax of it is the
    paper's product of alignment and Gaussian, brought back to sum 1. For long sources only the window is read, so the
    time per position does not grow with the source.
    """

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__(settings)
        self.reach = settings.attention_window
        self.query = Linear(settings.hidden, settings.hidden)
        self.centre = nn.Linear(settings.hidden, 1, bias=False)

    def attend(
        self, query: Float[Tensor, "batch tgt hidden"], word: Float[Tensor, "batch tgt embed"], memory: Memory
    ) -> tuple[Float[Tensor, "batch tgt context"], Float[Tensor, "batch tgt src"]]:
        length = memory.mask.sum(dim=1).view(-1, 1, 1)  # (batch, 1, 1)
        centre = length * torch.sigmoid(self.centre(torch.tanh(self.query(query))))  # (batch, tgt, 1)
        if query.size(1) * (2 * self.reach + 1) >= memory.mask.size(1):
            places = torch.arange(memory.mask.size(1), device=query.device).view(1, 1, -1)  # (1, 1, src)
            scores = self.score(query, memory.keys) + self._nearness(places, centre)
            weights = masked_softmax(scores, memory.mask)
            return product(weights, memory.values), weights
        # The source is long: read the window alone.
        first = (centre.detach() - self.reach).ceil().long()  # (batch, tgt, 1)
        wanted = first + torch.arange(2 * self.reach + 1, device=query.device)  # (batch, tgt, window)
        places = wanted.clamp(0, memory.mask.size(1) - 1)
        sentence = torch.arange(query.size(0), device=query.device).view(-1, 1, 1)  # (batch, 1, 1)
        scores = (query.unsqueeze(2) @ memory.keys[sentence, places].transpose(2, 3)).squeeze(2)  # (batch, tgt, window)
        real = (places == wanted) & memory.mask[sentence, places]
        scores = (scores + self._nearness(places, centre)).masked_fill(~real, -torch.inf)
        weights = F.softmax(scores, dim=-1, dtype=torch.float32).to(scores.dtype)
        context = (weights.unsqueeze(2) @ memory.values[sentence, places]).squeeze(2)  # (batch, tgt, value)
        everywhere = weights.new_zeros(*query.shape[:2], memory.mask.size(1))
        return context, everywhere.scatter_add(2, places, weights)  # weights (batch, tgt, window) -> (batch, tgt, src)

    def _nearness(
        self, places: Int[Tensor, "#batch #tgt place"], centre: Float[Tensor, "batch tgt 1"]
    ) -> Float[Tensor, "batch tgt place"]:
        """Return the logarithm of the Gaussian; -inf outside the window."""
        distance = (places - centre) / self.reach
        return (-2 * distance**2).masked_fill(distance.abs() > 1, -torch.inf)


# By what has been read before ----------------------------------------------------------------------------------------


class CoverageAttention(AdditiveAttention):
    """Score with coverage: score = v . tanh(W q + U k + w c), c being the sum of the weights at the positions before
    (See et al. 2017, equations 10 and 11; Tu et al. 2016)."""

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__(settings)
        self.coverage = nn.Linear(1, settings.hidden, bias=False)

    def initial_state(self, memory: Memory) -> State:
        return (memory.keys.new_zeros(1, *memory.mask.shape),)  # (1, batch, src)

    def forward(
        self,
        query: Float[Tensor, "rows tgt hidden"],
        memory: Memory,
        word: Float[Tensor, "rows tgt embed"],
        cache: State = (),
    ) -> Attended:
        batch, source = memory.mask.shape
        rows, positions, _ = query.shape
        queries = self.query(query).unflatten(0, (batch, -1))  # (rows, tgt, hidden) -> (batch, beam, tgt, hidden)
        coverage = cache[0].view(batch, -1, source)  # (1, rows, src) -> (batch, beam, src)
        weights = []
        for position in range(positions):
            read = queries[:, :, position].unsqueeze(2) + memory.keys.unsqueeze(1)  # (batch, beam, src, hidden)
            energy = self.energy(torch.tanh(read + self.coverage(coverage.unsqueeze(-1))))  # (batch, beam, src, 1)
            weights.append(masked_softmax(energy.squeeze(-1), memory.mask))
            coverage = coverage + weights[-1]
        attention = torch.stack(weights, dim=2).flatten(1, 2)  # (batch, rows of a sentence x positions, source)
        # (batch, beam * tgt, value) -> (rows, tgt, value)
        context = (attention @ memory.values).view(rows, positions, -1)
        return Attended(context, attention.view(rows, positions, source), (coverage.view(1, rows, source),))


ATTENTIONS: dict[str, type[Attention]] = {
    "none": NoAttention,
    "dot": DotAttention,
    "scaled_dot": ScaledDotAttention,
    "cosine": CosineAttention,
    "general": GeneralAttention,
    "additive": AdditiveAttention,
    "qkv": QueryKeyValueAttention,
    "multihead": MultiHeadAttention,
    "hard": HardAttention,
    "location": LocationAttention,
    "local": LocalAttention,
    "coverage": CoverageAttention,
}
