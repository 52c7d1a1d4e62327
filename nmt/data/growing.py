"""A dataset that another process is still writing: of its pairs, those that are on the disk so far.

What is read never changes: a process that was killed and resumed writes the same pairs into the same places.
"""

from pathlib import Path

from nmt.data.cache import partial_of
from nmt.data.dataset import Dataset, Shard
from nmt.data.write_dataset import recorded_pairs


class GrowingDataset(Dataset):
    """Read the pairs of one text that are encoded so far. `grow` looks for more."""

    def __init__(self, place: Path) -> None:
        """`place` is the folder in the cache that the dataset gets when it is complete."""
        self.folders = (place,)
        self.complete = False
        self._hold([])
        self.sizes = [0]
        self.grow()

    def grow(self) -> None:
        """Take in what was written since the last look."""
        if self.complete:
            return
        [place] = self.folders
        try:
            complete = place.is_dir()
            shard = Shard(place) if complete else Shard(partial_of(place), recorded_pairs(partial_of(place)))
        except (OSError, ValueError):  # nothing is there yet, or it is renamed at this moment
            return
        self.complete = complete
        self._hold([shard])
        self.__dict__.pop("lines", None)  # were those of fewer pairs

    def has_all(self) -> bool:
        """Look whether all pairs are encoded."""
        self.grow()
        return self.complete

    def has(self, pairs: int) -> bool:
        """Look whether more than this number of pairs are encoded, or all that there are."""
        if not self.complete and len(self) <= pairs:
            self.grow()
        return self.complete or len(self) > pairs
