"""From attention over pieces to attention and alignment over words."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nmt.data.subword import Piece
from nmt.data.words import Word, split_words, tokens_of_words

Weights = npt.NDArray[np.floating]
Link = tuple[int, int]  # source word, target word, from 0
END = "</s>"


@dataclass(frozen=True)
class AttentionMatrix:
    """Hold `weights` (target, source): how much each target token attends to each source token. Rows sum to 1 or
    less."""

    source: list[str]
    target: list[str]
    weights: Weights

    @property
    def parts(self) -> "tuple[AttentionMatrix, ...]":
        """Return the whole line as one part."""
        return (self,)


@dataclass(frozen=True)
class JoinedAttention:
    """Hold the attention of a line that was translated in segments, each of which attends only to itself.

    It is kept as one matrix per part: a matrix of the whole grows with the square of the line.
    """

    parts: tuple[AttentionMatrix, ...]

    @property
    def source(self) -> list[str]:
        """Return the source words of all parts."""
        return [word for part in self.parts for word in part.source]

    @property
    def target(self) -> list[str]:
        """Return the target words of all parts."""
        return [word for part in self.parts for word in part.target]

    @property
    def weights(self) -> Weights:
        """Build the matrix of the whole line, (target, source), at each call; it is huge for a long line."""
        weights = np.zeros((len(self.target), len(self.source)), self.parts[0].weights.dtype)
        row = column = 0
        for part in self.parts:
            rows, columns = part.weights.shape
            weights[row : row + rows, column : column + columns] = part.weights
            row, column = row + rows, column + columns
        return weights


Attention = AttentionMatrix | JoinedAttention


def join_attention(matrices: Sequence[Attention | None]) -> JoinedAttention | None:
    """Join the attention of a line's segments. Return None if a segment with text has none."""
    known = [matrix for matrix in matrices if matrix is not None]
    if not known or len(known) < len(matrices):
        return None
    return JoinedAttention(tuple(part for matrix in known for part in matrix.parts))


def join_links(links: Sequence[Sequence[Link]], matrices: Sequence[Attention | None]) -> list[Link]:
    """Join the alignments of the segments, with words counted from the beginning of the line."""
    joined: list[Link] = []
    source = target = 0
    for part, matrix in zip(links, matrices, strict=True):
        joined += [(source + one, target + other) for one, other in part]
        if matrix is not None:
            source, target = source + len(matrix.source), target + len(matrix.target)
    return joined


def word_attention(
    weights: Weights,
    source: str,
    target: str,
    source_pieces: Sequence[Piece],
    target_pieces: Sequence[Piece],
    words: str = "scripts",
    share: float = 1.0,
) -> tuple[AttentionMatrix, list[Link]]:
    """Return the attention between words, and the alignment that it gives.

    `weights` (target pieces + end, source pieces + end); row i is the attention with which piece i was chosen. A target
    word's weights are the mean over its pieces, a source word's the sum. `words` says what a word is, out of WORDS, and
    `share` is that of `strongest_links`.
    """
    source_words, target_words = split_words(source, words), split_words(target, words)
    # A piece belongs to every word of which it spells a part, so it may come several times.
    pieces, owners, shares = tokens_of_words(target_words, target_pieces)
    rows = np.zeros((len(target_words), weights.shape[1]), np.float32)  # (target words, source pieces + end)
    np.add.at(rows, owners, weights[pieces])
    rows /= np.maximum(np.bincount(owners, minlength=len(target_words)), 1)[:, None]
    pieces, owners, shares = tokens_of_words(source_words, source_pieces)
    columns = np.zeros((len(source_words), len(target_words)), np.float32)  # summed along its rows: transposed
    np.add.at(columns, owners, rows[:, pieces].T * shares[:, None])
    matrix = columns.T
    found = AttentionMatrix([word.text for word in source_words], [word.text for word in target_words], matrix)
    return found, strongest_links(matrix, rows[:, -1], share)


def strongest_links(matrix: Weights, end: Weights, share: float = 1.0) -> list[Link]:
    """Link each target word to the source word that it attends to most, and each source word to the target word that
    attends to it most. With a `share` below 1, also to those that get that share of its largest weight.

    No link where a target word looks more at the end of the sentence: `end` (target,). The second half is what finds
    the words of one that are translated by one: on the bundled validation set it lowers the error rate from 14 to 11 %.
    """
    if not matrix.size:
        return []
    # The union of both directions: one source word may have several target words, and the reverse.
    links = {(int(source), target) for target, source in enumerate(matrix.argmax(axis=1))}
    links |= {(source, int(target)) for source, target in enumerate(matrix.argmax(axis=0))}
    if share < 1:
        targets, sources = np.nonzero(matrix >= share * matrix.max(axis=1, keepdims=True))
        links |= set(zip(sources.tolist(), targets.tolist(), strict=True))
    return sorted((s, t) for s, t in links if matrix[t, s] > 0 and matrix[t, s] >= end[t])


def owners(words: Sequence[Word], pieces: Sequence[Piece]) -> list[tuple[int, int]]:
    """(piece, word) of each piece and each word that it belongs to."""
    places, found, _ = tokens_of_words(words, pieces)
    return list(zip(places.tolist(), found.tolist(), strict=True))


def piece_attention(
    weights: Weights, source_pieces: Sequence[Piece], target_pieces: Sequence[Piece]
) -> AttentionMatrix:
    """Wrap the weights as they are, ends of sentence included."""
    source, target = ([*(piece.text for piece in pieces), END] for pieces in (source_pieces, target_pieces))
    return AttentionMatrix(source, target, weights)


def pharaoh(links: Sequence[Link]) -> str:
    """Format links as `0-0 1-2 2-1`: source-target, counted from 0."""
    return " ".join(f"{source}-{target}" for source, target in links)
