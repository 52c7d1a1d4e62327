"""Which sentences make a batch and in which order: a pure function of the lengths, the seed and the epoch."""

import numpy as np
import numpy.typing as npt

from nmt.config import TrainingSettings

Lengths = npt.NDArray[np.int64]


def epoch_batches(
    source: Lengths, target: Lengths, settings: TrainingSettings, epoch: int
) -> list[npt.NDArray[np.int64]]:
    """The batches of an epoch, each as indices of sentences; every sentence comes once.

    Sentences are shuffled, sorted by length (so that equal lengths keep their random order), cut into batches, and
    the batches shuffled. A batch is full at `batch_tokens` padded pieces on its longer side, or at
    `batch_sentences`. A sentence longer than `batch_tokens` makes a batch of its own.
    """
    random = np.random.default_rng((settings.seed, epoch))
    order = random.permutation(len(source))
    source, target = _small(source), _small(target)
    order = order[np.lexsort((source[order], target[order]))]
    longest = np.maximum(source, target)[order].astype(np.int64) + 1  # with begin or end
    batches = cut(order, longest, settings.batch_tokens, settings.batch_sentences)
    return [batches[index] for index in random.permutation(len(batches))]


def _small(lengths: npt.NDArray) -> npt.NDArray:
    """In 16 bits if they fit: numpy sorts these by radix, ten times as fast."""
    return lengths.astype(np.uint16) if lengths.size and lengths.max() < 1 << 16 else lengths


def cut(
    order: npt.NDArray[np.int64], longest: Lengths, batch_tokens: int, batch_sentences: int
) -> list[npt.NDArray[np.int64]]:
    """Cuts sorted sentences into batches of at most `batch_sentences`, or `batch_tokens` if that is 0."""
    if batch_sentences:
        return [order[start : start + batch_sentences] for start in range(0, len(order), batch_sentences)]
    batches, start = [], 0
    while start < len(order):
        window = longest[start : start + max(1, batch_tokens // int(longest[start]))]  # no batch is longer
        padded = np.maximum.accumulate(window) * np.arange(1, len(window) + 1)
        end = start + max(1, int(np.searchsorted(padded, batch_tokens, side="right")))
        batches.append(order[start:end])
        start = end
    return batches
