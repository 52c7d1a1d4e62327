"""Batches: which sentences are read together, and in which order.

Each order is a pure function of its arguments. A corpus is read in an order that depends on the seed and the epoch
alone; what is translated, scored or validated is put in order of length, so that batches have little padding.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from nmt.config import TrainingSettings

Item = TypeVar("Item")
Lengths = npt.NDArray[np.int64]
Indices = npt.NDArray[np.int64]  # of sentences

MOST_POSITIONS = 100_000  # of a batch in decoding, padding included


def chunked(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield `size` items at a time, in their order."""
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk


def longest_first(indices: Iterable[int], lengths: Sequence[int], size: int) -> Iterator[list[int]]:
    """Yield `size` indices at a time, fewer where they are very long, those of the greatest length first."""
    order = sorted(indices, key=lambda index: -lengths[index])
    start = 0
    while start < len(order):
        end = start + max(1, min(size, MOST_POSITIONS // (lengths[order[start]] + 1)))
        yield order[start:end]
        start = end


def by_count(order: Indices, count: int) -> list[Indices]:
    """Cut sentences into batches of `count`."""
    return [order[start : start + count] for start in range(0, len(order), count)]


def by_tokens(order: Indices, longest: Lengths, tokens: int) -> list[Indices]:
    """Cut sentences into batches of at most `tokens` padded tokens.

    `longest` are the lengths, in the same order, of the longer side of each. A sentence that is longer than `tokens`
    is a batch of its own.
    """
    batches, start = [], 0
    while start < len(order):
        window = longest[start : start + max(1, tokens // int(longest[start]))]  # no batch is longer
        padded = np.maximum.accumulate(window) * np.arange(1, len(window) + 1)
        end = start + max(1, int(np.searchsorted(padded, tokens, side="right")))
        batches.append(order[start:end])
        start = end
    return batches


def length_batches(order: Indices, source: Lengths, target: Lengths, tokens: int, count: int = 0) -> list[Indices]:
    """Sort sentences by the lengths of target and source and cut them into batches, the shortest first.

    Equal lengths keep their `order`. `source` and `target` are the lengths of all sentences, begin and end not counted.
    A batch has at most `count` sentences, or `tokens` padded tokens if that is 0.
    """
    source, target = _small(source), _small(target)
    order = order[np.lexsort((source[order], target[order]))]
    if count:
        return by_count(order, count)
    return by_tokens(order, np.maximum(source, target)[order].astype(np.int64) + 1, tokens)  # with begin or end


def _small(lengths: npt.NDArray) -> npt.NDArray:
    """Return lengths in 16 bits if they fit: numpy sorts these by radix, ten times as fast."""
    return lengths.astype(np.uint16) if lengths.size and lengths.max() < 1 << 16 else lengths


def epoch_order(parts: Sequence[tuple[int, float]], seed: int, epoch: int) -> Indices:
    """Return which sentences an epoch reads, in the order of the corpus.

    `parts` are (sentences, weight) of each source of a corpus. Each sentence comes as often as the whole part of its
    weight says; the fraction is a sample of the source, another one in every epoch.
    """
    chosen, first = [], 0
    for number, (size, weight) in enumerate(parts):
        own = np.arange(first, first + size)
        chosen += [own] * int(weight)
        if sampled := round(size * (weight - int(weight))):
            random = np.random.default_rng((seed, epoch, number))
            chosen.append(np.sort(random.permutation(own)[:sampled]))
        first += size
    return np.concatenate([np.zeros(0, np.int64), *chosen])


def epoch_batches(
    source: Lengths, target: Lengths, settings: TrainingSettings, epoch: int, order: Indices | None = None
) -> list[Indices]:
    """Return the batches of an epoch, each as indices of sentences; by default every sentence comes once.

    Sentences are shuffled, sorted by length (so that equal lengths keep their random order), cut into batches, and
    the batches shuffled. A batch is full at `batch_tokens` padded tokens on its longer side, or at
    `batch_sentences`. A sentence longer than `batch_tokens` makes a batch of its own.
    """
    random = np.random.default_rng((settings.seed, epoch))
    shuffled = random.permutation(np.arange(len(source)) if order is None else order)
    batches = length_batches(shuffled, source, target, settings.batch_tokens, settings.batch_sentences)
    return [batches[index] for index in random.permutation(len(batches))]
