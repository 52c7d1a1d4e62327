"""Validation and test text that is taken from the training text, so that nothing of it is in the rest.

Pairs that share a side, or are connected through others that do, go together: either all of them are held out, or none.
Two sides are shared if they differ in case, space, punctuation or Unicode form alone. Which pairs are held out depends
on the text and on how many are wanted, on nothing else, so several runs on one text have the same validation text.
"""

from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from hashlib import blake2b
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple
from unicodedata import normalize

import numpy as np
import numpy.typing as npt
import regex

from nmt.config import DataSettings
from nmt.data.cache import Say, cached
from nmt.data.corpus import Pair
from nmt.data.sources import TextSource
from nmt.errors import DataError
from nmt.shown import amount

MOST = 0.2  # share of the text that a number of pairs may take; a share in the settings may be larger
LARGEST_GROUP = 0.1  # share of the wanted pairs that one group should not exceed

PARTS = ("valid", "test")
_KEYS = ("data.hold_out", "data.hold_out_test")
_IGNORED = regex.compile(r"[\p{P}\p{Z}\p{C}\s]+")

Lines = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]
Read = Callable[[TextSource, Counter[str]], Iterator[Pair]]  # the usable pairs of a text


class HeldOut(NamedTuple):
    """Hold the `texts` that were held out, and the `lines` of each training text that training must not read."""

    texts: dict[str, TextSource]  # by part: valid, test
    lines: list[Lines]
    key: str  # stands for what was held out, in fingerprints

    @classmethod
    def nothing(cls, sources: Sequence[TextSource]) -> "HeldOut":
        """Return that nothing is held out of these sources."""
        return cls({}, [np.zeros(0, np.int64) for _ in sources], "")

    def rest(self, number: int, pairs: Iterator[Pair]) -> Iterator[Pair]:
        """Yield those pairs of training text `number` that are not held out."""
        left_out = set(self.lines[number].tolist())
        return (pair for pair in pairs if pair.line not in left_out)


def hold_out(
    sources: Sequence[TextSource],
    data: DataSettings,
    fingerprint: list[object],
    read: Read,
    say: Say,
    verify: Callable[[], None] = lambda: None,
) -> HeldOut:
    """Take validation and test text from the training text. Says how much. Raises DataError if there is too little.

    `verify` raises DataError if the text has changed while it was read.
    """
    wanted = (data.hold_out, data.hold_out_test)
    if not any(wanted):
        return HeldOut.nothing(sources)
    languages = (data.source, data.target)
    recipe = ("hold_out", fingerprint, wanted, languages)

    def make(folder: Path) -> None:
        keys = _Keys.read(sources, read)
        chosen = keys.choose([_count(key, asked, len(keys.lines)) for key, asked in zip(_KEYS, wanted, strict=True)])
        folder.mkdir(parents=True)
        _write(folder, languages, sources, keys, chosen, read)

    def find(folder: Path) -> HeldOut:
        texts = {
            part: TextSource(part, tuple(folder / f"{part}.{language}" for language in languages), "text", languages)
            for part, asked in zip(PARTS, wanted, strict=True)
            if asked
        }
        lines = [np.frombuffer((folder / f"lines.{number}").read_bytes(), np.int64) for number in range(len(sources))]
        return HeldOut(texts, lines, folder.name)

    held = cached(recipe, make, find, say, "holding out text that training does not read", verify)
    for part, key, asked in zip(PARTS, _KEYS, wanted, strict=True):
        if asked:
            size = held.texts[part].files[0].read_bytes().count(b"\n")
            fewer = f", which is too small for {asked:,}" if size < asked else ""
            say(f"{key}: the {part} set is {amount(size, 'pair')} of the training text{fewer}")
    return held


class _Keys(NamedTuple):
    """Hold the keys of every usable pair of all texts, in their order."""

    source: Hashes  # of the normalised source
    target: Hashes
    lines: Lines
    sizes: list[int]  # pairs of each text

    @classmethod
    def read(cls, sources: Sequence[TextSource], read: Read) -> "_Keys":
        """Return the keys of all pairs of these texts."""
        source, target, lines, sizes = array("Q"), array("Q"), array("q"), []
        for text in sources:
            before = len(lines)
            for pair in read(text, Counter()):
                source.append(side_key(pair.source))
                target.append(side_key(pair.target))
                lines.append(pair.line)
            sizes.append(len(lines) - before)
        return cls(np.array(source, np.uint64), np.array(target, np.uint64), np.array(lines, np.int64), sizes)

    @property
    def pairs(self) -> Hashes:
        """Return hashes of both sides together."""
        return self.source * np.uint64(0x9E3779B97F4A7C15) ^ self.target

    def choose(self, wanted: list[int]) -> Lines:
        """Return for each pair the number of the part that it goes to, -1 if it stays in training.

        Groups of connected pairs come in the order of the lowest hash among their pairs; those with many pairs only if
        others do not suffice. Pairs of a group that repeat another count once.
        """
        pairs = self.pairs
        labels, group_of = np.unique(connected(self.source, self.target), return_inverse=True)
        distinct = np.unique(np.stack([group_of.astype(np.uint64), pairs]), axis=1)[0].astype(np.int64)
        sizes = np.bincount(distinct, minlength=len(labels))
        lowest = np.full(len(labels), np.iinfo(np.uint64).max, np.uint64)
        np.minimum.at(lowest, group_of, pairs)
        order = np.argsort(lowest, kind="stable")
        part_of = np.full(len(labels), -1)
        for part, count in enumerate(wanted):
            left = count
            for largest in (max(1, int(count * LARGEST_GROUP)), count):
                for group in order:
                    if not left:
                        break
                    if part_of[group] < 0 and sizes[group] <= min(left, largest):
                        part_of[group] = part
                        left -= int(sizes[group])
            if count and left == count:
                raise DataError(
                    f"{_KEYS[part]}: no pairs can be held out, since all pairs of the training text are connected by "
                    "equal sides; name files of their own in data.valid and data.test"
                )
        return part_of[group_of]


def side_key(text: str) -> int:
    """Return 64 bits that are equal for texts that differ in case, space, punctuation or Unicode form alone."""
    folded = normalize("NFKC", normalize("NFKC", text).casefold())
    plain = _IGNORED.sub("", folded) or folded
    return int.from_bytes(blake2b(plain.encode(), digest_size=8).digest())


def _count(key: str, asked: int | float, total: int) -> int:
    """Return how many pairs are asked for: a share of the text, or a number, which is lowered if the text is small."""
    if asked and total < 3:
        pairs = amount(total, "usable pair")
        raise DataError(f"{key}: the training text has {pairs}, too few to hold some out; add text")
    return round(asked * total) or 1 if 0 < asked < 1 else min(int(asked), int(MOST * total) or 1)


def connected(*sides: Hashes) -> Lines:
    """Return for each pair the lowest index of the pairs that it is connected with by equal values on any side."""
    numbered = [np.unique(side, return_inverse=True)[1] for side in sides]
    labels = np.arange(len(sides[0]))
    while True:
        before = labels
        for numbers in numbered:
            lowest = np.full(len(labels), len(labels))
            np.minimum.at(lowest, numbers, labels)
            labels = lowest[numbers]
        labels = labels[labels]
        if np.array_equal(labels, before):
            return labels


def _write(
    folder: Path, languages: tuple[str, str], sources: Sequence[TextSource], keys: _Keys, chosen: Lines, read: Read
) -> None:
    """Write each part as two text files, a pair that repeats another left out, and the lines of all held out pairs."""
    ends = np.cumsum([0, *keys.sizes])
    first = np.zeros(len(chosen), bool)
    first[np.unique(keys.pairs, return_index=True)[1]] = True
    with ExitStack() as stack:
        files = [
            [
                stack.enter_context((folder / f"{part}.{language}").open("w", encoding="utf-8", newline=""))
                for language in languages
            ]
            for part in PARTS
        ]
        for number, (text, (start, end)) in enumerate(zip(sources, pairwise(ends.tolist()), strict=True)):
            held = chosen[start:end] >= 0
            (folder / f"lines.{number}").write_bytes(keys.lines[start:end][held].tobytes())
            for index, pair in enumerate(read(text, Counter()), start=start):
                if chosen[index] >= 0 and first[index]:
                    for file, side in zip(files[chosen[index]], (pair.source, pair.target), strict=True):
                        file.write(side.replace("\n", " ") + "\n")
