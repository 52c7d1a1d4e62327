"""Subword regularisation: the same sentences, cut into pieces anew in every epoch (Kudo 2018; for a BPE model this is
BPE-dropout, Provilkov et al. 2020).

SentencePiece draws segmentations itself, but not the same ones in another process, and so a resumed run would not
be the run that was stopped. Pieces do not reach over spaces, so words are cut one by one here, and what can be known of
a word is computed once.
"""

import functools
import itertools
import math
import random

import numpy as np

from nmt.data.dataset import Dataset, Ids
from nmt.data.subword import EOS_ID, SPACE_MARK, Subword, Subwords

MOST = 64  # likeliest segmentations of a word among which one is drawn; Kudo's l

Word = tuple[int, ...]  # ids of a word's pieces


class Resampled:
    """Draw the segmentation of a dataset's sentences at random: a pure function of (seed, epoch, sentence).

    With a unigram model a word's segmentation has a probability proportional to its own ** alpha; with BPE each merge
    is left out with probability alpha.
    """

    def __init__(self, dataset: Dataset, subwords: Subwords, alpha: float, seed: int, epoch: int) -> None:
        self.dataset, self.subwords, self.alpha = dataset, subwords, alpha
        self.seed, self.epoch = seed, epoch

    def source(self, index: int) -> Ids:
        """Return a sampled segmentation of the source of a pair."""
        return self._draw(self.subwords.source, self.dataset.source(index), (index, 0))

    def target(self, index: int) -> Ids:
        """Return a sampled segmentation of the target of a pair."""
        return self._draw(self.subwords.target, self.dataset.target(index), (index, 1))

    def _draw(self, subword: Subword, ids: Ids, place: tuple[int, int]) -> Ids:
        seed = np.random.SeedSequence((self.seed, self.epoch, *place)).generate_state(2, np.uint64)
        chance = random.Random(int(seed[0]) << 64 | int(seed[1]))
        drawn = _cutter(subword, self.alpha).cut(ids.tolist(), chance)
        return np.array(drawn, ids.dtype)


class Cutter:
    """Draws segmentations with one subword model."""

    def __init__(self, subword: Subword, alpha: float) -> None:
        self.processor, self.alpha = subword.processor, alpha
        self.pieces = [self.processor.id_to_piece(index) for index in range(len(subword))]
        self.ids = {piece: index for index, piece in enumerate(self.pieces)}
        self.scores = [self.processor.get_score(index) for index in range(len(subword))]
        self.draw_word = self._draw_unigram if subword.is_unigram else self._draw_bpe
        self._known: dict[Word, tuple[list[Word], list[float]]] = {}

    def cut(self, ids: list[int], chance: random.Random) -> list[int]:
        """Draw another segmentation of the text of `ids`."""
        starts = [index for index, piece in enumerate(ids) if index == 0 or self.pieces[piece].startswith(SPACE_MARK)]
        words = [tuple(ids[first:end]) for first, end in itertools.pairwise([*starts, len(ids)])]
        return [piece for word in words for piece in self.draw_word(word, chance)]

    def _text(self, word: Word) -> str:
        return "".join(self.pieces[piece] for piece in word)

    # Unigram ----------------------------------------------------------------------------------------------------------

    def _draw_unigram(self, word: Word, chance: random.Random) -> Word:
        if word not in self._known:
            # The likeliest segmentations that spell the word, with cumulative weights.
            text = self._text(word)
            nbest = self.processor.nbest_encode_as_ids(self.processor.decode(list(word)), MOST)
            segmentations = [ids for ids in map(tuple, nbest) if self._text(ids) == text] or [word]
            scores = [sum(self.scores[piece] for piece in ids) for ids in segmentations]
            weights = [math.exp(self.alpha * (score - max(scores))) for score in scores]
            self._known[word] = segmentations, list(itertools.accumulate(weights))
        found, cumulative = self._known[word]
        return chance.choices(found, cum_weights=cumulative)[0]

    # BPE --------------------------------------------------------------------------------------------------------------

    def _draw_bpe(self, word: Word, chance: random.Random) -> Word:
        """Merge from the characters up, the best pair first, each skipped with probability alpha whenever it
        is considered."""
        symbols = list(self._text(word))
        if any(piece <= EOS_ID or self.processor.is_byte(piece) for piece in word) or not all(
            symbol in self.ids for symbol in symbols
        ):
            return word  # a character that the model does not know
        while True:
            merges = [
                (-self.scores[self.ids[one + other]], place)
                for place, (one, other) in enumerate(itertools.pairwise(symbols))
                if one + other in self.ids and chance.random() >= self.alpha
            ]
            if not merges:
                return tuple(self.ids[symbol] for symbol in symbols)
            _, place = min(merges)
            symbols[place : place + 2] = [symbols[place] + symbols[place + 1]]


_cutter = functools.lru_cache(maxsize=4)(Cutter)  # what is known of the words is kept from epoch to epoch
