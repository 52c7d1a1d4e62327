"""Sampling: translations drawn word by word from the model's distribution, instead of searched for."""

import math
from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from nmt.config import DecodingSettings
from nmt.inference.constraints import NO_CONSTRAINTS, Constraints, longest_allowed
from nmt.inference.request import Sampling
from nmt.inference.search import Hypothesis, Searchable, word_by_word
from nmt.inference.trace import Trace

FEW = 512  # words among which the nucleus is looked for first

Place = tuple[int, int]  # number of a line, and of a part of it, from 0


def sample(
    model: Searchable,
    source: Int[Tensor, "batch src"],
    settings: DecodingSettings,
    sampling: Sampling,
    count: int = 1,
    places: Sequence[Place] = (),
    constraints: Constraints = NO_CONSTRAINTS,
    trace: Trace | None = None,
) -> list[list[Hypothesis]]:
    """Draw `count` independent samples of each sentence; return them in the order in which they were drawn.

    Their log-probability is the model's, before temperature and truncation. `places` tells where each sentence stands,
    by default in the line of its row: what is drawn for it depends on the seed and its place alone, not on its company
    in the batch.
    """
    limit = int(longest_allowed(source, settings, constraints).max()) + 1
    chance = uniforms(sampling.seed, places or [(row, 0) for row in range(len(source))], count, limit)
    device: torch.device | None = getattr(model, "device", None)
    if device is not None and device.type == "cuda":  # MPS has no float64
        chance = chance.to(device, non_blocking=True)

    def choose(log_probs: Tensor, rows: Tensor, position: int) -> Tensor:
        # The largest becomes 0, so that no temperature, however low, makes all of a row -inf.
        cooled = (log_probs - log_probs.amax(dim=-1, keepdim=True)) / sampling.temperature
        return draw(truncate(cooled, sampling.top_k, sampling.top_p), chance[rows.to(chance.device), position])

    with torch.inference_mode():
        return word_by_word(model, source, settings, choose, count, constraints, trace)


def uniforms(seed: int | None, places: Sequence[Place], count: int, length: int) -> Float[Tensor, "rows length"]:
    """Draw numbers in [0, 1) for `count` samples at each place, a function of (seed, place, count). In float64,
    which not every device has, so they are on the CPU."""
    entropy = np.random.SeedSequence(seed).entropy
    keys = [(entropy, line, part) if part else (entropy, line) for line, part in places]
    numbers = [np.random.default_rng(key).random((length, count)).T for key in keys]  # type: ignore[arg-type]
    return torch.from_numpy(np.concatenate(numbers))


def truncate(logits: Float[Tensor, "rows vocab"], top_k: int, top_p: int | float) -> Float[Tensor, "rows vocab"]:
    """Set the logits outside the top k, and then outside the nucleus, to -inf. Of equal ones the first stay."""
    if 0 < top_k < logits.size(1):
        logits = _keep(logits, logits.topk(top_k).values[:, -1:], top_k)
    return _nucleus(logits, top_p, FEW) if top_p < 1 else logits


def _nucleus(logits: Float[Tensor, "rows vocab"], top_p: int | float, few: int) -> Float[Tensor, "rows vocab"]:
    """Keep the likeliest tokens of each row until they have `top_p`. A row is sorted completely only if its `few`
    likeliest have less."""
    whole = few >= logits.size(1)
    ordered, words = logits.sort(dim=-1, descending=True) if whole else logits.topk(few)
    mass = logits.softmax(dim=-1).gather(1, words).cumsum(dim=-1)  # (rows, few), rising
    count = ((mass < top_p).sum(dim=-1, keepdim=True) + 1).clamp(max=ordered.size(1))
    kept = _keep(logits, ordered.gather(1, count - 1), count)
    flat = mass[:, -1] < top_p
    if not whole and flat.any():
        kept[flat] = _nucleus(logits[flat], top_p, logits.size(1))
    return kept


def _keep(
    logits: Float[Tensor, "rows vocab"], least: Float[Tensor, "rows 1"], count: Int[Tensor, "rows 1"] | int
) -> Float[Tensor, "rows vocab"]:
    """Keep the `count` largest of each row, whose smallest is `least`, and set the others to -inf."""
    # Several tokens may share the smallest value: the first of them fill up the count.
    more, equal = logits > least, logits == least
    first = equal.cumsum(dim=-1, dtype=torch.int32) <= count - more.sum(dim=-1, keepdim=True)
    return logits.masked_fill(~(more | (equal & first)), -math.inf)


def draw(logits: Float[Tensor, "rows vocab"], chance: Float[Tensor, "rows"]) -> Int[Tensor, "rows"]:
    """Draw a token of each row: the first at which the cumulative probability exceeds `chance`."""
    exact = logits.cpu() if logits.device.type == "mps" else logits  # MPS has no float64
    cumulative = exact.softmax(dim=-1, dtype=torch.float64).cumsum(dim=-1)
    total = cumulative[:, -1:]
    wanted = (chance.to(total).unsqueeze(1) * total).clamp(max=torch.nextafter(total, torch.zeros_like(total)))
    return torch.searchsorted(cumulative, wanted, right=True).squeeze(1).to(logits.device)
