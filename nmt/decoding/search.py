"""Greedy and beam search, in tensors throughout: no Python loop over sentences or hypotheses.

Search knows a model by two methods, `encode` and `step` (see `Searchable`); an ensemble is just another object that
has them. A finished sentence leaves the batch. The memory is never copied for the hypotheses of a beam.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nmt.config import DecodingSettings
from nmt.data.subword import BOS_ID, EOS_ID, PAD_ID
from nmt.decoding.constraints import NO_CONSTRAINTS, Constraints, allow, longest_allowed
from nmt.decoding.topk import topk
from nmt.decoding.trace import Trace
from nmt.model import State
from nmt.model.deferred_gradients import deferred_gradients


@runtime_checkable
class Encoded(Protocol):
    """Define what search needs of a memory: which source tokens are real, and the memory of some of the sentences."""

    @property
    def mask(self) -> Tensor: ...

    def select(self, rows: Tensor) -> "Encoded": ...


@runtime_checkable
class Searchable(Protocol):
    """Define what search needs of a model. `memory` is what `encode` returned; search overwrites the
    log-probabilities of a step."""

    def encode(self, source: Tensor) -> tuple[Encoded, State]: ...

    def step(self, tokens: Tensor, state: State, memory: Any) -> tuple[Tensor, State, Tensor]: ...


# (what may come next, the row that each was at the start, tokens before) -> a token for each
Choose = Callable[[Tensor, Tensor, int], Tensor]


class Hypothesis(NamedTuple):
    tokens: list[int]  # without begin and end
    score: float  # log-probability / length penalty + coverage penalty: what search maximises
    log_prob: float  # natural log, summed over the tokens and the end


def search(
    model: Searchable,
    source: Int[Tensor, "batch src"],
    settings: DecodingSettings,
    n_best: int = 1,
    constraints: Constraints = NO_CONSTRAINTS,
    trace: Trace | None = None,
) -> list[list[Hypothesis]]:
    """The best hypotheses of each sentence, best first: `n_best` of them, or as many as ended within the beam."""
    with torch.inference_mode(), deferred_gradients():
        if settings.beam_size == 1 and trace is None:
            return [[hypothesis] for hypothesis in greedy_search(model, source, settings, constraints)]
        return beam_search(model, source, settings, n_best, constraints, trace)


def length_penalty(length: Int[Tensor, "..."] | int, alpha: float) -> Float[Tensor, "..."]:
    """Return ((5 + length) / 6) ** alpha, `length` counting the end (Wu et al. 2016, equation 14)."""
    return ((5 + torch.as_tensor(length)) / 6) ** alpha


def coverage_penalty(coverage: Float[Tensor, "*rows src"], memory_mask: Tensor, beta: float) -> Float[Tensor, "*rows"]:
    """Return beta * sum of log(min(attention received, 1)) over the source tokens; at most 0 (Wu et al. 2016,
    equation 14)."""
    received = coverage.clamp(min=1e-6, max=1.0).masked_fill(~memory_mask, 1.0)
    return beta * received.log().sum(dim=-1)


def _score(
    log_prob: Float[Tensor, "*rows"],
    length: int,
    coverage: Float[Tensor, "*rows src"],
    memory_mask: Tensor,
    settings: DecodingSettings,
) -> Float[Tensor, "*rows"]:
    """Return what search maximises; `length` counts the end."""
    score = log_prob / length_penalty(length, settings.length_penalty)
    if settings.coverage_penalty:
        score = score + coverage_penalty(coverage, memory_mask, settings.coverage_penalty)
    return score


def greedy_search(
    model: Searchable,
    source: Int[Tensor, "batch src"],
    settings: DecodingSettings,
    constraints: Constraints = NO_CONSTRAINTS,
) -> list[Hypothesis]:
    """Take the likeliest token at each position. Equal to beam search with a beam of one."""
    found = word_by_word(model, source, settings, lambda log_probs, *_: log_probs.argmax(dim=-1), 1, constraints)
    return [hypothesis for [hypothesis] in found]


def word_by_word(
    model: Searchable,
    source: Int[Tensor, "batch src"],
    settings: DecodingSettings,
    choose: Choose,
    copies: int = 1,
    constraints: Constraints = NO_CONSTRAINTS,
) -> list[list[Hypothesis]]:
    """Grow `copies` hypotheses of each sentence by the token that `choose` picks, until the end."""
    memory, state = model.encode(source)
    limit = longest_allowed(source, settings, constraints)
    if copies > 1:  # they end at different times, so each needs a memory of its own
        rows = torch.arange(source.size(0), device=source.device).repeat_interleave(copies)  # (batch * copies,)
        memory, state, limit = memory.select(rows), _select(state, rows), limit[rows]
    live = torch.arange(len(limit), device=source.device)
    tokens = torch.full((len(limit), 1), BOS_ID, device=source.device)
    log_prob = torch.zeros(len(limit), device=source.device)
    coverage = torch.zeros_like(memory.mask, dtype=log_prob.dtype)
    found: list[list[Hypothesis | None]] = [[None] * copies for _ in range(source.size(0))]
    while len(live):
        log_probs, state, attention = model.step(tokens[:, -1], state, memory)  # (rows, vocab), state, (rows, src)
        allowed = allow(log_probs, tokens, limit, settings, constraints)
        chosen = choose(allowed, live, tokens.size(1) - 1).unsqueeze(1)  # (rows, 1)
        log_prob = log_prob + allowed.gather(1, chosen).squeeze(1)
        coverage = coverage + attention
        tokens = torch.cat([tokens, chosen], dim=1)  # (rows, time + 1)
        ended = tokens[:, -1] == EOS_ID
        if not ended.any():
            continue
        score = _score(log_prob, tokens.size(1) - 1, coverage, memory.mask, settings)
        out = ended.nonzero().squeeze(1)
        ends = zip(
            live[out].tolist(), tokens[out, 1:-1].tolist(), score[out].tolist(), log_prob[out].tolist(), strict=True
        )
        for row, *hypothesis in ends:
            found[row // copies][row % copies] = Hypothesis(*hypothesis)
        keep = (~ended).nonzero().squeeze(1)
        memory, state = memory.select(keep), _select(state, keep)
        live, limit, tokens, log_prob, coverage = (
            part.index_select(0, keep) for part in (live, limit, tokens, log_prob, coverage)
        )
    return [[hypothesis for hypothesis in copy if hypothesis is not None] for copy in found]


def _select(state: State, rows: Int[Tensor, "rows"]) -> State:
    return tuple(part.index_select(1, rows) for part in state)


@dataclass
class _Beam:
    """Hold the live hypotheses of the sentences that are still searched, best first, and those that ended."""

    sentence: Int[Tensor, "batch"]  # its row in the source
    limit: Int[Tensor, "batch"]
    memory: Encoded
    state: State  # rows = batch x beam
    tokens: Int[Tensor, "batch beam time"]
    log_prob: Float[Tensor, "batch beam"]  # -inf where there is no hypothesis
    coverage: Float[Tensor, "batch beam src"]
    ended_tokens: Int[Tensor, "batch beam ended"]  # padded after the end
    ended_score: Float[Tensor, "batch beam"]  # -inf where none has ended yet; best first
    ended_log_prob: Float[Tensor, "batch beam"]

    @property
    def size(self) -> int:
        return self.tokens.size(1)

    def select(self, keep: Int[Tensor, "kept"]) -> "_Beam":
        """Select some of the sentences."""
        rows = (keep.unsqueeze(1) * self.size + torch.arange(self.size, device=keep.device)).flatten()  # (kept * beam,)
        others = {name: part.index_select(0, keep) for name, part in vars(self).items() if isinstance(part, Tensor)}
        return replace(self, memory=self.memory.select(keep), state=_select(self.state, rows), **others)


def beam_search(
    model: Searchable,
    source: Int[Tensor, "batch src"],
    settings: DecodingSettings,
    n_best: int = 1,
    constraints: Constraints = NO_CONSTRAINTS,
    trace: Trace | None = None,
) -> list[list[Hypothesis]]:
    """Beam search with length normalisation. `trace` gets every hypothesis of every step.

    An ending counts only when it ranks within the beam. A sentence is done when `beam_size` hypotheses have ended and
    no live one is better than the `n_best`-th of them, or when none can still become better.
    """
    beam = _first_beam(model, source, settings, constraints)
    found: list[list[Hypothesis]] = [[] for _ in range(source.size(0))]
    n_best = min(n_best, settings.beam_size)
    while len(beam.sentence):
        beam = _advance(model, beam, settings, constraints, trace)
        done = _done(beam, settings, n_best)
        if done.any():
            _collect(beam.select(done.nonzero().squeeze(1)), found, n_best)
            beam = beam.select((~done).nonzero().squeeze(1))
    return found


def _first_beam(
    model: Searchable, source: Int[Tensor, "batch src"], settings: DecodingSettings, constraints: Constraints
) -> _Beam:
    memory, state = model.encode(source)
    shape = (source.size(0), settings.beam_size)
    log_prob = torch.full(shape, -math.inf, device=source.device)
    nothing = log_prob.clone()
    log_prob[:, 0] = 0.0
    begin = torch.full((*shape, 1), BOS_ID, device=source.device)  # (batch, beam, 1)
    return _Beam(
        sentence=torch.arange(source.size(0), device=source.device),
        limit=longest_allowed(source, settings, constraints),
        memory=memory,
        state=tuple(part.repeat_interleave(settings.beam_size, dim=1) for part in state),  # (_, batch * beam, _)
        tokens=begin,
        log_prob=log_prob,
        coverage=torch.zeros((*shape, source.size(1)), device=source.device),
        ended_tokens=begin,
        ended_score=nothing,
        ended_log_prob=nothing,
    )


def _advance(
    model: Searchable, beam: _Beam, settings: DecodingSettings, constraints: Constraints, trace: Trace | None = None
) -> _Beam:
    """One more token for every hypothesis."""
    batch, size = beam.log_prob.shape
    # Rows = batch * beam: (rows, vocab), state, (rows, src)
    log_probs, state, attention = model.step(beam.tokens[:, :, -1].flatten(), beam.state, beam.memory)
    limit = beam.limit.repeat_interleave(size)
    log_probs = allow(log_probs, beam.tokens.flatten(0, 1), limit, settings, constraints)
    coverage = beam.coverage + attention.unflatten(0, (batch, size))  # (batch, beam, src)

    # Twice the beam, since at most one candidate per hypothesis is an ending: enough go on living.
    totals = log_probs.add_(beam.log_prob.flatten().unsqueeze(1)).view(batch, -1)  # (batch, beam * vocab)
    log_prob, index = topk(totals, min(2 * size, totals.size(1)))  # (batch, 2 * beam)
    vocab = log_probs.size(1)
    parent, token = index // vocab, index % vocab
    tokens = torch.cat([_gather(beam.tokens, parent), token.unsqueeze(-1)], dim=-1)  # (batch, 2 * beam, time + 1)

    end = token == EOS_ID
    ends = end[:, :size] & log_prob[:, :size].isfinite()
    if ends.any():
        reached = _gather(coverage, parent[:, :size])
        beam = _add_endings(beam, tokens[:, :size], log_prob[:, :size], ends, reached, settings)
    candidates = log_prob.clone() if trace else log_prob
    log_prob, place = log_prob.masked_fill_(end, -math.inf).topk(size)
    if trace:
        trace.add(beam.sentence, parent, token, candidates, ends, place)
    parent = parent.gather(1, place)
    rows = (parent + torch.arange(batch, device=parent.device).unsqueeze(1) * size).flatten()  # (batch * beam,)
    return replace(
        beam,
        state=_select(state, rows),
        tokens=_gather(tokens, place),
        log_prob=log_prob,
        coverage=_gather(coverage, parent),
    )


def _gather(values: Tensor, index: Int[Tensor, "batch chosen"]) -> Tensor:
    """Gather values (batch, beam, size) at the hypotheses `index`: (batch, chosen, size)."""
    return values.gather(1, index.unsqueeze(-1).expand(-1, -1, values.size(-1)))


def _add_endings(
    beam: _Beam,
    tokens: Int[Tensor, "batch beam time"],
    log_prob: Float[Tensor, "batch beam"],
    ends: Tensor,
    coverage: Float[Tensor, "batch beam src"],
    settings: DecodingSettings,
) -> _Beam:
    """Puts the candidates that end among those that have ended before, and keeps the best."""
    score = _score(log_prob, tokens.size(-1) - 1, coverage, beam.memory.mask.unsqueeze(1), settings)
    score = score.masked_fill(~ends, -math.inf)
    longer = tokens.size(-1) - beam.ended_tokens.size(-1)
    before = torch.nn.functional.pad(beam.ended_tokens, (0, longer), value=PAD_ID)
    best, place = torch.cat([beam.ended_score, score], dim=1).topk(beam.size)  # (batch, 2 * beam) -> (batch, beam)
    return replace(
        beam,
        ended_tokens=_gather(torch.cat([before, tokens], dim=1), place),
        ended_score=best,
        ended_log_prob=torch.cat([beam.ended_log_prob, log_prob], dim=1).gather(1, place),
    )


def _done(beam: _Beam, settings: DecodingSettings, n_best: int) -> Tensor:
    """Return, for each sentence, whether nothing better can come.

    No live hypothesis can beat the `n_best`-th that ended, even if all that it adds is certain and makes it as long as
    may be (longer is cheaper per token); or, once `beam_size` have ended, none is better than that one as it stands.
    """
    live = beam.log_prob[:, 0]
    if beam.ended_tokens.size(-1) == 1:  # none has ended
        return live.isinf()
    worst = beam.ended_score[:, n_best - 1]
    bound = live / length_penalty(beam.limit + 1, settings.length_penalty)
    score = _score(live, beam.tokens.size(-1) - 1, beam.coverage[:, 0], beam.memory.mask, settings)
    full = beam.ended_score[:, -1].isfinite()
    return (bound <= worst) | (full & (score <= worst)) | live.isinf()


def _collect(beam: _Beam, found: list[list[Hypothesis]], n_best: int) -> None:
    rows = zip(
        beam.sentence.tolist(),
        beam.ended_tokens[:, :n_best].tolist(),
        beam.ended_score[:, :n_best].tolist(),
        beam.ended_log_prob[:, :n_best].tolist(),
        strict=True,
    )
    for sentence, hypotheses, scores, log_probs in rows:
        found[sentence] = [
            Hypothesis(tokens[1 : tokens.index(EOS_ID)], score, log_prob)
            for tokens, score, log_prob in zip(hypotheses, scores, log_probs, strict=True)
            if score > -math.inf
        ]
