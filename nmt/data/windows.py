"""Shuffling a corpus that is too large to be shuffled as a whole, without a permutation of it in memory.

Each text is cut into blocks of neighbouring pairs. The blocks of an epoch are shuffled, and BLOCKS of them at a time
form a window, whose pairs are shuffled and batched together. Which pairs a window has is a pure function of (seed,
epoch, window), so that training resumes in any window without a look at those before it.
"""

import math
from collections.abc import Sequence

import numpy as np

from nmt.data.batching import Indices

BLOCKS = 64  # number of blocks in a window; more blocks mix pairs from more places of the corpus


class Windows:
    """Hold the windows of one epoch."""

    def __init__(self, parts: Sequence[tuple[int, float]], size: int, seed: int, epoch: int) -> None:
        """`parts` are (sentences, weight) of each text of a corpus; a window has about `size` sentences."""
        self._block, self._seed, self._epoch = max(1, size // BLOCKS), seed, epoch
        starts, ends, shares = [], [], []
        first = 0
        for count, weight in parts:
            own = np.arange(first, first + count, self._block)
            for share in [1.0] * int(weight) + [weight - int(weight)] * (weight != int(weight)):
                starts.append(own)
                ends.append(np.minimum(own + self._block, first + count))
                shares.append(np.full(len(own), share))
            first += count
        order = np.random.default_rng((seed, epoch)).permutation(sum(map(len, starts)))
        self._starts, self._ends, self._shares = (np.concatenate(each)[order] for each in (starts, ends, shares))

    def __len__(self) -> int:
        return math.ceil(len(self._starts) / BLOCKS)

    def shuffled(self, window: int) -> Indices:
        """Return the sentences of a window, in random order."""
        chosen = slice(window * BLOCKS, (window + 1) * BLOCKS)
        found = []
        blocks = zip(self._starts[chosen].tolist(), self._ends[chosen].tolist(), self._shares[chosen], strict=True)
        for start, end, share in blocks:
            own = np.arange(start, end)
            if share < 1:  # a sample, another one in every epoch
                random = np.random.default_rng((self._seed, self._epoch, start, end))
                own = random.permutation(own)[: max(1, round(share * len(own)))]
            found.append(own)
        return np.random.default_rng((self._seed, self._epoch, window)).permutation(np.concatenate(found))


class WindowsInOrder:
    """Hold the windows of an epoch that reads a text from its beginning to its end, each shuffled.

    A window is known as soon as its pairs are, so training can begin before the text is encoded to its end.
    """

    def __init__(self, pairs: int, size: int, seed: int, epoch: int) -> None:
        self._pairs, self._size, self._seed, self._epoch = pairs, size, seed, epoch

    def __len__(self) -> int:
        return math.ceil(self._pairs / self._size)

    def shuffled(self, window: int) -> Indices:
        """Return the sentences of a window, in random order."""
        own = np.arange(window * self._size, min((window + 1) * self._size, self._pairs))
        return np.random.default_rng((self._seed, self._epoch, window)).permutation(own)
