"""Subword regularisation: the same sentences, cut into pieces anew in every epoch (Kudo 2018; for a BPE model this is
BPE-dropout, Provilkov et al. 2020)."""

import numpy as np

from nmt.data.dataset import Dataset, Ids
from nmt.data.subword import Subword, Subwords


class Resampled:
    """A dataset whose sentences come in pieces drawn at random: a pure function of (seed, epoch, sentence).

    `alpha` is SentencePiece's: a segmentation has a probability proportional to its own ** alpha (unigram), or each
    merge is left out with probability alpha (BPE). The text is that of the dataset's ids, so no text file is read.
    """

    def __init__(self, dataset: Dataset, subwords: Subwords, alpha: float, seed: int, epoch: int) -> None:
        self.dataset, self.subwords, self.alpha = dataset, subwords, alpha
        self.seed, self.epoch = seed, epoch

    def source(self, index: int) -> Ids:
        return self._draw(self.subwords.source, self.dataset.source(index), (index, 0))

    def target(self, index: int) -> Ids:
        return self._draw(self.subwords.target, self.dataset.target(index), (index, 1))

    def _draw(self, subword: Subword, ids: Ids, place: tuple[int, int]) -> Ids:
        seed = np.random.SeedSequence((self.seed, self.epoch, *place)).generate_state(1)[0]
        return subword.draw(ids.tolist(), self.alpha, int(seed))
