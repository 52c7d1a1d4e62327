"""Greedy and beam search, in tensors throughout: no Python loop over sentences or hypotheses.

Search knows a model by two methods, `encode` and `step` (see `Searchable`); an ensemble is just another object that
has them. A finished sentence leaves the batch. The memory is never copied for the hypotheses of a beam.
"""

from collections.abc import Callable

import torch
from jaxtyping import Int
from torch import Tensor

from nmt.config import DecodingSettings
from nmt.data.subword import EOS_ID
from nmt.inference.beam import BeamSearch
from nmt.inference.constraints import NO_CONSTRAINTS, Allowed, Constraints, concerns_any, longest_allowed
from nmt.inference.searchable import (
    Hypothesis,
    Searchable,
    new_buffer,
    score_of,
    select_rows,
    steps_between_looks,
    with_room,
)
from nmt.inference.trace import Trace
from nmt.kernels.deferred_gradients import deferred_gradients

# (what may come next, the row that each was at the start, tokens before) -> a token for each
Choose = Callable[[Tensor, Tensor, int], Tensor]


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
        if settings.beam_size == 1 and trace is None:
            return [[hypothesis] for hypothesis in greedy_search(model, source, settings, constraints)]
        return beam_search(model, source, settings, n_best, constraints, trace)


def beam_search(
    model: Searchable,
    source: Int[Tensor, "batch src"],
    settings: DecodingSettings,
    n_best: int = 1,
    constraints: Constraints = NO_CONSTRAINTS,
    trace: Trace | None = None,
) -> list[list[Hypothesis]]:
    """Search with a beam (`BeamSearch`). `trace` gets every hypothesis of every step."""
    running = BeamSearch(model, settings, n_best, constraints, trace)
    sentences = running.add(source)
    found: dict[int, list[Hypothesis]] = {}
    while len(running):
        found.update(running.advance())
    return [found[sentence] for sentence in sentences]


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
    limit, device = longest_allowed(source, settings, constraints), memory.mask.device
    allowed, every = Allowed(settings, constraints, int(limit.min())), steps_between_looks(device)
    limit = limit.to(device, non_blocking=True)
    if copies > 1:  # they end at different times, so each needs a memory of its own
        rows = torch.arange(source.size(0), device=device).repeat_interleave(copies)  # (batch * copies,)
        memory, state, limit = memory.select(rows), select_rows(state, rows), limit[rows]
    live = torch.arange(len(limit), device=device)
    tokens, time = new_buffer((len(limit),), device), 1  # (rows, width), of which `time` are there, begin counted
    log_prob = torch.zeros(len(limit), device=device)
    coverage = torch.zeros_like(memory.mask, dtype=log_prob.dtype) if settings.coverage_penalty else None
    score, length, done = torch.zeros_like(log_prob), torch.zeros_like(live), torch.zeros_like(memory.mask[:, 0])
    found: list[list[Hypothesis | None]] = [[None] * copies for _ in range(source.size(0))]
    while len(live):
        some = False  # whether any may have ended since the last look
        for _ in range(every):
            # (rows,) -> (rows, vocab), the next state, (rows, src)
            log_probs, state, attention = model.step(tokens[:, time - 1], state, memory)
            log_probs = allowed(log_probs, tokens[:, :time], limit)
            chosen = choose(log_probs, live, time - 1)  # (rows,)
            gained = log_probs.gather(1, chosen.unsqueeze(1)).squeeze(1)
            log_prob = log_prob + (gained if every == 1 else gained.masked_fill(done, 0.0))
            coverage = None if coverage is None else coverage + attention
            tokens = with_room(tokens, time)
            tokens[:, time] = chosen
            time += 1
            ended = chosen == EOS_ID
            if concerns_any(ended):
                some = True
                now = score_of(log_prob, time - 1, coverage, memory.mask, settings)
                score, length = torch.where(done, score, now), length.masked_fill(~done, time)
                done = done | ended
        if not (some and done.any()):
            continue
        out = done.nonzero().squeeze(1)
        ends = zip(
            live[out].tolist(), tokens[out, 1:time].tolist(), length[out].tolist(), score[out].tolist(),
            log_prob[out].tolist(), strict=True,
        )  # fmt: skip
        for row, words, size, *values in ends:
            found[row // copies][row % copies] = Hypothesis(words[: size - 2], *values)
        keep = (~done).nonzero().squeeze(1)
        memory, state = memory.select(keep), select_rows(state, keep)
        live, limit, tokens, log_prob, score, length, done = (
            part.index_select(0, keep) for part in (live, limit, tokens, log_prob, score, length, done)
        )
        coverage = None if coverage is None else coverage.index_select(0, keep)
    return [[hypothesis for hypothesis in copy if hypothesis is not None] for copy in found]
