"""Sampling: translations drawn word by word from the model's distribution, instead of searched for."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from nmt.config import DecodingSettings
from nmt.decoding.constraints import longest_allowed
from nmt.decoding.search import Hypothesis, Searchable, word_by_word
from nmt.errors import ConfigError


@dataclass(frozen=True)
class Sampling:
    """What may be drawn, and how boldly; as it stands, from the model's own distribution. Raises ConfigError."""

    temperature: int | float = 1.0  # logits are divided by it: below 1 likely words gain, above 1 unlikely ones
    top_k: int = 0  # only the k likeliest words (Fan et al. 2018); 0: all
    top_p: int | float = 1.0  # only the smallest set of words with this probability (nucleus; Holtzman et al. 2020)
    seed: int | None = None  # None: other samples each time

    def __post_init__(self) -> None:
        wrong = (
            (not 0 < self.temperature < math.inf, f"temperature: {self.temperature:g} must be more than 0"),
            (self.top_k < 0, f"top_k: {self.top_k} must be 0 or more"),
            (not 0 < self.top_p <= 1, f"top_p: {self.top_p:g} must be more than 0 and at most 1"),
            (self.seed is not None and self.seed < 0, f"seed: {self.seed} must be 0 or more"),
        )
        if problems := [problem for is_wrong, problem in wrong if is_wrong]:
            raise ConfigError(*problems)


def sample(
    model: Searchable,
    source: Int[Tensor, "batch src"],
    settings: DecodingSettings,
    sampling: Sampling,
    count: int = 1,
    lines: Sequence[int] = (),
) -> list[list[Hypothesis]]:
    """`count` independent samples of each sentence, in the order in which they were drawn.

    Their log-probability is the model's, before temperature and truncation. `lines` gives each sentence a number, by
    default its row: what is drawn for it depends on the seed and this number alone, not on its company in the batch.
    """
    limit = int(longest_allowed(source, settings).max()) + 1
    chance = uniforms(sampling.seed, lines or range(len(source)), count, limit).to(source.device)

    def choose(log_probs: Tensor, rows: Tensor, position: int) -> Tensor:
        cooled = (log_probs - log_probs.amax(dim=-1, keepdim=True)) / sampling.temperature
        return draw(truncate(cooled, sampling.top_k, sampling.top_p), chance[rows, position])

    with torch.inference_mode():
        return word_by_word(model, source, settings, choose, count)


def uniforms(seed: int | None, lines: Sequence[int], count: int, length: int) -> Float[Tensor, "rows length"]:
    """Numbers in [0, 1) for `count` samples of each line; those of a line are a function of (seed, line, count)."""
    entropy = np.random.SeedSequence(seed).entropy
    numbers = [np.random.default_rng((entropy, line)).random((length, count)).T for line in lines]  # type: ignore[arg-type]
    return torch.from_numpy(np.concatenate(numbers))


def truncate(logits: Float[Tensor, "rows vocab"], top_k: int, top_p: int | float) -> Float[Tensor, "rows vocab"]:
    """Logits with everything outside the top k, and then outside the nucleus, at -inf. The likeliest always stays."""
    if not top_k and top_p == 1:
        return logits
    ordered, tokens = logits.sort(dim=-1, descending=True, stable=True)
    if top_k:
        ordered[:, top_k:] = -math.inf
    shares = ordered.softmax(dim=-1)
    likelier = shares.cumsum(dim=-1) - shares  # the mass of the words before it
    likelier[:, 0] = 0.0
    return torch.empty_like(logits).scatter_(1, tokens, ordered.masked_fill(likelier >= top_p, -math.inf))


def draw(logits: Float[Tensor, "rows vocab"], chance: Float[Tensor, "rows"]) -> Int[Tensor, "rows"]:
    """A token of each row: the first at which the cumulative probability exceeds `chance`."""
    exact = logits.cpu() if logits.device.type == "mps" else logits  # MPS has no float64
    cumulative = exact.softmax(dim=-1, dtype=torch.float64).cumsum(dim=-1)
    total = cumulative[:, -1:]
    wanted = (chance.to(total).unsqueeze(1) * total).clamp(max=torch.nextafter(total, torch.zeros_like(total)))
    return torch.searchsorted(cumulative, wanted, right=True).squeeze(1).to(logits.device)
