"""The trace of a search: the hypotheses of each step, what became of them, and what they attended to.

A search records its tensors as they are. They are read after it has ended, so that no step waits for a GPU.
"""

from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nmt.data.subword import BOS_ID, EOS_ID

LIVED, ENDED, PRUNED = "lived", "ended", "pruned"
MOST_ATTENTION = 2**25  # attention weights that are kept; wide beams over long lines would have gigabytes


class Node(NamedTuple):
    """Hold a hypothesis: that of `parent`, another node of the list, and one more token."""

    parent: int  # -1 for the first node, which is empty
    token: int
    log_prob: float  # natural log, of the whole hypothesis
    fate: str  # LIVED into the next step, ENDED within the beam, or PRUNED


class Step(NamedTuple):
    """Hold a step of a search. Candidates are hypotheses with one more token, best first."""

    sentence: Int[Tensor, "batch"]
    done: Bool[Tensor, "batch"]  # finished before this step
    attention: Float[Tensor, "batch beam src"]  # of the hypotheses that were live before this step
    parent: Int[Tensor, "batch candidates"]  # which of them
    token: Int[Tensor, "batch candidates"]
    log_prob: Float[Tensor, "batch candidates"]  # of the whole hypothesis; -inf where there is none
    ended: Bool[Tensor, "batch ranks"]  # of the first candidates
    lived: Int[Tensor, "batch beam"]  # the candidates that are live after this step

    def without_attention(self) -> "Step":
        """Return the step without its attention, whose memory is free then."""
        return self._replace(attention=self.attention[..., :0].clone())


class Path(NamedTuple):
    """Hold attention and log-probabilities at each token of one hypothesis, the end of the sentence included."""

    attention: Float[np.ndarray, "tgt src"]
    log_probs: list[float]  # of each token, given those before it


class _Row(NamedTuple):
    """Hold a step of one sentence, with the names of `Step`."""

    attention: Float[np.ndarray, "beam src"]
    parent: list[int]
    token: list[int]
    log_prob: list[float]
    ended: list[bool]
    lived: list[int]


class Trace:
    """Record the steps of a search."""

    def __init__(self, *, candidates: bool = False, copies: int = 1) -> None:
        """`candidates`: whether pruned hypotheses are recorded too; greedy search has none. `copies`: hypotheses of
        each line in a search without a beam, such as samples; each is recorded as a sentence of its own."""
        self.candidates = candidates
        self.copies = copies
        self.whole_vocabulary = True  # whether the probabilities are those among all tokens
        self.has_attention = True  # False once it was too large to be kept
        self._steps: list[Step] = []
        self._size = 0  # weights of attention in all steps

    def add(self, step: Step) -> None:
        """Record a step."""
        self._size += step.attention.numel()
        if self._size > MOST_ATTENTION and self.has_attention:
            self.has_attention = False
            self._steps = [each.without_attention() for each in self._steps]
        self._steps.append(step if self.has_attention else step.without_attention())

    def rename(self, tokens: Int[Tensor, " tokens"]) -> None:
        """Give the tokens of a restricted vocabulary, which a search numbered from 0, their numbers in the whole
        one."""
        self._steps = [step._replace(token=tokens.to(step.token.device)[step.token]) for step in self._steps]
        self.whole_vocabulary = False

    @cached_property
    def _rows(self) -> dict[int, list[_Row]]:
        """Return the steps of each sentence, up to that in which it is done."""
        found = defaultdict(list)
        for step in self._steps:
            attention = step.attention.float().cpu().numpy()  # numpy has no bf16
            others = (step.parent, step.token, step.log_prob, step.ended, step.lived)
            rows = zip(
                step.sentence.tolist(), step.done.tolist(), attention, *(part.tolist() for part in others), strict=True
            )
            for sentence, done, *row in rows:
                if not done:
                    found[sentence].append(_Row(*row))
        return found

    def path(self, line: int, tokens: Sequence[int]) -> Path:
        """Return attention and log-probabilities of a hypothesis of a line, `tokens` without begin and end. Raises
        LookupError if the search had no such hypothesis."""
        for sentence in range(line * self.copies, (line + 1) * self.copies):
            if found := self._path(sentence, [*tokens, EOS_ID]):
                return found
        raise LookupError(f"line {line}: the search had no hypothesis {list(tokens)}")

    def _path(self, sentence: int, tokens: Sequence[int]) -> Path | None:
        live, before = 0, 0.0
        attention, log_probs = [], []
        for token, row in zip(tokens, self._rows[sentence], strict=False):
            candidates = enumerate(zip(row.parent, row.token, strict=True))
            place = next((place for place, candidate in candidates if candidate == (live, token)), None)
            if place is None:
                return None
            attention.append(row.attention[live])
            log_probs.append(row.log_prob[place] - before)
            if token != EOS_ID:
                if place not in row.lived:
                    return None
                live, before = row.lived.index(place), row.log_prob[place]
        return Path(np.stack(attention), log_probs) if len(log_probs) == len(tokens) else None

    def nodes(self, sentence: int) -> list[Node]:
        """Return every hypothesis of a sentence."""
        nodes = [Node(-1, BOS_ID, 0.0, LIVED)]
        live = [0]  # the node of each live hypothesis
        for row in self._rows[sentence]:
            first, numbers = len(nodes), []
            for rank, (parent, token, log_prob) in enumerate(zip(row.parent, row.token, row.log_prob, strict=True)):
                numbers.append(len(nodes))
                if log_prob == float("-inf"):
                    continue
                ended = rank < len(row.ended) and row.ended[rank]
                fate = ENDED if ended else LIVED if rank in row.lived else PRUNED
                nodes.append(Node(live[parent], token, log_prob, fate))
            live = [min(numbers[place], max(first, len(nodes) - 1)) for place in row.lived]
        return nodes
