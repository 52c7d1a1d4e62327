"""The batches of an epoch, with sampled subwords and the teachers' soft targets, if asked for."""

from collections.abc import Sequence

import numpy as np

from nmt.config import Settings
from nmt.data.batch import Batch, Sentences, make_batch
from nmt.data.batching import Indices, epoch_batches, epoch_order, length_batches
from nmt.data.dataset import Dataset
from nmt.data.growing import GrowingDataset
from nmt.data.guide import Guide
from nmt.data.hidden_words import Hidden
from nmt.data.resampling import Resampled
from nmt.data.subword import Subwords
from nmt.data.windows import Windows, WindowsInOrder
from nmt.training.distillation import TeacherCache


class EpochBatches:
    """Provide the batches of one epoch after another: a pure function of (seed, epoch, window)."""

    def __init__(
        self,
        dataset: Dataset,
        settings: Settings,
        subwords: Subwords,
        teacher_cache: TeacherCache | None,
        weights: Sequence[float] = (1.0,),
        guide: Guide | None = None,
    ) -> None:
        """`weights` are the sampling weights of the texts of the dataset.
        `guide` has the word alignments of its pairs."""
        self._weights, self._early = weights, settings.data.start_early
        self._dataset, self._settings, self._subwords, self._teacher_cache = dataset, settings, subwords, teacher_cache
        self._guide = guide
        self._sentences: Sentences = dataset
        self._chosen: list[Indices] = []
        self.windows = 1  # of the epoch

    def in_order(self, epoch: int) -> bool:
        """Return whether an epoch reads the text in its order, perhaps while it is still being encoded. How many
        windows it has is then known at its end."""
        return self._early and epoch == 0

    def encoded(self, epoch: int, window: int) -> bool:
        """Return whether all that a window needs is encoded: its pairs, and whether another one follows."""
        dataset = self._dataset
        if not isinstance(dataset, GrowingDataset):
            return True
        size = self._settings.training.shuffle_window
        return dataset.has((window + 1) * size) if self.in_order(epoch) else dataset.has_all()

    def begin(self, epoch: int, window: int = 0) -> None:
        """Start a window of an epoch, which is all of it by default: order its sentences and form its batches."""
        training, sizes = self._settings.training, self._dataset.sizes
        parts = list(zip(sizes, self._weights, strict=True))
        if training.shuffle_window:
            windows: Windows | WindowsInOrder
            if self.in_order(epoch):
                windows = WindowsInOrder(sizes[0], training.shuffle_window, training.seed, epoch)
            else:
                windows = Windows(parts, training.shuffle_window, training.seed, epoch)
            self.windows = len(windows)
            self._chosen = []
            if window < len(windows):  # its batches are formed as `epoch_batches` forms those of an epoch
                order = windows.shuffled(window)
                source, target = (self._dataset.lengths(side, order) for side in ("source", "target"))
                places = np.arange(len(order))
                batches = length_batches(places, source, target, training.batch_tokens, training.batch_sentences)
                random = np.random.default_rng((training.seed, epoch, window, len(order)))
                self._chosen = [order[batches[index]] for index in random.permutation(len(batches))]
        else:
            source, target = self._dataset.source_lengths(), self._dataset.target_lengths()
            order = epoch_order(parts, training.seed, epoch)
            self._chosen = epoch_batches(source, target, training, epoch, order)
        if alpha := self._settings.subword.sampling:
            self._sentences = Resampled(self._dataset, self._subwords, alpha, training.seed, epoch)
        elif training.hide_words and {subword.kind for subword in self._subwords} == {"word"}:
            self._sentences = Hidden(self._dataset, self._subwords, training.hide_words, training.seed, epoch)

    def __len__(self) -> int:
        return len(self._chosen)

    def chosen(self, first: int, count: int) -> list[Indices]:
        """Return the sentences of `count` batches from `first` on; fewer at the end of the epoch."""
        return self._chosen[first : first + count]

    def target_tokens(self, chosen: Sequence[Indices]) -> int:
        """Return the target tokens of batches, as long as no other subwords are drawn for them."""
        return self._dataset.target_tokens(np.concatenate(chosen))

    def make(self, indices: Indices) -> Batch:
        """Return the batch of these sentences."""
        batch = make_batch(self._sentences, indices)
        if self._teacher_cache:
            batch = self._teacher_cache.add_to(batch, indices)
        return self._guide.add_to(batch, indices) if self._guide else batch

    def places(self, chosen: Sequence[Indices]) -> list[tuple[int, int]]:
        """Return (number of the training text from 0, line in it) of these sentences, sorted."""
        dataset = self._dataset
        return sorted((dataset.text_of(index), dataset.line(index)) for indices in chosen for index in indices.tolist())
