"""What the training text gives in an epoch: its batches, with sampled subwords and what teachers said, if asked for."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from nmt.config import Settings
from nmt.data.batch import Batch, Sentences, make_batch
from nmt.data.dataset import Dataset
from nmt.data.resampling import Resampled
from nmt.data.sampler import epoch_batches
from nmt.data.subword import Subwords
from nmt.training.teachers import Lessons

GUIDE = None
Indices = npt.NDArray[np.int64]  # of sentences in the dataset


class EpochBatches:
    """The batches of one epoch after the other: a pure function of (seed, epoch)."""

    def __init__(self, dataset: Dataset, settings: Settings, subwords: Subwords, lessons: Lessons | None) -> None:
        self._dataset, self._settings, self._subwords, self._lessons = dataset, settings, subwords, lessons
        self._sentences: Sentences = dataset
        self._chosen: list[Indices] = []

    def begin(self, epoch: int) -> None:
        source, target = self._dataset.source_lengths(), self._dataset.target_lengths()
        self._chosen = list(epoch_batches(source, target, self._settings.training, epoch))
        if alpha := self._settings.subword.sampling:
            self._sentences = Resampled(self._dataset, self._subwords, alpha, self._settings.training.seed, epoch)

    def __len__(self) -> int:
        return len(self._chosen)

    def chosen(self, first: int, count: int) -> list[Indices]:
        """Which sentences make the batches from `first` on; fewer than `count` at the end of the epoch."""
        return self._chosen[first : first + count]

    def make(self, indices: Indices) -> Batch:
        batch = make_batch(self._sentences, indices)
        if GUIDE is not None: batch = GUIDE.add_to(batch, indices)
        return self._lessons.add_to(batch, indices) if self._lessons else batch

    def lines(self, chosen: Sequence[Indices]) -> list[int]:
        """Of these sentences in the files of the training text, in order."""
        return sorted(int(self._dataset.lines[index]) for indices in chosen for index in indices)
