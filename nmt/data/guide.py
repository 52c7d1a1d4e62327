"""Word alignments of the training pairs, towards which guided attention draws the model (Chen et al. 2016).

They are learnt by our aligner, which reads the words that `nmt align` shows, in lower case, or given in a file. Links
between words become weights between tokens. They are kept in the cache, so that an update costs little more than
without them, and a resumed run finds the same ones.
"""

import itertools
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

from nmt.allocation import sparing_memory
from nmt.config import TrainingSettings
from nmt.data.aligner import Link, align
from nmt.data.batch import Batch
from nmt.data.cache import Say, cached
from nmt.data.corpus import file_hash, read_lines
from nmt.data.dataset import OFFSET, Dataset, Ids
from nmt.data.pharaoh import parse_links
from nmt.data.prepare import Prepared
from nmt.data.sources import TextSource
from nmt.data.subword import Piece, Subword, Subwords
from nmt.data.words import Word, split_words, tokens_of_words
from nmt.errors import DataError
from nmt.files import shown_path
from nmt.shown import amount

VERSION = 1  # raise it when the aligner finds other links
ENTRY = np.dtype([("source", np.int32), ("target", np.int32), ("weight", np.float32)])

Weights = npt.NDArray[np.float32]


class GivenLinks(NamedTuple):
    """Name a file with the links of a training text, in Pharaoh format, a line for each line of the text."""

    path: Path
    words: str  # what a word is, out of WORDS
    text: TextSource

    def read(self, dataset: Dataset, subwords: Subwords) -> Iterator[list[Link]]:
        """Yield the links of each pair of the dataset. Raises DataError where they do not fit the text."""
        needs = max((pair.line for pair in self.text.pairs()), default=0)
        has = linked = 0
        for line in itertools.islice(read_lines(self.path), needs + 1):
            has, linked = has + 1, linked + bool(line.strip())
        if has != needs:
            count = amount(has, "line") if has < needs else f"more than {amount(needs, 'line')}"
            raise DataError(
                f"{self.path}: has {count}, but the training text has {needs:,}; training.alignments needs a "
                'line for each; to learn the links from the text, set training.alignments=""'
            )
        if not linked:
            raise DataError(f"{self.path}: has no link; write 0-0 for words that belong together, from 0")
        lines = enumerate(read_lines(self.path), start=1)
        number, line = 0, ""
        for index in range(len(dataset)):
            while number < dataset.line(index):
                number, line = next(lines)
            words = [
                split_words(subword.decode(ids.tolist()), self.words)
                for subword, ids in zip(subwords, (dataset.source(index), dataset.target(index)), strict=True)
            ]
            links = parse_links(line, f"{self.path}:{number}", (len(words[0]), len(words[1])), OUTSIDE[self.words])
            yield [(link.source, link.target) for link in links]


OUTSIDE = {  # what to say of a link to a word that is not there, by what a word is
    "spaces": "with training.alignment_words=spaces, words are what spaces separate",
    "scripts": "punctuation marks are words, and an apostrophe ends one; training.alignment_words=spaces counts tokens "
    "between spaces",
}


class Guide:
    """Hold, for each pair of a dataset, how much each target token should attend to each source token."""

    def __init__(self, entries: npt.NDArray, offsets: npt.NDArray[np.int64]) -> None:
        """`entries` are those of all pairs, end to end; pair i has those from `offsets[i]` to `offsets[i + 1]`."""
        self._entries, self._offsets = entries, offsets

    def add_to(self, batch: Batch, indices: Sequence[int] | npt.NDArray[np.int64]) -> Batch:
        """Return the batch of the pairs at `indices` with its alignment: rows sum to 1, or to 0 without a link."""
        alignment = np.zeros((*batch.target_output.shape, batch.source.size(1)), np.float32)
        for row, index in enumerate(indices):
            entries = self._entries[self._offsets[index] : self._offsets[index + 1]]
            alignment[row, entries["target"], entries["source"]] = entries["weight"]
        return batch._replace(alignment=torch.from_numpy(alignment))


def guide_of(data: Prepared, training: TrainingSettings, say: Say) -> Guide | None:
    """Return what guides the attention in a training: links that are given, or learnt; None if nothing does."""
    if not training.guided_attention:
        return None
    given = None
    if training.alignments:
        given = GivenLinks(Path(training.alignments), training.alignment_words, data.training.sources[0])
    return guide(data.train, data.subwords, say, given)


def guide(dataset: Dataset, subwords: Subwords, say: Say, given: GivenLinks | None = None) -> Guide:
    """Align the words of a dataset, take the links that are `given`, or read what was made before from the cache."""
    kind = given.words if given else "scripts"

    def make(folder: Path) -> None:
        folder.mkdir(parents=True)
        if given:
            found = given.read(dataset, subwords)
        else:  # align the words of all sources and of all targets, as numbers
            sides: tuple[list[Ids], list[Ids]] = ([], [])
            known: tuple[dict[str, int], dict[str, int]] = ({}, {})
            for index in range(len(dataset)):
                pair = (dataset.source(index), dataset.target(index))
                for numbers, numbered, subword, ids in zip(sides, known, subwords, pair, strict=True):
                    words = (word.text.lower() for word in split_words(subword.decode(ids.tolist())))
                    numbers.append(np.array([numbered.setdefault(word, len(numbered)) for word in words], np.int32))
            found = align(*sides)
        counts = [0]
        with (folder / "entries").open("wb") as file:
            for index, links in enumerate(found):
                source_side = _read(subwords.source, dataset.source(index), kind)
                target_side = _read(subwords.target, dataset.target(index), kind)
                weights = token_weights(links, source_side, target_side)
                target, source = np.nonzero(weights)
                entries = np.empty(len(target), ENTRY)
                entries["source"], entries["target"], entries["weight"] = source, target, weights[target, source]
                file.write(entries.tobytes())
                counts.append(len(entries))
        (folder / "offsets").write_bytes(np.cumsum(counts, dtype=OFFSET).tobytes())

    def read(folder: Path) -> Guide:
        return Guide(np.memmap(folder / "entries", ENTRY, "r"), np.memmap(folder / "offsets", OFFSET, "r"))

    recipe: tuple[str | int, ...] = ("guide", VERSION, "+".join(folder.name for folder in dataset.folders))
    if given:
        recipe += (file_hash(given.path), kind)
    aligning = f"aligning the words of {amount(len(dataset), 'training pair')}"
    doing = f"reading word alignments: {shown_path(given.path)}" if given else aligning
    with sparing_memory():  # what learning the links needed is free again before training begins
        return cached(recipe, make, read, say, doing)


def token_weights(
    links: Sequence[Link], source: tuple[Sequence[Word], list[Piece]], target: tuple[Sequence[Word], list[Piece]]
) -> Weights:
    """Return (target tokens + end, source tokens + end) out of links between words.

    A target token shares its weight equally among the words that its own words are linked to, and each of these among
    its tokens. The end is linked to the end. The row of a token without a link is 0.
    """
    weights = np.zeros((len(target[1]) + 1, len(source[1]) + 1), np.float32)
    if links:
        between = np.zeros((len(target[0]), len(source[0])), np.float32)
        between[[link[1] for link in links], [link[0] for link in links]] = 1
        columns = _ownership(*source)
        columns /= np.maximum(columns.sum(axis=1, keepdims=True), 1e-9)
        weights[:-1, :-1] = _ownership(*target).T @ between @ columns
        weights /= np.maximum(weights.sum(axis=1, keepdims=True), 1e-9)
    weights[-1, -1] = 1
    return weights


def _ownership(words: Sequence[Word], pieces: list[Piece]) -> Weights:
    """Return (words, pieces): the share of each piece that belongs to each word."""
    shares = np.zeros((len(words), len(pieces)), np.float32)
    piece, word, share = tokens_of_words(words, pieces)
    shares[word, piece] = share
    return shares


def _read(subword: Subword, ids: Ids, kind: str) -> tuple[Sequence[Word], list[Piece]]:
    tokens = ids.tolist()
    return split_words(subword.decode(tokens), kind), subword.decoded_pieces(tokens)
