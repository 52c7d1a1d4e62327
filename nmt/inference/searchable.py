"""What all searches share: the model as they know it, hypotheses and their scores, and buffers for tokens.

A CPU looks after each step which sentences are finished. A GPU is asked every few steps, since an answer has to be
waited for; meanwhile nothing about a finished sentence changes. Tokens are written into buffers with room for more.
"""

import functools
from typing import Any, NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from nmt.config import DecodingSettings
from nmt.data.subword import BOS_ID, PAD_ID
from nmt.model import State

STEPS_ON_GPU = 8  # between two looks at which sentences are finished
WIDTH = 32  # tokens that a buffer has room for at first


@runtime_checkable
class Encoded(Protocol):
    """Define what search needs of a memory: which source tokens are real, the memory of some of the sentences, and
    that of these sentences and others."""

    @property
    def mask(self) -> Tensor: ...

    def select(self, rows: Tensor) -> "Encoded": ...

    def join(self, other: Any) -> "Encoded": ...


@runtime_checkable
class Searchable(Protocol):
    """Define what search needs of a model. `memory` is what `encode` returned; search overwrites the
    log-probabilities of a step."""

    def encode(self, source: Tensor) -> tuple[Encoded, State]:
        """Encode a source that is on the host, where lengths are read without waiting for a device."""
        ...

    def step(self, tokens: Tensor, state: State, memory: Any) -> tuple[Tensor, State, Tensor]: ...


class Hypothesis(NamedTuple):
    """Hold a translation, finished or not, and its scores."""

    tokens: list[int]  # without begin and end
    score: float  # log-probability / length penalty + coverage penalty: what search maximises
    log_prob: float  # natural log, summed over the tokens and the end


def length_penalty(length: Int[Tensor, "..."] | int, alpha: float) -> Float[Tensor, "..."]:
    """Return ((5 + length) / 6) ** alpha, `length` counting the end (Wu et al. 2016, equation 14)."""
    return ((5 + torch.as_tensor(length)) / 6) ** alpha


@functools.lru_cache(maxsize=4096)
def _penalty(length: int, alpha: float) -> float:
    """Return the length penalty of one length, as float32 has it."""
    return float(length_penalty(length, alpha))


def coverage_penalty(coverage: Float[Tensor, "*rows src"], memory_mask: Tensor, beta: float) -> Float[Tensor, "*rows"]:
    """Return beta * sum of log(min(attention received, 1)) over the source tokens; at most 0 (Wu et al. 2016,
    equation 14)."""
    received = coverage.clamp(min=1e-6, max=1.0).masked_fill(~memory_mask, 1.0)
    return beta * received.log().sum(dim=-1)


def score_of(
    log_prob: Float[Tensor, "*rows"],
    length: int | Int[Tensor, "*#rows"],
    coverage: Float[Tensor, "*rows src"] | None,
    memory_mask: Tensor,
    settings: DecodingSettings,
) -> Float[Tensor, "*rows"]:
    """Return what search maximises; `length` counts the end, and `coverage` is there if it counts."""
    alpha = settings.length_penalty
    score = log_prob / (_penalty(length, alpha) if isinstance(length, int) else length_penalty(length, alpha))
    if coverage is not None:
        score = score + coverage_penalty(coverage, memory_mask, settings.coverage_penalty)
    return score


def steps_between_looks(device: torch.device) -> int:
    """Return how many steps a search takes before it looks which sentences are finished."""
    return 1 if device.type == "cpu" else STEPS_ON_GPU


def new_buffer(shape: tuple[int, ...], device: torch.device) -> Int[Tensor, "*shape width"]:
    """Return room for tokens: begin, then padding."""
    tokens = torch.full((*shape, WIDTH), PAD_ID, device=device)
    tokens[..., 0].fill_(BOS_ID)
    return tokens


def with_room(tokens: Int[Tensor, "*shape width"], time: int) -> Int[Tensor, "*shape wider"]:
    """Return the buffer, or a wider copy, so that it has room for a token at `time`."""
    if time < tokens.size(-1):
        return tokens
    return torch.nn.functional.pad(tokens, (0, tokens.size(-1)), value=PAD_ID)


def select_rows(state: State, rows: Int[Tensor, "rows"]) -> State:
    """Return the state of some hypotheses."""
    return tuple(part.index_select(1, rows) for part in state)
