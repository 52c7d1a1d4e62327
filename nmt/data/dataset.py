"""A parallel corpus as piece ids in memory-mapped arrays: encoded once, read without loading.

A folder holds `source.ids`, `target.ids` (all sentences end to end), `source.offsets`, `target.offsets` and
`lines` (1-based numbers in the text files).
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import numpy.typing as npt

from nmt.data.batching import chunked
from nmt.data.corpus import Pair
from nmt.data.round_trip import RoundTrip
from nmt.data.subword import Subwords

ID = np.dtype(np.int32)
OFFSET = np.dtype(np.int64)
CHUNK = 10_000  # pairs encoded together

Ids = npt.NDArray[np.int32]


class Dataset:
    """Read pairs of id sequences, without begin and end: one text after the other, a folder for each.

    Raises OSError or ValueError if a file is missing or cut short.
    """

    def __init__(self, *folders: Path) -> None:
        self.folders = folders
        self._shards = [_Shard(folder) for folder in folders]
        self.sizes = [len(shard.lines) for shard in self._shards]
        self._first = [0, *np.cumsum(self.sizes).tolist()]  # index of the first sentence of each text
        self.lines = _joined([shard.lines for shard in self._shards])  # 1-based, in the text that a pair is from

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
        number = np.searchsorted(self._first, indices, side="right") - 1
        tokens = len(indices)
        for each in np.unique(number).tolist():
            own, offsets = indices[number == each] - self._first[each], self._shards[each].offsets["target"]
            tokens += int((offsets[own + 1] - offsets[own]).sum())
        return tokens

    def _find(self, index: int) -> tuple["_Shard", int]:
        number = self.text_of(index)
        return self._shards[number], index - self._first[number]


class _Shard:
    """Hold the files of one text."""

    def __init__(self, folder: Path) -> None:
        self.lines = _map(folder / "lines", OFFSET)
        self.offsets = {side: _map(folder / f"{side}.offsets", OFFSET) for side in ("source", "target")}
        self._ids = {side: _map(folder / f"{side}.ids", ID) for side in ("source", "target")}
        for side, offsets in self.offsets.items():
            if len(offsets) != len(self.lines) + 1 or offsets[-1] != len(self._ids[side]):
                raise ValueError(f"{folder}: its files do not fit together")

    def sentence(self, side: str, index: int) -> Ids:
        offsets = self.offsets[side]
        return self._ids[side][offsets[index] : offsets[index + 1]]


def _joined(arrays: list[npt.NDArray]) -> npt.NDArray:
    return arrays[0] if len(arrays) == 1 else np.concatenate([np.zeros(0, OFFSET), *arrays])


def _map(path: Path, dtype: np.dtype) -> npt.NDArray:
    if path.stat().st_size == 0:  # an empty file cannot be mapped
        return np.zeros(0, dtype)
    return np.memmap(path, dtype, mode="r")


def write_dataset(
    folder: Path, pairs: Iterable[Pair], subwords: Subwords, max_length: int | None, notes: Counter[str]
) -> None:
    """Encodes pairs in chunks, so memory stays constant. Pairs over `max_length` pieces are left out, counted."""
    folder.mkdir(parents=True)
    totals = {"source": 0, "target": 0}
    trips = {side: RoundTrip(getattr(subwords, side)) for side in totals}
    files = {name: (folder / name).open("wb") for name in ("source.ids", "target.ids", "lines")}
    files |= {f"{side}.offsets": (folder / f"{side}.offsets").open("wb") for side in totals}
    try:
        for side in totals:
            files[f"{side}.offsets"].write(np.zeros(1, OFFSET).tobytes())
        for chunk in chunked(pairs, CHUNK):
            encoded = {
                "source": subwords.source.encode_many([pair.source for pair in chunk]),
                "target": subwords.target.encode_many([pair.target for pair in chunk]),
            }
            keep = [
                index
                for index in range(len(chunk))
                if _keep(len(encoded["source"][index]), len(encoded["target"][index]), max_length, notes)
            ]
            files["lines"].write(np.array([chunk[index].line for index in keep], OFFSET).tobytes())
            for side, total in totals.items():
                kept = [encoded[side][index] for index in keep]
                trips[side].add([getattr(chunk[index], side) for index in keep], kept)
                ends = total + np.cumsum([len(ids) for ids in kept], dtype=OFFSET)
                totals[side] = int(ends[-1]) if len(ends) else total
                files[f"{side}.ids"].write(np.concatenate([np.zeros(0, ID), *kept]).astype(ID).tobytes())
                files[f"{side}.offsets"].write(ends.tobytes())
        for trip in trips.values():
            notes.update(trip.notes())
    finally:
        for file in files.values():
            file.close()


def _keep(source: int, target: int, max_length: int | None, notes: Counter[str]) -> bool:
    if not source or not target:
        notes["pairs with a side of no pieces left out"] += 1
        return False
    if max_length is not None and max(source, target) > max_length:
        notes[f"pairs longer than {max_length} pieces left out (data.max_length)"] += 1
        return False
    return True
