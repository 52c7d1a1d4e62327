"""Greedy and beam search, in tensors throughout: no Python loop over sentences or hypotheses.

Search knows a model by two methods, `encode` and `step` (see `Searchable`); an ensemble is just another object that
has them. The memory is never copied for the hypotheses of a beam. Finished sentences leave the batch together, as soon
as it can shrink to one of a few sizes (see `size_for`).

A CPU looks after each step which sentences are finished. A GPU is asked every few steps, since an answer has to be
waited for; meanwhile nothing about a finished sentence changes. Tokens are written into buffers with room for more.
"""

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nmt.config import DecodingSettings
from nmt.data.subword import BOS_ID, EOS_ID, PAD_ID
from nmt.inference.constraints import NO_CONSTRAINTS, Allowed, Constraints, concerns_any, longest_allowed
from nmt.inference.trace import Step, Trace
from nmt.kernels.deferred_gradients import deferred_gradients
from nmt.kernels.topk import topk
from nmt.model import State

STEPS_ON_GPU = 8  # between two looks at which sentences are finished
WIDTH = 32  # tokens that a buffer has room for at first


@runtime_checkable
class Encoded(Protocol):
    """Define what search needs of a memory: which source tokens are real, and the memory of some of the
    sentences."""

    @property
    def mask(self) -> Tensor: ...

    def select(self, rows: Tensor) -> "Encoded": ...


@runtime_checkable
class Searchable(Protocol):
    """Define what search needs of a model. `memory` is what `encode` returned; search overwrites the
    log-probabilities of a step."""

    def encode(self, source: Tensor) -> tuple[Encoded, State]:
        """Encode a source that is on the host, where lengths are read without waiting for a device."""
        ...

    def step(self, tokens: Tensor, state: State, memory: Any) -> tuple[Tensor, State, Tensor]: ...


# (what may come next, the row that each was at the start, tokens before) -> a token for each
Choose = Callable[[Tensor, Tensor, int], Tensor]


class Hypothesis(NamedTuple):
    """Hold a translation, finished or not, and its scores."""

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
    """Return the best hypotheses of each sentence, best first: `n_best` of them, or as many as ended within the
    beam."""
    with torch.inference_mode(), deferred_gradients():
        if settings.beam_size == 1 and not (trace and trace.candidates):
            return [[hypothesis] for hypothesis in greedy_search(model, source, settings, constraints, trace)]
        return beam_search(model, source, settings, n_best, constraints, trace)


def length_penalty(length: Int[Tensor, "..."] | int, alpha: float) -> Float[Tensor, "..."]:
    """Return ((5 + length) / 6) ** alpha, `length` counting the end (Wu et al. 2016, equation 14)."""
    return ((5 + torch.as_tensor(length)) / 6) ** alpha


@functools.lru_cache(maxsize=4096)
def _penalty(length: int, alpha: float) -> float:
    """Return the length penalty of one length, as float32 has it."""
    return float(length_penalty(length, alpha))


def steps_between_looks(device: torch.device) -> int:
    """Return how many steps a search takes before it looks which sentences are finished."""
    return 1 if device.type == "cpu" else STEPS_ON_GPU


def size_for(live: int) -> int:
    """Return the size of the batch in which `live` sentences are searched: 1 to 8, 10, 12, 14, 16, 20, 24, ...

    With few sizes, the products of a step have few shapes, and oneDNN compiles code for each of them once.
    """
    step = 1 << max(0, live.bit_length() - 3)
    return -(-live // step) * step


def _split(done: Bool[Tensor, "rows"], size: int) -> tuple[Int[Tensor, "size"], Int[Tensor, "left"]]:
    """Return `size` rows that stay, those that are not done first, and the rows that leave."""
    order = done.to(torch.uint8).argsort(stable=True)
    return order[:size], order[size:]


def coverage_penalty(coverage: Float[Tensor, "*rows src"], memory_mask: Tensor, beta: float) -> Float[Tensor, "*rows"]:
    """Return beta * sum of log(min(attention received, 1)) over the source tokens; at most 0 (Wu et al. 2016,
    equation 14)."""
    received = coverage.clamp(min=1e-6, max=1.0).masked_fill(~memory_mask, 1.0)
    return beta * received.log().sum(dim=-1)


def _score(
    log_prob: Float[Tensor, "*rows"],
    length: int,
    coverage: Float[Tensor, "*rows src"] | None,
    memory_mask: Tensor,
    settings: DecodingSettings,
) -> Float[Tensor, "*rows"]:
    """Return what search maximises; `length` counts the end, and `coverage` is there if it counts."""
    score = log_prob / _penalty(length, settings.length_penalty)
    if coverage is not None:
        score = score + coverage_penalty(coverage, memory_mask, settings.coverage_penalty)
    return score


def greedy_search(
    model: Searchable,
    source: Int[Tensor, "batch src"],
    settings: DecodingSettings,
    constraints: Constraints = NO_CONSTRAINTS,
    trace: Trace | None = None,
) -> list[Hypothesis]:
    """Take the likeliest token at each position. Equal to beam search with a beam of one."""

    def choose(log_probs: Tensor, *_: Any) -> Tensor:
        return log_probs.argmax(dim=-1)

    found = word_by_word(model, source, settings, choose, constraints=constraints, trace=trace)
    return [hypothesis for [hypothesis] in found]


def word_by_word(
    model: Searchable,
    source: Int[Tensor, "batch src"],
    settings: DecodingSettings,
    choose: Choose,
    copies: int = 1,
    constraints: Constraints = NO_CONSTRAINTS,
    trace: Trace | None = None,
) -> list[list[Hypothesis]]:
    """Grow `copies` hypotheses of each sentence by the token that `choose` picks, until the end. To `trace`, each of
    them is a sentence of its own."""
    memory, state = model.encode(source)
    limit, device = longest_allowed(source, settings, constraints), memory.mask.device
    allowed, every = Allowed(settings, constraints, int(limit.min())), steps_between_looks(device)
    limit = limit.to(device, non_blocking=True)
    if copies > 1:  # they end at different times, so each needs a memory of its own
        rows = torch.arange(source.size(0), device=device).repeat_interleave(copies)  # (batch * copies,)
        memory, state, limit = memory.select(rows), _select(state, rows), limit[rows]
    live = torch.arange(len(limit), device=device)
    tokens, time = _buffer((len(limit),), device), 1  # (rows, width), of which `time` are there, begin counted
    log_prob = torch.zeros(len(limit), device=device)
    coverage = torch.zeros_like(memory.mask, dtype=log_prob.dtype) if settings.coverage_penalty else None
    score, length, done = torch.zeros_like(log_prob), torch.zeros_like(live), torch.zeros_like(memory.mask[:, 0])
    found: list[list[Hypothesis | None]] = [[None] * copies for _ in range(source.size(0))]
    while len(live):
        for _ in range(every):
            # (rows,) -> (rows, vocab), the next state, (rows, src)
            log_probs, state, attention = model.step(tokens[:, time - 1], state, memory)
            log_probs = allowed(log_probs, tokens[:, :time], limit)
            log_probs[:, PAD_ID].masked_fill_(done, 0.0)  # a finished hypothesis is extended with padding
            chosen = choose(log_probs, live, time - 1)  # (rows,)
            gained = log_probs.gather(1, chosen.unsqueeze(1)).squeeze(1)
            log_prob = log_prob + gained.masked_fill(done, 0.0)
            coverage = None if coverage is None else coverage + attention
            tokens = _with_room(tokens, time)
            tokens[:, time] = chosen
            time += 1
            ended = chosen == EOS_ID
            if trace:
                one = chosen.unsqueeze(1)  # (rows, 1): one hypothesis, which is the best candidate
                parts = (attention.unsqueeze(1), torch.zeros_like(one), one, log_prob.unsqueeze(1), ended.unsqueeze(1))
                trace.add(Step(live, done, *parts, torch.zeros_like(one)))
            if concerns_any(ended):
                now = _score(log_prob, time - 1, coverage, memory.mask, settings)
                score, length = torch.where(done, score, now), length.masked_fill(~done, time)
                done = done | ended
        size = size_for(len(live) - int(done.sum()))
        if size >= len(live):
            continue
        keep, out = _split(done, size)
        ends = zip(
            live[out].tolist(), tokens[out, 1:time].tolist(), length[out].tolist(), score[out].tolist(),
            log_prob[out].tolist(), strict=True,
        )  # fmt: skip
        for row, words, known, *values in ends:
            found[row // copies][row % copies] = Hypothesis(words[: known - 2], *values)
        memory, state = memory.select(keep), _select(state, keep)
        live, limit, tokens, log_prob, score, length, done = (
            part.index_select(0, keep) for part in (live, limit, tokens, log_prob, score, length, done)
        )
        coverage = None if coverage is None else coverage.index_select(0, keep)
    return [[hypothesis for hypothesis in copy if hypothesis is not None] for copy in found]


def _buffer(shape: tuple[int, ...], device: torch.device) -> Int[Tensor, "*shape width"]:
    """Return room for tokens: begin, then padding."""
    tokens = torch.full((*shape, WIDTH), PAD_ID, device=device)
    tokens[..., 0].fill_(BOS_ID)
    return tokens


def _with_room(tokens: Int[Tensor, "*shape width"], time: int) -> Int[Tensor, "*shape wider"]:
    """Return the buffer, or a wider copy, so that it has room for a token at `time`."""
    if time < tokens.size(-1):
        return tokens
    return torch.nn.functional.pad(tokens, (0, tokens.size(-1)), value=PAD_ID)


def _select(state: State, rows: Int[Tensor, "rows"]) -> State:
    return tuple(part.index_select(1, rows) for part in state)


@dataclass
class _Beam:
    """Hold the live hypotheses of the sentences that are still searched, best first, and those that ended.

    The two buffers of tokens take turns.
    """

    sentence: Int[Tensor, "batch"]  # its row in the source
    row_limit: Int[Tensor, "rows"]
    longest: Float[Tensor, "batch"]  # length penalty of the longest translation
    memory: Encoded
    state: State  # rows = batch x beam
    tokens: Int[Tensor, "batch beam width"]
    spare: Int[Tensor, "batch beam width"]
    time: int  # tokens that each live hypothesis has, begin counted
    log_prob: Float[Tensor, "batch beam"]  # -inf where there is no hypothesis
    coverage: Float[Tensor, "batch beam src"] | None  # if it counts
    ended_tokens: Int[Tensor, "batch beam width"]  # padded after the end
    ended_score: Float[Tensor, "batch beam"]  # -inf where none has ended yet; best first
    ended_log_prob: Float[Tensor, "batch beam"]
    done: Bool[Tensor, "batch"]  # finished, and still here
    first_row: Int[Tensor, "batch 1"]  # of each sentence, in the state
    ends: bool = False  # whether any may have ended

    @classmethod
    def of(
        cls,
        model: Searchable,
        source: Int[Tensor, "batch src"],
        limit: Int[Tensor, "batch"],
        settings: DecodingSettings,
    ) -> "_Beam":
        """Begin with one empty hypothesis for each sentence; `limit` are the most tokens that each may have."""
        memory, state = model.encode(source)
        device, (batch, width), size = memory.mask.device, source.shape, settings.beam_size
        log_prob = torch.full((batch, size), -math.inf, device=device)
        nothing = log_prob.clone()
        log_prob[:, 0].fill_(0.0)
        limit = limit.to(device, non_blocking=True)
        return cls(
            sentence=torch.arange(batch, device=device),
            row_limit=limit.repeat_interleave(size),
            longest=length_penalty(limit + 1, settings.length_penalty),
            memory=memory,
            state=tuple(part.repeat_interleave(size, dim=1) for part in state),  # (_, batch * beam, _)
            tokens=_buffer((batch, size), device),
            spare=_buffer((batch, size), device),
            time=1,
            log_prob=log_prob,
            coverage=torch.zeros((batch, size, width), device=device) if settings.coverage_penalty else None,
            ended_tokens=_buffer((batch, size), device),
            ended_score=nothing,
            ended_log_prob=nothing,
            done=torch.zeros(batch, dtype=torch.bool, device=device),
            first_row=(torch.arange(batch, device=device) * size).unsqueeze(1),
        )

    @property
    def size(self) -> int:
        return self.tokens.size(1)

    def select(self, keep: Int[Tensor, "kept"]) -> "_Beam":
        """Select some of the sentences."""
        rows = (keep.unsqueeze(1) * self.size + torch.arange(self.size, device=keep.device)).flatten()  # (kept * beam,)
        others: dict[str, Any] = {
            name: part.index_select(0, keep)
            for name, part in vars(self).items()
            if isinstance(part, Tensor) and name != "row_limit"
        }
        others["first_row"] = self.first_row[: len(keep)]
        others["row_limit"] = self.row_limit[rows]
        return replace(self, memory=self.memory.select(keep), state=_select(self.state, rows), **others)


def beam_search(
    model: Searchable,
    source: Int[Tensor, "batch src"],
    settings: DecodingSettings,
    n_best: int = 1,
    constraints: Constraints = NO_CONSTRAINTS,
    trace: Trace | None = None,
) -> list[list[Hypothesis]]:
    """Search with a beam and length normalisation. `trace` gets the hypotheses of every step.

    An ending counts only when it ranks within the beam. A sentence is done when `beam_size` hypotheses have ended and
    no live one is better than the `n_best`-th of them, or when none can still become better.
    """
    limit = longest_allowed(source, settings, constraints)
    allowed = Allowed(settings, constraints, int(limit.min()))
    beam = _Beam.of(model, source, limit, settings)
    every = steps_between_looks(beam.done.device)
    found: list[list[Hypothesis]] = [[] for _ in range(source.size(0))]
    n_best = min(n_best, settings.beam_size)
    while len(beam.sentence):
        for _ in range(every):
            _advance(model, beam, settings, allowed, trace)
            beam.done = _done(beam, settings, n_best) | beam.done
        size = size_for(len(beam.sentence) - int(beam.done.sum()))
        if size >= len(beam.sentence):
            continue
        keep, out = _split(beam.done, size)
        finished, beam = beam.select(out), beam.select(keep)
        endings = zip(
            finished.sentence.tolist(),
            finished.ended_tokens[:, :n_best].tolist(),
            finished.ended_score[:, :n_best].tolist(),
            finished.ended_log_prob[:, :n_best].tolist(),
            strict=True,
        )
        for sentence, hypotheses, scores, log_probs in endings:
            found[sentence] = [
                Hypothesis(tokens[1 : tokens.index(EOS_ID)], score, log_prob)
                for tokens, score, log_prob in zip(hypotheses, scores, log_probs, strict=True)
                if score > -math.inf
            ]
    return found


def _advance(
    model: Searchable, beam: _Beam, settings: DecodingSettings, allowed: Allowed, trace: Trace | None = None
) -> None:
    """Extend every hypothesis by one token."""
    (batch, size), time = beam.log_prob.shape, beam.time
    before = beam.tokens.view(batch * size, -1)[:, :time]
    # Rows = batch * beam: (rows, vocab), state, (rows, src)
    log_probs, state, attention = model.step(before[:, -1], beam.state, beam.memory)
    log_probs = allowed(log_probs, before, beam.row_limit)
    coverage = None if beam.coverage is None else beam.coverage + attention.unflatten(0, (batch, size))

    # Twice the beam, since at most one candidate per hypothesis is an ending: enough go on living.
    totals = log_probs.add_(beam.log_prob.flatten().unsqueeze(1)).view(batch, -1)  # (batch, beam * vocab)
    log_prob, index = topk(totals, min(2 * size, totals.size(1)))  # (batch, 2 * beam)
    vocab = log_probs.size(1)
    parent, token = index // vocab, index % vocab

    end = token == EOS_ID
    ends = end[:, :size]
    if concerns_any(ends):
        ends = ends & log_prob[:, :size].isfinite() & ~beam.done.unsqueeze(1)
        _add_endings(beam, parent[:, :size], token[:, :size], log_prob[:, :size], ends, coverage, settings)
    candidates = log_prob
    log_prob, place = log_prob.masked_fill(end, -math.inf).topk(size)  # those that live on: (batch, beam)
    if trace:
        weights = attention.unflatten(0, (batch, size))
        trace.add(Step(beam.sentence, beam.done, weights, parent, token, candidates, ends, place))
    parent, token = parent.gather(1, place), token.gather(1, place)
    rows = (parent + beam.first_row).flatten()  # (batch * beam,)
    # The hypotheses and their new tokens move to the other buffer, if that is wide enough.
    tokens = _with_room(beam.tokens, time)
    spare = beam.spare if beam.spare.shape == tokens.shape else torch.empty_like(tokens)
    torch.index_select(tokens.flatten(0, 1), 0, rows, out=spare.flatten(0, 1))
    spare[:, :, time] = token
    beam.tokens, beam.spare = spare, beam.tokens
    beam.state, beam.log_prob, beam.time = _select(state, rows), log_prob, time + 1
    beam.coverage = None if coverage is None else _gather(coverage, parent)


def _gather(values: Tensor, index: Int[Tensor, "batch chosen"]) -> Tensor:
    """Gather values (batch, beam, size) at the hypotheses `index`: (batch, chosen, size)."""
    return values.gather(1, index.unsqueeze(-1).expand(-1, -1, values.size(-1)))


def _add_endings(
    beam: _Beam,
    parent: Int[Tensor, "batch beam"],
    token: Int[Tensor, "batch beam"],
    log_prob: Float[Tensor, "batch beam"],
    ends: Bool[Tensor, "batch beam"],
    coverage: Float[Tensor, "batch beam src"] | None,
    settings: DecodingSettings,
) -> None:
    """Put the candidates that end among those that have ended before, and keep the best."""
    reached = None if coverage is None else _gather(coverage, parent)
    score = _score(log_prob, beam.time, reached, beam.memory.mask.unsqueeze(1), settings)
    score = score.masked_fill(~ends, -math.inf)
    tokens = _with_room(_gather(beam.tokens, parent), beam.time)
    tokens[:, :, beam.time] = token
    before = torch.nn.functional.pad(beam.ended_tokens, (0, tokens.size(-1) - beam.ended_tokens.size(-1)), value=PAD_ID)
    best, place = torch.cat([beam.ended_score, score], dim=1).topk(beam.size)  # (batch, 2 * beam) -> (batch, beam)
    beam.ended_tokens = _gather(torch.cat([before, tokens], dim=1), place)
    beam.ended_score = best
    beam.ended_log_prob = torch.cat([beam.ended_log_prob, log_prob], dim=1).gather(1, place)
    beam.ends = True


def _done(beam: _Beam, settings: DecodingSettings, n_best: int) -> Bool[Tensor, "batch"]:
    """Return, for each sentence, whether nothing better can come.

    No live hypothesis can beat the `n_best`-th that ended, even if all that it adds is certain and makes it as long as
    may be (longer is cheaper per token); or, once `beam_size` have ended, none is better than that one as it stands.
    """
    live = beam.log_prob[:, 0]
    if not beam.ends:
        return live.isinf()
    worst = beam.ended_score[:, n_best - 1]
    bound = live / beam.longest
    coverage = None if beam.coverage is None else beam.coverage[:, 0]
    score = _score(live, beam.time - 1, coverage, beam.memory.mask, settings)
    full = beam.ended_score[:, -1].isfinite()
    return (bound <= worst) | (full & (score <= worst)) | live.isinf()
