"""A parallel corpus as piece ids in memory-mapped arrays: encoded once, read without loading.

A folder holds `source.ids`, `target.ids` (all sentences end to end), `source.offsets`, `target.offsets` and
`lines` (1-based numbers in the text files).
"""

import copy
import functools
from bisect import bisect_right
from pathlib import Path

import numpy as np
import numpy.typing as npt

ID = np.dtype(np.int32)
OFFSET = np.dtype(np.int64)
FILES = ("source.ids", "target.ids", "source.offsets", "target.offsets", "lines")

Ids = npt.NDArray[np.int32]


class Dataset:
    """Read pairs of id sequences, without begin and end: one text after the other, a folder for each.

    Raises OSError or ValueError if a file is missing or cut short.
    """

    complete = True  # False while another process still writes it (nmt/data/growing.py)

    def __init__(self, *folders: Path) -> None:
        self.folders = folders
        self._hold([Shard(folder) for folder in folders])

    def _hold(self, shards: "list[Shard]") -> None:
        self._shards = shards
        self.sizes = [len(shard.lines) for shard in shards]
        self._first = [0, *np.cumsum(self.sizes).tolist()]  # index of the first sentence of each text

    @functools.cached_property
    def lines(self) -> npt.NDArray[np.int64]:
        """Return the line of each pair, from 1, in the text that it is from."""
        return _joined([shard.lines for shard in self._shards])

    def line(self, index: int) -> int:
        """Return the line of a pair."""
        shard, own = self._find(index)
        return int(shard.lines[own])

    def __len__(self) -> int:
        return int(self._first[-1])

    def source(self, index: int) -> Ids:
        """Return the source token ids of a pair."""
        shard, own = self._find(index)
        return shard.sentence("source", own)

    def target(self, index: int) -> Ids:
        """Return the target token ids of a pair."""
        shard, own = self._find(index)
        return shard.sentence("target", own)

    def text_of(self, index: int) -> int:
        """Return the number, from 0, of the text that a pair is from."""
        return bisect_right(self._first, index) - 1 if len(self._shards) > 1 else 0

    def source_lengths(self) -> npt.NDArray[np.int64]:
        """Return the tokens of each source sentence, without the end."""
        return _joined([np.diff(shard.offsets["source"]) for shard in self._shards])

    def target_lengths(self) -> npt.NDArray[np.int64]:
        """Return the number of target tokens of every pair."""
        return _joined([np.diff(shard.offsets["target"]) for shard in self._shards])

    def target_tokens(self, indices: npt.NDArray[np.int64]) -> int:
        """Return the number of target tokens of some pairs, ends included, without reading them."""
        return int(self.lengths("target", indices).sum()) + len(indices)

    def lengths(self, side: str, indices: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the tokens of some sentences of a side, without the end."""
        number = np.searchsorted(self._first, indices, side="right") - 1
        found = np.empty(len(indices), OFFSET)
        for each in np.unique(number).tolist():
            chosen, offsets = number == each, self._shards[each].offsets[side]
            own = indices[chosen] - self._first[each]
            found[chosen] = offsets[own + 1] - offsets[own]
        return found

    def head(self, count: int) -> "Dataset":
        """Return the first `count` pairs of a single text, or all if there are fewer."""
        found = Dataset()
        found.folders = self.folders
        found._hold([self._shards[0].head(count)])
        return found

    def _find(self, index: int) -> tuple["Shard", int]:
        number = self.text_of(index)
        return self._shards[number], index - self._first[number]


class Shard:
    """Hold the files of one text, or their first `count` pairs, whatever follows these in the files."""

    def __init__(self, folder: Path, count: int | None = None) -> None:
        sides = ("source", "target")
        self.lines = _map(folder / "lines", OFFSET, count)
        ends = None if count is None else count + 1
        self.offsets = {side: _map(folder / f"{side}.offsets", OFFSET, ends) for side in sides}
        sizes = {side: None if count is None else int(self.offsets[side][-1]) for side in sides}
        self._ids = {side: _map(folder / f"{side}.ids", ID, sizes[side]) for side in sides}
        for side, offsets in self.offsets.items():
            if len(offsets) != len(self.lines) + 1 or offsets[-1] != len(self._ids[side]):
                raise ValueError(f"{folder}: its files do not fit together")

    def head(self, count: int) -> "Shard":
        """Return the first `count` pairs."""
        found = copy.copy(self)
        found.lines = self.lines[:count]
        found.offsets = {side: offsets[: count + 1] for side, offsets in self.offsets.items()}
        return found

    def sentence(self, side: str, index: int) -> Ids:
        offsets = self.offsets[side]
        return self._ids[side][offsets[index] : offsets[index + 1]]


def _joined(arrays: list[npt.NDArray]) -> npt.NDArray:
    return arrays[0] if len(arrays) == 1 else np.concatenate([np.zeros(0, OFFSET), *arrays])


def _map(path: Path, dtype: np.dtype, count: int | None = None) -> npt.NDArray:
    if (path.stat().st_size == 0 and not count) or count == 0:  # nothing cannot be mapped
        return np.zeros(0, dtype)
    return np.memmap(path, dtype, mode="r", shape=None if count is None else (count,))
