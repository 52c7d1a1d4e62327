"""Beam search with length normalisation, which sentences may join while it runs.

The last tokens of all hypotheses are in one column of the buffers. A sentence that joins a search has its begin in the
column at hand, and padding before it; so one step extends hypotheses of any length.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nmt.config import DecodingSettings
from nmt.data.subword import BOS_ID, EOS_ID, PAD_ID
from nmt.inference.constraints import NO_CONSTRAINTS, Allowed, Constraints, concerns_any, longest_allowed
from nmt.inference.searchable import (
    Encoded,
    Hypothesis,
    Searchable,
    length_penalty,
    new_buffer,
    score_of,
    select_rows,
    steps_between_looks,
    with_room,
)
from nmt.inference.trace import Trace
from nmt.kernels.topk import topk
from nmt.model import State


@dataclass
class _Beam:
    """Hold the live hypotheses of the sentences that are still searched, best first, and those that ended.

    The two buffers of tokens take turns.
    """

    sentence: Int[Tensor, "batch"]  # its number in the search
    begin: Int[Tensor, "batch"] | None  # column of its begin; None: the first for all
    row_limit: Int[Tensor, "rows"]  # the last column that a token of each hypothesis may have
    longest: Float[Tensor, "batch"]  # length penalty of the longest translation
    memory: Encoded
    state: State  # rows = batch x beam
    tokens: Int[Tensor, "batch beam width"]
    spare: Int[Tensor, "batch beam _narrower"]
    time: int  # columns in use
    log_prob: Float[Tensor, "batch beam"]  # -inf where there is no hypothesis
    coverage: Float[Tensor, "batch beam src"] | None  # if it counts
    ended_tokens: Int[Tensor, "batch beam _width"]  # padded after the end
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
        first: int,
    ) -> "_Beam":
        """Begin with one empty hypothesis for each sentence; `limit` are the most tokens that each may have, and
        `first` is the number of the first sentence."""
        memory, state = model.encode(source)
        device, (batch, width), size = memory.mask.device, source.shape, settings.beam_size
        log_prob = torch.full((batch, size), -math.inf, device=device)
        nothing = log_prob.clone()
        log_prob[:, 0].fill_(0.0)
        limit = limit.to(device, non_blocking=True)
        return cls(
            sentence=torch.arange(first, first + batch, device=device),
            begin=None,
            row_limit=limit.repeat_interleave(size),
            longest=length_penalty(limit + 1, settings.length_penalty),
            memory=memory,
            state=tuple(part.repeat_interleave(size, dim=1) for part in state),  # (_, batch * beam, _)
            tokens=new_buffer((batch, size), device),
            spare=new_buffer((batch, size), device),
            time=1,
            log_prob=log_prob,
            coverage=torch.zeros((batch, size, width), device=device) if settings.coverage_penalty else None,
            ended_tokens=new_buffer((batch, size), device),
            ended_score=nothing,
            ended_log_prob=nothing,
            done=torch.zeros(batch, dtype=torch.bool, device=device),
            first_row=(torch.arange(batch, device=device) * size).unsqueeze(1),
        )

    @property
    def size(self) -> int:
        return self.tokens.size(1)

    @property
    def length(self) -> int | Int[Tensor, "batch"]:
        """Return how many tokens the live hypotheses have, begin not counted."""
        return self.time - 1 if self.begin is None else self.time - 1 - self.begin

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
        return replace(self, memory=self.memory.select(keep), state=select_rows(self.state, rows), **others)

    def join(self, new: "_Beam") -> "_Beam":
        """Return these sentences and then new ones, which begin in the column at hand. Columns before the begin of all
        sentences are dropped, so that a search that never ends needs no more room."""
        begin = torch.zeros_like(self.sentence) if self.begin is None else self.begin
        dropped = int(begin.min())
        time, old = self.time - dropped, len(self.sentence)
        tokens = self.tokens.new_full((old + len(new.sentence), *self.tokens.shape[1:]), PAD_ID)
        ended = tokens.clone()
        tokens[:old, :, :time] = self.tokens[:, :, dropped : self.time]
        tokens[old:, :, time - 1] = BOS_ID
        kept = self.ended_tokens[:, :, dropped:]
        ended[:old, :, : kept.size(2)] = kept
        memory = self.memory.join(new.memory)
        coverage = None
        if self.coverage is not None and new.coverage is not None:
            width = memory.mask.size(1)
            # Each (batch, beam, src) to the width of the joint memory
            coverage = torch.cat([F.pad(part, (0, width - part.size(2))) for part in (self.coverage, new.coverage)])
        both: dict[str, Any] = {
            name: torch.cat([getattr(self, name), getattr(new, name)])
            for name in ("sentence", "longest", "log_prob", "ended_score", "ended_log_prob", "done")
        }
        return replace(
            self,
            begin=torch.cat([begin - dropped, torch.full_like(new.sentence, time - 1)]),
            row_limit=torch.cat([self.row_limit - dropped, new.row_limit + (time - 1)]),
            memory=memory,
            state=tuple(torch.cat(parts, dim=1) for parts in zip(self.state, new.state, strict=True)),
            tokens=tokens,
            spare=torch.empty_like(tokens),
            time=time,
            coverage=coverage,
            ended_tokens=ended,
            first_row=(torch.arange(len(tokens), device=tokens.device) * self.size).unsqueeze(1),
            **both,
        )


class BeamSearch:
    """Search with a beam for the best translations of sentences, which may join while it runs.

    An ending counts only when it ranks within the beam. A sentence is done when `beam_size` hypotheses have ended and
    no live one is better than the `n_best`-th of them, or when none can still become better.
    """

    def __init__(
        self,
        model: Searchable,
        settings: DecodingSettings,
        n_best: int = 1,
        constraints: Constraints = NO_CONSTRAINTS,
        trace: Trace | None = None,
    ) -> None:
        """Search nothing yet. With constraints of given sentences, or a trace, all sentences must be added at once.

        Sentences may only join others if the model's state has nothing that depends on the number of tokens before or
        on the width of the source (`Seq2Seq.joinable`).
        """
        self.model, self.settings, self.constraints, self.trace = model, settings, constraints, trace
        self.n_best = min(n_best, settings.beam_size)
        self._beam: _Beam | None = None
        self._added = 0

    def __len__(self) -> int:
        """Return the number of sentences that are searched."""
        return 0 if self._beam is None else len(self._beam.sentence)

    def add(self, source: Int[Tensor, "batch src"]) -> range:
        """Add sentences, and return their numbers."""
        limit = longest_allowed(source, self.settings, self.constraints)
        numbers = range(self._added, self._added + len(source))
        new = _Beam.of(self.model, source, limit, self.settings, self._added)
        if self._beam is None:
            self._beam, smallest = new, int(limit.min())
        else:
            self._beam = self._beam.join(new)
            smallest = int(self._beam.row_limit.min())
        self._allowed = Allowed(self.settings, self.constraints, smallest)
        self._added = numbers.stop
        return numbers

    def drop(self, numbers: Collection[int]) -> None:
        """Leave some sentences without a translation."""
        if self._beam is not None:
            kept = [row for row, number in enumerate(self._beam.sentence.tolist()) if number not in numbers]
            self._keep(torch.tensor(kept, dtype=torch.long, device=self._beam.sentence.device))

    def advance(self) -> dict[int, list[Hypothesis]]:
        """Extend all hypotheses by a token, or by a few on a GPU, and return the best ones of each sentence that is
        done: `n_best` of them, or as many as ended within the beam."""
        beam = self._beam
        if beam is None:
            return {}
        every = 1 if self.trace else steps_between_looks(beam.done.device)
        for _ in range(every):
            self._extend(beam)
            done = self._done(beam)
            beam.done = done if every == 1 else done | beam.done  # those that were done have left
        if not beam.done.any():
            return {}
        finished = beam.select(beam.done.nonzero().squeeze(1))
        self._keep((~beam.done).nonzero().squeeze(1))
        endings = zip(
            finished.sentence.tolist(),
            [0] * len(finished.sentence) if finished.begin is None else finished.begin.tolist(),
            finished.ended_tokens[:, : self.n_best].tolist(),
            finished.ended_score[:, : self.n_best].tolist(),
            finished.ended_log_prob[:, : self.n_best].tolist(),
            strict=True,
        )
        return {
            sentence: [
                Hypothesis(tokens[begin + 1 : tokens.index(EOS_ID)], score, log_prob)
                for tokens, score, log_prob in zip(hypotheses, scores, log_probs, strict=True)
                if score > -math.inf
            ]
            for sentence, begin, hypotheses, scores, log_probs in endings
        }

    def _keep(self, rows: Int[Tensor, "kept"]) -> None:
        """Go on with some of the sentences."""
        if self._beam is not None:
            self._beam = self._beam.select(rows) if len(rows) else None

    def _extend(self, beam: _Beam) -> None:
        """Extend every hypothesis by one token."""
        (batch, size), time = beam.log_prob.shape, beam.time
        before = beam.tokens.view(batch * size, -1)[:, :time]
        # Rows = batch * beam: (rows, vocab), state, (rows, src)
        log_probs, state, attention = self.model.step(before[:, -1], beam.state, beam.memory)
        begin = None if beam.begin is None else beam.begin.repeat_interleave(size)
        log_probs = self._allowed(log_probs, before, beam.row_limit, begin)
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
            self._add_endings(beam, parent[:, :size], token[:, :size], log_prob[:, :size], ends, coverage)
        candidates = log_prob.clone() if self.trace else log_prob
        log_prob, place = log_prob.masked_fill_(end, -math.inf).topk(size)  # those that live on: (batch, beam)
        if self.trace:
            self.trace.add(beam.sentence, parent, token, candidates, ends, place)
        parent, token = parent.gather(1, place), token.gather(1, place)
        rows = (parent + beam.first_row).flatten()  # (batch * beam,)
        # The hypotheses and their new tokens move to the other buffer, if that is wide enough.
        tokens = with_room(beam.tokens, time)
        spare = beam.spare if beam.spare.shape == tokens.shape else torch.empty_like(tokens)
        torch.index_select(tokens.flatten(0, 1), 0, rows, out=spare.flatten(0, 1))
        spare[:, :, time] = token
        beam.tokens, beam.spare = spare, beam.tokens
        beam.state, beam.log_prob, beam.time = select_rows(state, rows), log_prob, time + 1
        beam.coverage = None if coverage is None else _gather(coverage, parent)

    def _add_endings(
        self,
        beam: _Beam,
        parent: Int[Tensor, "batch beam"],
        token: Int[Tensor, "batch beam"],
        log_prob: Float[Tensor, "batch beam"],
        ends: Bool[Tensor, "batch beam"],
        coverage: Float[Tensor, "batch beam src"] | None,
    ) -> None:
        """Put the candidates that end among those that have ended before, and keep the best."""
        reached = None if coverage is None else _gather(coverage, parent)
        length = beam.length + 1 if isinstance(beam.length, int) else (beam.length + 1).unsqueeze(1)  # with the end
        score = score_of(log_prob, length, reached, beam.memory.mask.unsqueeze(1), self.settings)
        score = score.masked_fill(~ends, -math.inf)
        tokens = with_room(_gather(beam.tokens, parent), beam.time)
        tokens[:, :, beam.time] = token
        before = F.pad(beam.ended_tokens, (0, tokens.size(-1) - beam.ended_tokens.size(-1)), value=PAD_ID)
        best, place = torch.cat([beam.ended_score, score], dim=1).topk(beam.size)  # (batch, 2 * beam) -> (batch, beam)
        beam.ended_tokens = _gather(torch.cat([before, tokens], dim=1), place)
        beam.ended_score = best
        beam.ended_log_prob = torch.cat([beam.ended_log_prob, log_prob], dim=1).gather(1, place)
        beam.ends = True

    def _done(self, beam: _Beam) -> Bool[Tensor, "batch"]:
        """Return, for each sentence, whether nothing better can come.

        No live hypothesis can beat the `n_best`-th that ended, even if all that it adds is certain and makes it as long
        as may be (longer is cheaper per token); or, once `beam_size` have ended, none is better than that one as it
        stands.
        """
        live = beam.log_prob[:, 0]
        if not beam.ends:
            return live.isinf()
        worst = beam.ended_score[:, self.n_best - 1]
        bound = live / beam.longest
        coverage = None if beam.coverage is None else beam.coverage[:, 0]
        score = score_of(live, beam.length, coverage, beam.memory.mask, self.settings)
        full = beam.ended_score[:, -1].isfinite()
        return (bound <= worst) | (full & (score <= worst)) | live.isinf()


def _gather(values: Tensor, index: Int[Tensor, "batch chosen"]) -> Tensor:
    """Gather values (batch, beam, size) at the hypotheses `index`: (batch, chosen, size)."""
    return values.gather(1, index.unsqueeze(-1).expand(-1, -1, values.size(-1)))
