"""Word alignment learnt from parallel text alone: IBM model 2 with a diagonal prior, in both directions, symmetrised.

The model is that of Dyer et al. 2013 (fast_align). Target token j of m is translated from nothing with probability
`NULL`, otherwise from source token i of n with probability proportional to exp(-tension |i / n - j / m|). Both the
translation table and the tension are learnt by EM. The links of the two directions are merged by grow-diag-final-and
(Koehn et al. 2003; Och & Ney 2003).
"""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nmt.data.dataset import Ids

Link = tuple[int, int]  # source position, target position, from 0
Counts = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.float64]

LINKS = 20_000_000  # candidate links to learn from; a larger corpus is sampled evenly
CHUNK = 1_000_000  # candidate links that are computed with at once
ROUNDS = 6  # of EM
NULL = 0.08
TENSION = 4.0  # where the tension starts
PRIOR = 0.01  # Dirichlet prior of the translation table, which makes it sparse


class Candidates(NamedTuple):
    """Hold every source position for every target token of some sentence pairs, token by token. "No word" is position
    -1."""

    key: Counts  # source id * target vocabulary + target id; the id of nothing is the size of the source vocabulary
    position: Counts  # source position; -1 for nothing, which comes last
    nearness: Numbers  # -|i / n - j / m|
    start: Counts  # where each target token's candidates begin


class Direction(NamedTuple):
    """Hold what EM has learnt about target tokens given source tokens."""

    keys: Counts  # sorted
    probability: Numbers
    tension: float

    def links(self, found: Candidates) -> Counts:
        """Return the source position of each target token; -1 for no word."""
        if not len(found.start):
            return np.zeros(0, np.int64)
        place = np.searchsorted(self.keys, found.key).clip(max=len(self.keys) - 1)
        probability = np.where(self.keys[place] == found.key, self.probability[place], 1e-12)
        weight = probability * _prior(found, self.tension)
        best = np.maximum.reduceat(weight, found.start)
        token = np.repeat(np.arange(len(found.start)), np.diff(found.start, append=len(weight)))
        first = np.full(len(found.start), len(weight))
        hits = np.flatnonzero(weight == best[token])
        np.minimum.at(first, token[hits], hits)
        positions: Counts = found.position[first]
        return positions


def align(source: Sequence[Ids], target: Sequence[Ids]) -> Iterator[list[Link]]:
    """Yield the links between the words of each pair of sentences, in their order. Words are numbers from 0."""
    sides = (source, target)
    size = np.array([len(one) * len(other) for one, other in zip(source, target, strict=True)])
    if not size.any():
        yield from ([] for _ in source)
        return
    sample = np.arange(0, len(source), max(1, -(-int(size.sum()) // LINKS)))
    sizes = [1 + max((int(words.max()) for words in side if len(words)), default=0) for side in sides]
    orders = ((0, 1), (1, 0))

    def candidates(pairs: Counts, one: int, two: int) -> Candidates:
        return _candidates(sides[one], sides[two], pairs, sizes[one], sizes[two])

    directions = [
        _learn([candidates(pairs, one, two) for pairs in _chunks(sample, size)], sizes[two]) for one, two in orders
    ]
    for pairs in _chunks(np.arange(len(source)), size):
        forward, backward = (
            iter(learnt.links(candidates(pairs, one, two)).tolist())
            for learnt, (one, two) in zip(directions, orders, strict=True)
        )
        for index in pairs.tolist():
            to_source = {(found, place) for place in range(len(target[index])) if (found := next(forward)) >= 0}
            to_target = {(place, found) for place in range(len(source[index])) if (found := next(backward)) >= 0}
            yield symmetrised(to_source, to_target)


def _chunks(pairs: Counts, size: Counts) -> list[Counts]:
    """Split pairs of sentences, in their order, so that each part has about CHUNK candidate links."""
    total = np.cumsum(size[pairs])
    ends = np.searchsorted(total, np.arange(CHUNK, int(total[-1]), CHUNK)) + 1
    return [part for part in np.split(pairs, np.unique(ends)) if len(part)]


def _candidates(
    source: Sequence[Ids], target: Sequence[Ids], pairs: Counts, source_vocab: int, target_vocab: int
) -> Candidates:
    keys, positions, counts = ([np.zeros(0, np.int64)] for _ in range(3))
    nearness = [np.zeros(0)]
    for index in pairs.tolist():
        ids = np.append(source[index].astype(np.int64), source_vocab)
        others = target[index].astype(np.int64)
        n, m = len(ids) - 1, len(others)
        place = np.append(np.arange(n), -1)
        near = -np.abs((np.arange(n) + 0.5) / n - ((np.arange(m) + 0.5) / m)[:, None])
        keys.append((ids * target_vocab + others[:, None]).ravel())
        positions.append(np.broadcast_to(place, (m, n + 1)).ravel())
        nearness.append(np.concatenate([near, np.zeros((m, 1))], axis=1).ravel())
        counts.append(np.full(m, n + 1))
    count = np.concatenate(counts)
    return Candidates(
        np.concatenate(keys), np.concatenate(positions), np.concatenate(nearness), np.cumsum(count) - count
    )


def _prior(found: Candidates, tension: float) -> Numbers:
    """Return the prior probability of each candidate, from the positions alone."""
    real = found.position >= 0
    weight = np.where(real, np.exp(tension * found.nearness), 0.0)
    total = np.add.reduceat(weight, found.start)
    count = np.diff(found.start, append=len(weight))
    return np.where(real, (1 - NULL) * weight / np.repeat(np.maximum(total, 1e-300), count), NULL)


def _learn(chunks: list[Candidates], target_vocab: int) -> Direction:
    """Learn from candidate links by EM. In the chunks, places in the sorted keys of all replace the keys."""
    keys = np.unique(np.concatenate([np.unique(found.key) for found in chunks]))
    for index, found in enumerate(chunks):
        chunks[index] = found._replace(key=np.searchsorted(keys, found.key))
    source = keys // target_vocab
    probability, tension = np.full(len(keys), 1.0 / target_vocab), TENSION
    for _ in range(ROUNDS):
        expected, seen, certain = np.full(len(keys), PRIOR), 0.0, 0.0
        for found in chunks:
            posterior = probability[found.key] * _prior(found, tension)
            count = np.diff(found.start, append=len(posterior))
            posterior /= np.repeat(np.add.reduceat(posterior, found.start), count)
            expected += np.bincount(found.key, posterior, len(keys))
            share = posterior * (found.position >= 0)
            seen, certain = seen + (share * found.nearness).sum(), certain + share.sum()
        total = np.maximum(np.bincount(source, expected), PRIOR)
        # Variational Bayes: exp(digamma) instead of the count, which takes from rare pairs.
        probability = np.exp(_digamma(expected) - _digamma(total)[source])
        # Climb the expected log-likelihood; its slope is the mean nearness seen minus that predicted.
        for _ in range(4 if certain else 0):
            predicted = prior_sum = 0.0
            for found in chunks:
                prior = _prior(found, tension) * (found.position >= 0)
                predicted, prior_sum = predicted + (prior * found.nearness).sum(), prior_sum + prior.sum()
            tension = float(np.clip(tension + 20 * (seen / certain - predicted / prior_sum), 0.1, 14))
    return Direction(keys, probability, tension)


def _digamma(x: Numbers) -> Numbers:
    """Compute the digamma function by its asymptotic series, after moving x above 6."""
    result = np.zeros_like(x)
    x = x.copy()
    for _ in range(6):
        low = x < 6
        result[low] -= 1 / x[low]
        x[low] += 1
    inverse = 1 / (x * x)
    return result + np.log(x) - 0.5 / x - inverse * (1 / 12 - inverse * (1 / 120 - inverse / 252))


def symmetrised(forward: set[Link], backward: set[Link]) -> list[Link]:
    """Merge two directions by grow-diag-final-and.

    Start from the links that both have. Add links of either direction that are next to a link and reach a word without
    one, then links between two words without any.
    """
    links, union = forward & backward, forward | backward
    sources, targets = {s for s, _ in links}, {t for _, t in links}
    grown = bool(links)
    while grown:
        grown = False
        for s, t in sorted(union - links):
            near = any((s + a, t + b) in links for a in (-1, 0, 1) for b in (-1, 0, 1))
            if near and (s not in sources or t not in targets):
                links.add((s, t))
                sources.add(s)
                targets.add(t)
                grown = True
    for direction in (forward, backward):
        for s, t in sorted(direction - links):
            if s not in sources and t not in targets:
                links.add((s, t))
                sources.add(s)
                targets.add(t)
    return sorted(links)
