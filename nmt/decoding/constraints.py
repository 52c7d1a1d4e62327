"""Which tokens may come next: no padding, no half character, no repetition if asked; an end neither early nor late."""

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nmt.config import DecodingSettings
from nmt.data.statistics import TargetLengths
from nmt.data.subword import BOS_ID, EOS_ID, PAD_ID, UNK_ID, Subword
from nmt.decoding.characters import Characters

# Limits of a model that nothing is known about, as of a run that is older than its statistics.
RATIO, LONGEST = 2.0, 200


@dataclass(frozen=True)
class Constraints:
    """Hold the constraints that come from the training pairs and the vocabulary, not from the settings."""

    lengths: TargetLengths | None = None
    blank: Bool[Tensor, "vocab"] | None = None  # pieces that show nothing: a translation is not made of them alone
    characters: Characters | None = None  # of a vocabulary with bytes
    unknown: bool = False  # whether an unknown word may come: in a vocabulary that cannot spell every word
    least: Int[Tensor, " sentences"] | None = None  # tokens that each translation has room for: a given prefix and more

    @classmethod
    def of(cls, target: Subword, lengths: TargetLengths | None = None) -> "Constraints":
        blank = torch.from_numpy(target.blank())
        return cls(lengths, blank, Characters.of(target.byte_values), unknown=not target.has_bytes)

    def to(self, device: torch.device) -> "Constraints":
        blank, characters = self.blank, self.characters
        return replace(
            self,
            blank=None if blank is None else blank.to(device),
            characters=characters and characters.to(device),
        )

    def among(self, pieces: Int[Tensor, " pieces"]) -> "Constraints":
        """Return the same constraints for a model that knows only some of the tokens."""
        blank, characters = self.blank, self.characters
        return replace(
            self,
            blank=None if blank is None else blank[pieces.to(blank.device)],
            characters=characters and characters.among(pieces),
        )


NO_CONSTRAINTS = Constraints()


def longest_allowed(
    source: Int[Tensor, "batch src"], settings: DecodingSettings, constraints: Constraints = NO_CONSTRAINTS
) -> Int[Tensor, "batch"]:
    """Return the most tokens, the end not counted, that each sentence's translation may have.

    `max_ratio` and `max_length` decide where they are set, otherwise the training pairs. A prefix always has room.
    """
    limit = _longest_by_source(source, settings, constraints)
    return limit if constraints.least is None else torch.maximum(limit, constraints.least)


def _longest_by_source(
    source: Int[Tensor, "batch src"], settings: DecodingSettings, constraints: Constraints
) -> Int[Tensor, "batch"]:
    pieces = (source != PAD_ID).sum(dim=1) - 1
    ratio, longest = settings.max_ratio, settings.max_length
    if not ratio and constraints.lengths is None:
        ratio, longest = RATIO, longest or LONGEST
    if ratio:
        limit = (pieces * ratio).ceil().long().add(10)
        return limit.clamp(max=longest) if longest else limit
    if longest or constraints.lengths is None:
        return torch.full_like(pieces, longest)
    return torch.from_numpy(constraints.lengths.limits(pieces.cpu().numpy())).to(pieces.device)


def allow(
    log_probs: Float[Tensor, "rows vocab"],
    tokens: Int[Tensor, "rows time"],
    limit: Int[Tensor, "rows"],
    settings: DecodingSettings,
    constraints: Constraints = NO_CONSTRAINTS,
) -> Float[Tensor, "rows vocab"]:
    """Sets everything that may not come next to -inf, in place. `tokens` starts with begin.

    A given prefix comes first: where all that it allows would be forbidden, as a repetition, it comes all the same.
    """
    if constraints.least is None:
        return _allow(log_probs, tokens, limit, settings, constraints)
    before = log_probs.clone()
    log_probs = _allow(log_probs, tokens, limit, settings, constraints)
    stuck = log_probs.amax(dim=1).isneginf()
    log_probs[stuck] = before[stuck]
    return log_probs


def _allow(
    log_probs: Float[Tensor, "rows vocab"],
    tokens: Int[Tensor, "rows time"],
    limit: Int[Tensor, "rows"],
    settings: DecodingSettings,
    constraints: Constraints,
) -> Float[Tensor, "rows vocab"]:
    length = tokens.size(1) - 1
    shortest = max(settings.min_length, 0 if settings.allow_empty else 1)
    log_probs[:, [PAD_ID, BOS_ID]] = -math.inf
    if not (constraints.unknown and settings.replace_unknown):
        log_probs[:, UNK_ID] = -math.inf
    characters = constraints.characters
    within = characters.within(log_probs, tokens) if characters else None
    if settings.no_repeat_ngram:
        _forbid_repeats(log_probs, tokens, settings.no_repeat_ngram)
    if not settings.allow_empty and constraints.blank is not None:
        _show_something(log_probs, tokens, limit, constraints.blank)
    if characters:
        characters.forbid(log_probs, within, limit - length)
    early, late = length < shortest, length >= limit
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


def _show_something(
    log_probs: Float[Tensor, "rows vocab"],
    tokens: Int[Tensor, "rows time"],
    limit: Int[Tensor, "rows"],
    blank: Bool[Tensor, "vocab"],
) -> None:
    """Forbid, in place, translations of blank tokens alone: such tokens, as the indentation of code, may begin a
    translation, but neither the end nor, where only one token is left, another blank one may follow them."""
    length = tokens.size(1) - 1
    rows = blank[tokens[:, 1]] if length else torch.ones_like(limit, dtype=torch.bool)
    if not rows.any():
        return
    rows = rows & blank[tokens[:, 1:]].all(dim=1)
    if length:
        log_probs[rows, EOS_ID] = -math.inf
    last = rows & (limit - length <= 1)
    if last.any():
        log_probs.masked_fill_(last.unsqueeze(1) & blank.unsqueeze(0), -math.inf)


def _forbid_repeats(log_probs: Float[Tensor, "rows vocab"], tokens: Int[Tensor, "rows time"], n: int) -> None:
    """Sets to -inf, in place, every token that would complete an n-gram for the second time."""
    if tokens.size(1) < n:
        return
    ngrams = tokens.unfold(1, n, 1)
    recent = tokens[:, tokens.size(1) - n + 1 :]
    seen = (ngrams[:, :, :-1] == recent.unsqueeze(1)).all(dim=-1)
    penalty = torch.where(seen, -math.inf, 0.0).to(log_probs.dtype)
    log_probs.scatter_reduce_(1, ngrams[:, :, -1], penalty, reduce="sum")
