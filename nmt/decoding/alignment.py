"""From attention over pieces to attention and alignment over words."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nmt.data.subword import SPACE_MARK, Piece
from nmt.data.words import Word, split_words

Weights = npt.NDArray[np.floating]
Link = tuple[int, int]  # source word, target word, from 0
END = "</s>"


@dataclass(frozen=True)
class AttentionMatrix:
    """`weights` (target, source): how much each target token looked at each source token. Rows sum to 1 or less."""

    source: list[str]
    target: list[str]
    weights: Weights


def word_attention(
    weights: Weights, source: str, target: str, source_pieces: Sequence[Piece], target_pieces: Sequence[Piece]
) -> tuple[AttentionMatrix, list[Link]]:
    """Attention between words, and the alignment it gives.

    `weights` (target pieces + end, source pieces + end); row i is the attention with which piece i was chosen. A target
    word's weights are the mean over its pieces, a source word's the sum.
    """
    source_words, target_words = split_words(source), split_words(target)
    to_source = _membership(source_words, source_pieces)
    to_target = _membership(target_words, target_pieces)
    to_target /= np.maximum(to_target.sum(axis=1, keepdims=True), 1)
    rows = to_target @ weights[: len(target_pieces)]
    matrix = rows[:, : len(source_pieces)] @ to_source.T
    words = AttentionMatrix([word.text for word in source_words], [word.text for word in target_words], matrix)
    return words, strongest_links(matrix, rows[:, -1])


def strongest_links(matrix: Weights, end: Weights) -> list[Link]:
    """Each target word with the source word it looks at most, and each source word with the one that looks at it most.

    No link where a target word looks more at the end of the sentence: `end` (target,). The second half is what finds
    the words of one that are translated by one: on the bundled validation set it lowers the error rate from 14 to 11 %.
    """
    if not matrix.size:
        return []
    links = {(int(source), target) for target, source in enumerate(matrix.argmax(axis=1))}
    links |= {(source, int(target)) for source, target in enumerate(matrix.argmax(axis=0))}
    return sorted((s, t) for s, t in links if matrix[t, s] > 0 and matrix[t, s] >= end[t])


def _membership(words: Sequence[Word], pieces: Sequence[Piece]) -> Weights:
    """(words, pieces): 1 where a piece lies in a word; a piece over two words counts for the one it covers most.

    A piece without characters of its own (a space, the first bytes of a character spelt in bytes) goes with the next.
    """
    member = np.zeros((len(words), len(pieces)), np.float32)
    for index, piece in enumerate(pieces):
        end = piece.end + 1 if piece.text == SPACE_MARK else max(piece.end, piece.start + 1)
        overlaps = [min(word.end, end) - max(word.start, piece.start) for word in words]
        if overlaps and max(overlaps) > 0:
            member[int(np.argmax(overlaps)), index] = 1
    return member


def piece_attention(
    weights: Weights, source_pieces: Sequence[Piece], target_pieces: Sequence[Piece]
) -> AttentionMatrix:
    """The weights as they are, ends included."""
    source, target = ([*(piece.text for piece in pieces), END] for pieces in (source_pieces, target_pieces))
    return AttentionMatrix(source, target, weights)


def pharaoh(links: Sequence[Link]) -> str:
    """`0-0 1-2 2-1`: source-target, counted from 0."""
    return " ".join(f"{source}-{target}" for source, target in links)
