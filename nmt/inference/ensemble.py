"""Decode with several models as one, by the mean of their probabilities at each token."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from nmt.inference.search import Encoded, Searchable
from nmt.model import State


class EnsembleMemory(NamedTuple):
    """Hold the memory of each member. All members read the same source, so their masks are equal."""

    members: tuple[Encoded, ...]
    parts: tuple[int, ...]  # how many tensors of the joint state are each member's

    @property
    def mask(self) -> Bool[Tensor, "batch src"]:
        """Return the mask of the source tokens, which all members read."""
        return self.members[0].mask

    def select(self, rows: Int[Tensor, "rows"]) -> "EnsembleMemory":
        """Return the memories of these rows: sentences, or hypotheses of them."""
        return self._replace(members=tuple(memory.select(rows) for memory in self.members))

    def split(self, state: State) -> Iterator[State]:
        """Yield each member's own state, out of the joint one."""
        start = 0
        for count in self.parts:
            yield state[start : start + count]
            start += count


class Ensemble:
    """Decode with several models as one. They share their vocabularies; a state joins the members' states."""

    def __init__(self, members: Sequence[Searchable]) -> None:
        self.members = members

    def encode(self, source: Int[Tensor, "batch src"]) -> tuple[EnsembleMemory, State]:
        """Return the memories of all members, and their first states as one."""
        memories, states = zip(*(member.encode(source) for member in self.members), strict=True)
        # A flat tuple of tensors, which a beam reorders without knowing whose they are.
        return EnsembleMemory(memories, tuple(len(state) for state in states)), sum(states, ())

    def step(
        self, tokens: Int[Tensor, "rows"], state: State, memory: EnsembleMemory
    ) -> tuple[Float[Tensor, "rows vocab"], State, Float[Tensor, "rows src"]]:
        """Return the log of the mean of the members' probabilities, their states, and their mean attention."""
        members = zip(self.members, memory.split(state), memory.members, strict=True)
        steps = [member.step(tokens, own_state, own_memory) for member, own_state, own_memory in members]
        log_probs, states, attention = zip(*steps, strict=True)
        return mean_log_probs(log_probs), sum(states, ()), mean_attention(attention)


def mean_log_probs(log_probs: Sequence[Float[Tensor, "*shape"]]) -> Float[Tensor, "*shape"]:
    """Return the log of the mean of the probabilities: log sum_m exp(l_m) - log M."""
    # (members, rows, vocab) -> (rows, vocab); in logs, since products of small probabilities vanish
    return torch.stack(list(log_probs)).logsumexp(dim=0) - math.log(len(log_probs))


def mean_attention(weights: Sequence[Float[Tensor, "*rows src"]]) -> Float[Tensor, "*rows src"]:
    """Average over the members that attend: the weights of a member without attention are all 0."""
    stacked = torch.stack(list(weights))  # (members, rows, src)
    return stacked.sum(dim=0) / stacked.any(dim=-1, keepdim=True).sum(dim=0).clamp(min=1)
