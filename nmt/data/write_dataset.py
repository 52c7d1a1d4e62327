"""Encode text into a dataset: in constant memory, with one process or several, and resumed after a kill.

Chunks of pairs are encoded, by other processes if there are `workers`, and written in the order of the text, so that
the files do not depend on who encoded what. Every SAVED pairs a record of what is on the disk is made; a killed process
continues from the last one.
"""

import json
import os
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from nmt.data.background import end_with_parent
from nmt.data.batching import chunked
from nmt.data.corpus import Pair
from nmt.data.dataset import FILES, ID, OFFSET
from nmt.data.round_trip import RoundTrip
from nmt.data.subword import Subword, Subwords
from nmt.errors import DataError, OutOfMemory
from nmt.files import write_atomic
from nmt.shown import amount

CHUNK = 10_000  # pairs encoded together
SAVED = 200_000  # pairs after which a record is made
SIDES = ("source", "target")
RECORD = "unfinished.json"


class Encoded(NamedTuple):
    """Hold an encoded chunk."""

    lines: npt.NDArray[np.int64]
    ids: list[npt.NDArray[np.int32]]  # of each side, end to end
    lengths: list[npt.NDArray[np.int64]]  # of each side
    notes: Counter[str]
    trips: list[list[Any]]  # of each side, what RoundTrip found


class Encoder:
    """Encode chunks of pairs. Pairs with more than `max_length` tokens on a side are left out, and counted."""

    def __init__(self, subwords: Subwords, max_length: int | None) -> None:
        self.subwords, self.max_length = subwords, max_length

    def __call__(self, chunk: Sequence[Pair]) -> Encoded:
        notes: Counter[str] = Counter()
        texts = [[getattr(pair, side) for pair in chunk] for side in SIDES]
        found = [subword.encode_many(own) for subword, own in zip(self.subwords, texts, strict=True)]
        keep = []
        for index, (source, target) in enumerate(zip(*found, strict=True)):
            if not len(source) or not len(target):
                notes["pairs with a side of no pieces left out"] += 1
            elif self.max_length is not None and max(len(source), len(target)) > self.max_length:
                notes[f"pairs longer than {self.max_length} pieces left out (data.max_length)"] += 1
            else:
                keep.append(index)
        trips, kept = [], []
        for subword, own, side in zip(self.subwords, texts, found, strict=True):
            trip = RoundTrip(subword)
            kept.append([side[index] for index in keep])
            trip.add([own[index] for index in keep], kept[-1])
            trips.append(trip.found())
        return Encoded(
            np.array([chunk[index].line for index in keep], OFFSET),
            [np.concatenate([np.zeros(0, ID), *side]).astype(ID) for side in kept],
            [np.array([len(ids) for ids in side], OFFSET) for side in kept],
            notes,
            trips,
        )


def write_dataset(
    folder: Path,
    pairs: Iterable[Pair],
    subwords: Subwords,
    max_length: int | None,
    notes: Counter[str],
    workers: int = 1,
    say: Callable[[str], None] = lambda _: None,
    every: int | None = None,
) -> None:
    """Write pairs into a folder as a dataset, and count in `notes` what is left out.

    If the folder holds what a killed process has written of the same pairs, these are read but not encoded again. A
    record of what is on the disk is made after SAVED pairs, or after `every` if these are fewer. Raise DataError if
    somebody removes the files meanwhile.
    """
    interval = min(SAVED, every or SAVED)
    folder.mkdir(parents=True, exist_ok=True)
    record = _read_record(folder)
    counts, trips = Counter(record["notes"]), [RoundTrip(subword) for subword in subwords]
    for trip, found in zip(trips, record["trips"], strict=False):
        trip.include(found)
    done: int = record["pairs"]
    recorded = done
    if done:
        say(f"resuming after {amount(done, 'pair')}")
    rest = iter(pairs)
    for _ in islice(rest, done):  # whatever reads the text may count what it sees
        pass
    with ExitStack() as stack:
        files = {name: stack.enter_context((folder / name).open("r+b")) for name in FILES}
        for name, file in files.items():
            file.truncate(record["sizes"][name])
            file.seek(record["sizes"][name])
        chunks = stack.enter_context(_Chunks(rest, min(CHUNK, interval), Encoder(subwords, max_length), workers))
        for size, chunk in chunks:
            done += size
            counts.update(chunk.notes)
            files["lines"].write(chunk.lines.tobytes())
            for side, ids, lengths, trip, found in zip(
                SIDES, chunk.ids, chunk.lengths, trips, chunk.trips, strict=True
            ):
                trip.include(found)
                total = files[f"{side}.ids"].tell() // ID.itemsize
                files[f"{side}.ids"].write(ids.tobytes())
                files[f"{side}.offsets"].write((total + np.cumsum(lengths, dtype=OFFSET)).tobytes())
            if done - recorded >= interval:
                recorded = done
                _check_there(folder, files)
                _save_record(folder, files, done, counts, trips)
        _check_there(folder, files)
    notes.update(counts)
    for trip in trips:
        notes.update(trip.notes())
    (folder / RECORD).unlink(missing_ok=True)


def recorded_pairs(folder: Path) -> int:
    """Return how many pairs of an unfinished dataset are on the disk. Raise OSError or ValueError without a record."""
    try:
        return int(json.loads((folder / RECORD).read_bytes())["sizes"]["lines"]) // OFFSET.itemsize
    except (KeyError, TypeError):
        raise ValueError(f"{folder / RECORD}: damaged") from None


def _read_record(folder: Path) -> dict[str, Any]:
    """Return what is on the disk: nothing but the files, if the record is missing or the files are shorter."""
    try:
        record: dict[str, Any] = json.loads((folder / RECORD).read_bytes())
        if all((folder / name).stat().st_size >= record["sizes"][name] for name in FILES):
            return record
    except (OSError, ValueError, KeyError, TypeError):
        pass
    for name in FILES:
        (folder / name).unlink(missing_ok=True)  # a training may have mapped it: that file must not become shorter
        (folder / name).write_bytes(np.zeros(1, OFFSET).tobytes() if name.endswith("offsets") else b"")
    sizes = {name: (folder / name).stat().st_size for name in FILES}
    return {"pairs": 0, "sizes": sizes, "notes": {}, "trips": []}


def _check_there(folder: Path, files: dict[str, Any]) -> None:
    """Raise DataError if the files that are written are no longer in the folder: nothing of them would be kept."""
    for name, file in files.items():
        try:
            same = os.path.samestat((folder / name).stat(), os.fstat(file.fileno()))
        except FileNotFoundError:
            same = False
        if not same:
            raise DataError(f"{folder / name}: was removed from the cache while it was written; start again")


def _save_record(
    folder: Path, files: dict[str, Any], done: int, counts: Counter[str], trips: Sequence[RoundTrip]
) -> None:
    for file in files.values():
        file.flush()
        os.fsync(file.fileno())
    sizes = {name: file.tell() for name, file in files.items()}
    record = {"pairs": done, "sizes": sizes, "notes": counts, "trips": [trip.found() for trip in trips]}
    write_atomic(folder / RECORD, json.dumps(record).encode())


class _Chunks:
    """Yield (pairs read, encoded chunk) in the order of the text, within a context that ends the workers."""

    def __init__(self, pairs: Iterable[Pair], size: int, encoder: Encoder, workers: int) -> None:
        self._chunks, self._encoder, self._workers = chunked(pairs, size), encoder, workers
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> "_Chunks":
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def __iter__(self) -> Iterator[tuple[int, Encoded]]:
        first = next(self._chunks, None)
        if first is None:
            return
        second = next(self._chunks, None)
        chunks = (chunk for part in ([first], [second] if second else [], self._chunks) for chunk in part)
        if self._workers == 1 or second is None:  # a small text is encoded before a process has started
            yield from ((len(chunk), self._encoder(chunk)) for chunk in chunks)
            return
        models = [(subword.model, subword.side) for subword in self._encoder.subwords]
        self._pool = ProcessPoolExecutor(
            self._workers, get_context("spawn"), _start_worker, (models, self._encoder.max_length)
        )
        waiting: deque[tuple[int, Future[Encoded]]] = deque()
        try:
            for chunk in chunks:
                waiting.append((len(chunk), self._pool.submit(_encode, chunk)))
                if len(waiting) > 2 * self._workers:
                    size, future = waiting.popleft()
                    yield size, future.result()
            for size, future in waiting:
                yield size, future.result()
        except BrokenProcessPool:
            raise OutOfMemory(
                "a process that encodes the text ended (killed or out of memory?); set data.workers lower and start "
                "again; what is encoded is kept"
            ) from None


_encoders: list[Encoder] = []  # of a worker process


def _start_worker(models: Sequence[tuple[bytes, Any]], max_length: int | None) -> None:
    end_with_parent()
    source, target = (Subword(model, "subword model", side) for model, side in models)
    _encoders.append(Encoder(Subwords(source, target), max_length))


def _encode(chunk: Sequence[Pair]) -> Encoded:
    return _encoders[0](chunk)
