"""What the training text gives in an epoch: its batches, with sampled subwords and what teachers said, if asked for."""

from collections.abc import Sequence

from nmt.config import Settings
from nmt.data.batch import Batch, Sentences, make_batch
from nmt.data.batching import Indices, epoch_batches, epoch_order
from nmt.data.dataset import Dataset
from nmt.data.guide import Guide
from nmt.data.hidden_words import Hidden
from nmt.data.resampling import Resampled
from nmt.data.subword import Subwords
from nmt.training.teachers import Lessons


class EpochBatches:
    """The batches of one epoch after the other: a pure function of (seed, epoch)."""

    def __init__(
        self,
        dataset: Dataset,
        settings: Settings,
        subwords: Subwords,
        lessons: Lessons | None,
        weights: Sequence[float] = (1.0,),
        guide: Guide | None = None,
    ) -> None:
        """`weights` are those of the texts of the dataset: how often its pairs come in an epoch. `guide` has the word
        alignments of its pairs."""
        self._parts = list(zip(dataset.sizes, weights, strict=True))
        self._dataset, self._settings, self._subwords, self._lessons = dataset, settings, subwords, lessons
        self._guide = guide
        self._sentences: Sentences = dataset
        self._chosen: list[Indices] = []

    def begin(self, epoch: int) -> None:
        source, target = self._dataset.source_lengths(), self._dataset.target_lengths()
        training = self._settings.training
        order = epoch_order(self._parts, training.seed, epoch)
        self._chosen = epoch_batches(source, target, training, epoch, order)
        if alpha := self._settings.subword.sampling:
            self._sentences = Resampled(self._dataset, self._subwords, alpha, training.seed, epoch)
        elif training.hide_words and {subword.kind for subword in self._subwords} == {"word"}:
            self._sentences = Hidden(self._dataset, self._subwords, training.hide_words, training.seed, epoch)

    def __len__(self) -> int:
        return len(self._chosen)

    def chosen(self, first: int, count: int) -> list[Indices]:
        """Which sentences make the batches from `first` on; fewer than `count` at the end of the epoch."""
        return self._chosen[first : first + count]

    def make(self, indices: Indices) -> Batch:
        batch = make_batch(self._sentences, indices)
        if self._lessons:
            batch = self._lessons.add_to(batch, indices)
        return self._guide.add_to(batch, indices) if self._guide else batch

    def places(self, chosen: Sequence[Indices]) -> list[tuple[int, int]]:
        """Return (number of the training text, from 0; line in it) of these sentences, in order."""
        dataset = self._dataset
        return sorted(
            (dataset.text_of(index), int(dataset.lines[index])) for indices in chosen for index in indices.tolist()
        )
