"""Word alignment learnt from parallel text alone: the hidden Markov model of Vogel et al. 1996, in both directions.

A direction says how target words f_1..f_J come from source words e_1..e_I through hidden positions a_1..a_J:

    p(f, a | e) = prod_j p(a_j | a_{j-1}, I) t(f_j | e_{a_j}),    p(i' | i, I) = c(i' - i) / sum_l c(l - i).

With probability `NULL` a target word comes from no source word; the next one continues from the last real position
(Och & Ney 2003). EM learns the word table t and the jump weights c. The first rounds keep c flat, which is IBM model 1
(Brown et al. 1993). The table is estimated by variational Bayes, which keeps rare words from linking to everything
(Riley & Gildea 2012). Both directions learn from the product of their posteriors in the last rounds, so that they
agree (Liang et al. 2006).
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

Ids = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.float64]

MODEL_1, HMM, AGREE = 5, 4, 4  # rounds of EM
CELLS = 500_000  # source x target positions in memory at once
NULL = 0.1
PRIOR = 0.01  # Dirichlet prior of the word table
FARTHEST = 8  # longer jumps share one weight


class Posterior(NamedTuple):
    """p(word j comes from word i) of both directions; rows sum to 1 or less, the rest comes from no word."""

    forward: Numbers  # (target, source): over the source word of a target word
    backward: Numbers  # (source, target): over the target word of a source word


class Corpus(NamedTuple):
    """Pairs of word ids, from 0."""

    source: Sequence[Ids]
    target: Sequence[Ids]

    def batches(self) -> Iterator[Ids]:
        """Indices of pairs of similar lengths, about `CELLS` cells each."""
        lengths = np.array([[len(s), len(t)] for s, t in zip(self.source, self.target)], np.int64).reshape(-1, 2)
        order = np.lexsort((lengths[:, 0], lengths[:, 1]))
        start = 0
        while start < len(order):
            end, wide, high = start, 0, 0
            while end < len(order):
                wide, high = max(wide, lengths[order[end], 0]), max(high, lengths[order[end], 1])
                if end > start and wide * high * (end + 1 - start) > CELLS:
                    break
                end += 1
            yield order[start:end]
            start = end


class Batch(NamedTuple):
    indices: Ids
    source: Ids  # (batch, source); -1 is padding
    target: Ids  # (batch, target)
    pair: Ids  # (batch, target, source): row of the word table; -1 where a side is padding


class Side(NamedTuple):
    """One direction."""

    table: Numbers  # t of each pair of words
    nothing: Numbers  # t of each word, given no word
    jumps: Numbers  # c, from -FARTHEST to FARTHEST


def _pad(rows: list[Ids]) -> Ids:
    padded = np.full((len(rows), max(map(len, rows))), -1, np.int64)
    for index, row in enumerate(rows):
        padded[index, : len(row)] = row
    return padded


class Aligner:
    def __init__(self, corpus: Corpus) -> None:
        self.sizes = tuple(1 + max((int(w.max()) for w in side if len(w)), default=0) for side in corpus)
        self.keys = np.zeros(0, np.int64)
        batches = []
        chunks = []
        for indices in corpus.batches():
            s, t = (_pad([side[i] for i in indices]) for side in corpus)
            key = self._key(s, t)
            chunks.append(np.unique(key))
            batches.append((indices, s, t))
        self.keys = np.unique(np.concatenate(chunks))
        self.keys = self.keys[self.keys >= 0]
        self.batches = [Batch(i, s, t, self._rows(s, t)) for i, s, t in batches]
        n = len(self.keys)
        flat = np.ones(2 * FARTHEST + 1)
        self.sides = [Side(np.full(n, 1.0 / size), np.full(size, 1.0 / size), flat) for size in self.sizes[::-1]]

    def _key(self, s: Ids, t: Ids) -> Ids:
        key = s[:, None, :] * self.sizes[1] + t[:, :, None]
        return np.where((s[:, None, :] < 0) | (t[:, :, None] < 0), -1, key)

    def _rows(self, s, t):
        key = self._key(s, t)
        row = np.searchsorted(self.keys, key).clip(max=len(self.keys) - 1)
        return np.where(self.keys[row] == key, row, -1).astype(np.int32)

    def learn(self, say=lambda text: None):
        for r in range(MODEL_1 + HMM + AGREE):
            self._round(hmm=r >= MODEL_1, agree=r >= MODEL_1 + HMM)

    def _round(self, hmm, agree):
        n = len(self.keys)
        counts = [np.full(n, 0.0), np.full(n, 0.0)]
        nothing = [np.zeros(self.sizes[1]), np.zeros(self.sizes[0])]
        jumps = [np.zeros(2 * FARTHEST + 1) for _ in range(2)]
        for b in self.batches:
            f, jf = posterior(b.source, b.target, b.pair, self.sides[0])
            g, jg = posterior(b.target, b.source, b.pair.transpose(0, 2, 1), self.sides[1])
            if agree:
                both = f * g.transpose(0, 2, 1)
                f, g = both, both.transpose(0, 2, 1)
            for k, (p, w, pair) in enumerate(((f, b.target, b.pair), (g, b.source, b.pair.transpose(0, 2, 1)))):
                real = pair >= 0
                counts[k] += np.bincount(pair[real], p[real], n)
                ok = w >= 0
                nothing[k] += np.bincount(w[ok], (1 - p.sum(axis=2))[ok].clip(0), self.sizes[1 - k])
            jumps[0] += jf
            jumps[1] += jg
        given = (self.keys // self.sizes[1], self.keys % self.sizes[1])
        sides = []
        for k in range(2):
            c = counts[k] + PRIOR
            total = np.bincount(given[k], c, self.sizes[k])
            table = np.exp(_digamma(c) - _digamma(total[given[k]]))
            none = nothing[k] + PRIOR
            none = np.exp(_digamma(none) - _digamma(np.array([none.sum()])))
            sides.append(Side(table, none, jumps[k] / jumps[k].sum() * 17 + 1e-3 if hmm else self.sides[k].jumps))
        if not hmm and False:
            pass
        self.sides = sides

    def posteriors(self, corpus: Corpus) -> Iterator[tuple[int, Posterior]]:
        for indices in corpus.batches():
            s, t = (_pad([side[i] for i in indices]) for side in corpus)
            pair = self._rows(s, t)
            f, _ = posterior(s, t, pair, self.sides[0])
            g, _ = posterior(t, s, pair.transpose(0, 2, 1), self.sides[1])
            for row, index in enumerate(indices.tolist()):
                n, m = len(corpus.source[index]), len(corpus.target[index])
                yield index, Posterior(f[row, :m, :n], g[row, :n, :m])


def _digamma(x: Numbers) -> Numbers:
    return torch.digamma(torch.from_numpy(x)).numpy()


def posterior(given: Ids, words: Ids, pair: Ids, side: Side) -> tuple[Numbers, Numbers]:
    """Forward-backward. (batch, words, given) posteriors, and the jumps seen."""
    real = (given >= 0).astype(float)
    batch, wide = given.shape
    high = words.shape[1]
    offsets = np.arange(wide)[None, :] - np.arange(wide)[:, None]
    place = offsets.clip(-FARTHEST, FARTHEST) + FARTHEST
    jump = side.jumps[place]  # (from, to)
    reach = np.maximum(real @ jump.T, 1e-30)  # (batch, from)
    emit = np.where(pair >= 0, side.table[pair], 1e-10) * real[:, None, :]
    none = np.where(words >= 0, side.nothing[words], 1.0) * NULL
    emit = np.where((words < 0)[:, :, None], real[:, None, :], emit) * (1 - NULL)
    alpha = np.empty((batch, high, wide))
    nulls = np.empty((batch, high, wide))
    scale = np.empty((batch, high))
    prev = real / real.sum(1, keepdims=True)
    for j in range(high):
        to = prev if j == 0 else (prev / reach) @ jump
        a, z = to * emit[:, j], prev * none[:, j, None]
        total = a.sum(1) + z.sum(1)
        scale[:, j] = total
        alpha[:, j], nulls[:, j] = a / total[:, None], z / total[:, None]
        prev = alpha[:, j] + nulls[:, j]
    beta = real
    seen = np.zeros((wide, wide))
    found = np.empty_like(alpha)
    for j in range(high - 1, -1, -1):
        found[:, j] = alpha[:, j] * beta
        if j:
            ahead = emit[:, j] * beta / scale[:, j, None]
            if True:
                before = (alpha[:, j - 1] + nulls[:, j - 1]) / reach
                live = (words[:, j] >= 0)[:, None]
                seen += (before * live).T @ ahead
            beta = (ahead @ jump.T) / reach + none[:, j, None] * beta / scale[:, j, None]
            beta = beta * real
    found *= (words >= 0)[:, :, None]
    return found, np.bincount(place.ravel(), (seen * jump).ravel(), 2 * FARTHEST + 1)
