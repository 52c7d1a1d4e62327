"""Which target pieces each source piece is translated by: IBM model 1 (Brown et al. 1993), learnt by EM."""

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from nmt.data.dataset import Dataset

LINKS = 20_000_000  # (source token, target token) that are learnt from; a larger corpus is sampled evenly
ROUNDS = 5


class Lexicon(NamedTuple):
    """Hold the probabilities of the pairs of pieces that were seen together, sorted by source piece."""

    source: npt.NDArray[np.int64]
    target: npt.NDArray[np.int64]
    probability: npt.NDArray[np.float64]  # of the target piece, given the source piece
    frequency: npt.NDArray[np.int64]  # of each target piece

    def best(self, count: int, vocab: int) -> npt.NDArray[np.int64]:
        """Return the `count` likeliest target pieces of each of `vocab` source pieces, best first; -1 where none is
        left."""
        order = np.lexsort((-self.probability, self.source))
        source, target = self.source[order], self.target[order]
        begins = np.searchsorted(source, np.arange(vocab))
        rank = np.arange(len(source)) - begins[source]
        table = np.full((vocab, count), -1, np.int64)
        kept = rank < count
        table[source[kept], rank[kept]] = target[kept]
        return table


def learn_lexicon(data: Dataset, source_vocab: int, target_vocab: int) -> Lexicon:
    """Learn the probability of each target token given each source token by IBM model 1 (Brown et al. 1993)."""
    links = data.source_lengths() * data.target_lengths()
    every = max(1, -(-int(links.sum()) // LINKS))
    chosen = range(0, len(data), every)
    pairs = [(data.source(index).astype(np.int64), data.target(index).astype(np.int64)) for index in chosen]
    keys = np.concatenate([np.add.outer(target, source * target_vocab).ravel() for source, target in pairs])
    per_token = np.concatenate([np.full(len(target), len(source)) for source, target in pairs])
    token = np.repeat(np.arange(len(per_token)), per_token)  # the target token that a link is of

    pairs_seen, link = np.unique(keys, return_inverse=True)
    source, target = pairs_seen // target_vocab, pairs_seen % target_vocab
    probability = np.ones(len(pairs_seen))
    for _ in range(ROUNDS):
        share = probability[link]
        share /= np.bincount(token, share)[token]
        count = np.bincount(link, share, len(pairs_seen))
        probability = count / np.bincount(source, count, source_vocab)[source]
    frequency = np.bincount(np.concatenate([target for _, target in pairs]), minlength=target_vocab)
    return Lexicon(source, target, probability, frequency)
