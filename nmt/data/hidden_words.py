"""Words that are made unknown in training, so that a model with a vocabulary of words learns to copy unknown ones.

A name that no training sentence has is one unknown token in the source, and should be one in the target. A model that
has seen no such pair writes another name instead. So now and then a word that both sides of a pair share is hidden on
both: it becomes the unknown token, in other pairs in every epoch.
"""

import numpy as np

from nmt.data.dataset import Dataset, Ids
from nmt.data.subword import EOS_ID, UNK_ID, Subwords


class Hidden:
    """Hide some words of a dataset: a pure function of (seed, epoch, sentence)."""

    def __init__(self, dataset: Dataset, subwords: Subwords, share: float, seed: int, epoch: int) -> None:
        """`share` is the probability with which a shared word of a pair is hidden."""
        self.dataset, self.share = dataset, share
        self.seed, self.epoch = seed, epoch
        # The id that each source word has in the target vocabulary; -1 for one that it lacks, and for marks.
        self._same = np.full(len(subwords.source), -1)
        source, target = (
            {subword.processor.id_to_piece(index): index for index in range(EOS_ID + 1, len(subword))}
            for subword in subwords
        )
        for word, index in source.items():
            if any(character.isalnum() for character in word):
                self._same[index] = target.get(word, -1)

    def source(self, index: int) -> Ids:
        """Return the source token ids of a pair, some words hidden."""
        ids = self.dataset.source(index)
        return np.where(np.isin(self._same[ids], self._hidden(index)), UNK_ID, ids).astype(ids.dtype)

    def target(self, index: int) -> Ids:
        """Return the target token ids of a pair, the same words hidden."""
        ids = self.dataset.target(index)
        return np.where(np.isin(ids, self._hidden(index)), UNK_ID, ids).astype(ids.dtype)

    def _hidden(self, index: int) -> np.ndarray:
        """Return the target ids of the words that are hidden in a pair."""
        shared = np.intersect1d(self._same[self.dataset.source(index)], self.dataset.target(index))
        shared = shared[shared > EOS_ID]
        chance = np.random.default_rng((self.seed, self.epoch, index)).random(len(shared))
        return shared[chance < self.share]
