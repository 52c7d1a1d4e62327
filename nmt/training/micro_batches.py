"""Micro-batches: what a training step is made of, so that any number of processes computes the same step.

A step reads `training.accumulate` batches. Each is divided into parts; the parts of a step, numbered from 0, are its
micro-batches. Which sentences are in each is a pure function of (seed, epoch, step), and its dropout one of (seed,
step, number). The ranks take the micro-batches in turn, and one sum over all ranks gives each the same gradient.
"""

import itertools
import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from nmt.config import TrainingSettings
from nmt.data.batching import Indices
from nmt.distributed import Ranks
from nmt.errors import ConfigError

USUAL = 4  # micro-batches of a step under torchrun, so that 1, 2 and 4 processes train the same model
DIGITS, BASE = 4, 4096  # a count travels as digits that float32 adds exactly over up to 4,096 ranks
MOST = BASE**DIGITS


class Division(NamedTuple):
    """Say how steps are divided."""

    parts: int  # of a batch; 0: it stays whole, and a step has one sequence of random numbers
    rank: int = 0
    size: int = 1

    def own(self, batches: Sequence[Indices]) -> list[tuple[int, Indices]]:
        """Return (number, sentences) of each micro-batch that this rank computes, out of the batches of a step."""
        if not self.parts:
            return list(enumerate(batches))
        micro_batches = []  # of as equal size as possible; some are empty if a batch has fewer sentences
        for batch in batches:
            edges = [len(batch) * part // self.parts for part in range(self.parts + 1)]
            micro_batches += [batch[start:end] for start, end in itertools.pairwise(edges)]
        return [
            (number, part) for number, part in enumerate(micro_batches) if number % self.size == self.rank and len(part)
        ]


def division(training: TrainingSettings, ranks: Ranks) -> Division:
    """Return how the steps of a run are divided among these ranks. Raise ConfigError if one would never have any."""
    parts = training.parts
    if ranks.launched:
        parts = parts or math.ceil(max(USUAL, ranks.size) / training.accumulate)
    if ranks.size > max(parts, 1) * training.accumulate:
        enough = math.ceil(ranks.size / training.accumulate)
        raise ConfigError(
            f"training.parts: {parts} x {training.accumulate} (training.accumulate) micro-batches per step leave some "
            f"of {ranks.size} processes without data; set training.parts={enough}"
        )
    return Division(parts, ranks.rank, ranks.size)


def seed_of(seed: int, step: int, number: int) -> int:
    """Return the random seed of a micro-batch."""
    return int(np.random.SeedSequence((seed, step, number)).generate_state(1, np.uint64)[0])


class MicroBatches(NamedTuple):
    """Hold what a step must know of the micro-batches that one rank computes."""

    numbers: Sequence[int]  # of each, among those of the step
    tokens: int  # target tokens of the whole step; the subwords may be drawn anew, so they are counted once more
    notes: Sequence[int] = ()  # counts that travel with the gradients


class Summed(NamedTuple):
    """Hold sums over all ranks."""

    loss: float
    counts: list[int]


@torch.no_grad()
def sum_gradients(model: nn.Module, loss: float, counts: Sequence[int], ranks: Ranks) -> Summed:
    """Replace the gradients of a model by their sums over all ranks; return the sums of the loss and of counts.

    Everything travels in one flat bucket. A parameter that has a gradient on no rank has none afterwards.
    """
    parameters = list(model.parameters())
    present = [float(parameter.grad is not None) for parameter in parameters]
    digits = [value // BASE**place % BASE for value in counts for place in range(DIGITS)]
    device, dtype = parameters[0].device, parameters[0].dtype
    last = torch.tensor([*present, loss, *digits], dtype=dtype, device=device)
    parts = [
        parameter.new_zeros(parameter.shape) if parameter.grad is None else parameter.grad for parameter in parameters
    ]
    bucket = ranks.sum(torch.cat([*(part.reshape(-1) for part in parts), last]))
    *gradients, rest = bucket.split([*(parameter.numel() for parameter in parameters), len(last)])
    found = rest.tolist()
    for parameter, gradient, known in zip(parameters, gradients, found, strict=False):
        parameter.grad = gradient.view_as(parameter).to(dtype) if known else None
    total = found[len(parameters)]
    sums = [round(digit) for digit in found[len(parameters) + 1 :]]
    return Summed(
        total,
        [
            sum(digit * BASE**place for place, digit in enumerate(sums[start : start + DIGITS]))
            for start in range(0, len(sums), DIGITS)
        ],
    )


def scale_gradients(parameters: Sequence[Tensor], factor: float) -> None:
    """Multiply all gradients by a factor."""
    if factor != 1.0:
        torch._foreach_mul_([parameter.grad for parameter in parameters if parameter.grad is not None], factor)
