"""Which tokens may come next: no padding, no unknown word, no repetition if asked; an end neither early nor late."""

import math

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nmt.config import DecodingSettings
from nmt.data.subword import BOS_ID, EOS_ID, PAD_ID, UNK_ID


def longest_allowed(source: Int[Tensor, "batch src"], settings: DecodingSettings) -> Int[Tensor, "batch"]:
    """Most tokens, the end not counted, that each sentence's translation may have."""
    pieces = (source != PAD_ID).sum(dim=1) - 1
    return (pieces * settings.max_ratio).ceil().long().add(10).clamp(max=settings.max_length)


def allow(
    log_probs: Float[Tensor, "rows vocab"],
    tokens: Int[Tensor, "rows time"],
    limit: Int[Tensor, "rows"],
    settings: DecodingSettings,
) -> Float[Tensor, "rows vocab"]:
    """Sets everything that may not come next to -inf, in place. `tokens` starts with begin."""
    length = tokens.size(1) - 1
    forbidden = [PAD_ID, BOS_ID] if settings.replace_unknown else [PAD_ID, UNK_ID, BOS_ID]
    log_probs[:, forbidden] = -math.inf
    if settings.no_repeat_ngram:
        _forbid_repeats(log_probs, tokens, settings.no_repeat_ngram)
    early, late = length < settings.min_length, (length >= limit) & ~log_probs[:, EOS_ID].isneginf()
    at_the_limit = bool(late.any())
    if not (early or at_the_limit):
        return log_probs
    end = log_probs[:, EOS_ID].clone()
    if at_the_limit:
        log_probs.masked_fill_(late.unsqueeze(1), -math.inf)
        log_probs[:, EOS_ID] = end
    if early:
        log_probs[:, EOS_ID] = -math.inf
        if at_the_limit or settings.no_repeat_ngram:  # where no word is left, the end may come all the same
            stuck = log_probs.amax(dim=1).isneginf()
            log_probs[:, EOS_ID] = torch.where(stuck, end, -math.inf)
    return log_probs


def _forbid_repeats(log_probs: Float[Tensor, "rows vocab"], tokens: Int[Tensor, "rows time"], n: int) -> None:
    """Sets to -inf, in place, every token that would complete an n-gram for the second time."""
    if tokens.size(1) < n:
        return
    ngrams = tokens.unfold(1, n, 1)
    recent = tokens[:, tokens.size(1) - n + 1 :]
    seen = (ngrams[:, :, :-1] == recent.unsqueeze(1)).all(dim=-1)
    penalty = torch.where(seen, -math.inf, 0.0).to(log_probs.dtype)
    log_probs.scatter_reduce_(1, ngrams[:, :, -1], penalty, reduce="sum")
