"""Which tokens may come next: no padding, no half character, no repetition if asked; an end neither early nor late.

A CPU looks whether a constraint concerns any hypothesis and skips the work where it does not. A GPU is not asked: it
does the work for all, since waiting for its answer would take longer.
"""

import math
from dataclasses import dataclass, replace

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nmt.config import DecodingSettings
from nmt.data.statistics import TargetLengths
from nmt.data.subword import BOS_ID, EOS_ID, PAD_ID, UNK_ID, Subword
from nmt.inference.characters import Characters

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
        """Return the constraints of a target vocabulary and of given lengths."""
        blank = torch.from_numpy(target.blank())
        return cls(lengths, blank, Characters.of(target.byte_values), unknown=not target.has_bytes)

    def to(self, device: torch.device) -> "Constraints":
        """Move the tensors to a device."""
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
    pieces = (source != PAD_ID).sum(dim=1) - 1  # (batch, src) -> (batch,), without the end
    ratio, longest = settings.max_ratio, settings.max_length
    if not ratio and constraints.lengths is None:
        ratio, longest = RATIO, longest or LONGEST
    if ratio:
        limit = (pieces * ratio).ceil().long().add(10)
        limit = limit.clamp(max=longest) if longest else limit
    elif longest or constraints.lengths is None:
        limit = torch.full_like(pieces, longest)
    else:
        limit = torch.from_numpy(constraints.lengths.limits(pieces.cpu().numpy())).to(pieces.device)
    return limit if constraints.least is None else torch.maximum(limit, constraints.least.to(limit.device))


def concerns_any(rows: Bool[Tensor, "*shape"]) -> bool:
    """Return whether any value is true; of a GPU, which is not waited for, assume it."""
    return rows.device.type != "cpu" or bool(rows.any())


class Allowed:
    """Apply the constraints of one search to the log-probabilities of each step."""

    def __init__(self, settings: DecodingSettings, constraints: Constraints, first_limit: int) -> None:
        """`first_limit` is the smallest number of tokens that a translation of this search may have at most."""
        self.settings, self.constraints, self.first_limit = settings, constraints, first_limit
        self.shortest = max(settings.min_length, 0 if settings.allow_empty else 1)
        keeps_unknown = constraints.unknown and settings.replace_unknown
        self._special = [PAD_ID, BOS_ID] if keeps_unknown else [PAD_ID, BOS_ID, UNK_ID]
        # On each device, the tokens that no hypothesis has, and with them those that begin no character.
        self._never: dict[torch.device, tuple[Tensor, Tensor]] = {}
        self._begins_blank = True  # whether the first token of any hypothesis may be a blank one

    def __call__(
        self, log_probs: Float[Tensor, "rows vocab"], tokens: Int[Tensor, "rows time"], limit: Int[Tensor, "rows"]
    ) -> Float[Tensor, "rows vocab"]:
        """Set everything that may not come next to -inf, in place. `tokens` starts with begin.

        A given prefix wins over other constraints, for example over a ban on repetitions.
        """
        if self.constraints.least is None:
            return self._forbid(log_probs, tokens, limit)
        before = log_probs.clone()
        log_probs = self._forbid(log_probs, tokens, limit)
        stuck = log_probs.amax(dim=1).isneginf().unsqueeze(1)  # (rows, 1): nothing is left that the prefix allows
        return torch.where(stuck, before, log_probs)

    def _forbid(
        self, log_probs: Float[Tensor, "rows vocab"], tokens: Int[Tensor, "rows time"], limit: Int[Tensor, "rows"]
    ) -> Float[Tensor, "rows vocab"]:
        settings, constraints, characters = self.settings, self.constraints, self.constraints.characters
        length, device = tokens.size(1) - 1, log_probs.device
        if device not in self._never:
            special = torch.tensor(self._special).to(device, non_blocking=True)
            self._never[device] = special, torch.cat([special, characters.illegal]) if characters else special
        special, never = self._never[device]
        begun = characters is not None and concerns_any(characters.begun(tokens))
        log_probs.index_fill_(1, special if begun else never, -math.inf)
        within = characters.within(log_probs, tokens) if characters and begun else None
        n = settings.no_repeat_ngram
        if n and tokens.size(1) >= n:  # forbid every token that would complete an n-gram for the second time
            ngrams = tokens.unfold(1, n, 1)  # (rows, time) -> (rows, ngrams, n)
            recent = tokens[:, tokens.size(1) - n + 1 :]  # (rows, n - 1): what the next token would complete
            seen = (ngrams[:, :, :-1] == recent.unsqueeze(1)).all(dim=-1)  # (rows, ngrams)
            penalty = torch.where(seen, -math.inf, 0.0).to(log_probs.dtype)
            log_probs.scatter_reduce_(1, ngrams[:, :, -1], penalty, reduce="sum")
        if not settings.allow_empty and constraints.blank is not None:
            self._show_something(log_probs, tokens, limit, constraints.blank)
        if characters and begun:
            log_probs.index_fill_(1, never, -math.inf)
        if characters and length + characters.longest > self.first_limit:
            characters.leave_room(log_probs, limit - length)
        if within is not None:
            log_probs = within.put_back(log_probs)
        return self._end_in_time(log_probs, length, limit)

    def _show_something(
        self,
        log_probs: Float[Tensor, "rows vocab"],
        tokens: Int[Tensor, "rows time"],
        limit: Int[Tensor, "rows"],
        blank: Bool[Tensor, "vocab"],
    ) -> None:
        """Forbid, in place, translations of blank tokens alone: such tokens, as the indentation of code, may begin a
        translation, but neither the end nor, where only one token is left, another blank one may follow them."""
        length = tokens.size(1) - 1
        if length == 1:
            self._begins_blank = concerns_any(blank[tokens[:, 1]])
        if length and not self._begins_blank:  # later hypotheses begin as some did at the first token
            return
        rows = blank[tokens[:, 1:]].all(dim=1)  # all rows where there is no token yet
        if length:
            log_probs[:, EOS_ID].masked_fill_(rows, -math.inf)
        if length + 1 < self.first_limit:
            return
        last = rows & (limit - length <= 1)
        if concerns_any(last):
            log_probs.masked_fill_(last.unsqueeze(1) & blank.unsqueeze(0), -math.inf)

    def _end_in_time(
        self, log_probs: Float[Tensor, "rows vocab"], length: int, limit: Int[Tensor, "rows"]
    ) -> Float[Tensor, "rows vocab"]:
        """Forbid an end that comes too early, and everything but the end where it is late."""
        early = length < self.shortest
        late = length >= limit if length >= self.first_limit else None
        at_the_limit = late is not None and concerns_any(late)
        if not (early or at_the_limit):
            return log_probs
        end = log_probs[:, EOS_ID].clone()
        if late is not None and at_the_limit:
            log_probs.masked_fill_(late.unsqueeze(1), -math.inf)
            log_probs[:, EOS_ID] = end
        if early:
            log_probs[:, EOS_ID].fill_(-math.inf)
            if at_the_limit or self.settings.no_repeat_ngram:  # where no word is left, the end may come all the same
                stuck = log_probs.amax(dim=1).isneginf()
                log_probs[:, EOS_ID] = torch.where(stuck, end, -math.inf)
        return log_probs
