"""From attention over pieces to attention and alignment over words."""

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from nmt.data.subword import Piece
from nmt.data.words import Word, split_words

Weights = npt.NDArray[np.floating]
END = "</s>"
SPACE = "\u2581"


@dataclass(frozen=True)
class AttentionMatrix:
    """`weights` (target, source): how much each target token looked at each source token. Rows sum to 1 or less."""

    source: list[str]
    target: list[str]
    weights: Weights


def word_attention(
    weights: Weights, source: str, target: str, source_pieces: Sequence[Piece], target_pieces: Sequence[Piece]
) -> tuple[AttentionMatrix, list[tuple[int, int]]]:
    """Attention between words, and the alignment it gives as (source word, target word), both counted from 0.

    `weights` (target pieces + end, source pieces + end). A target word's weights are the mean over its pieces, a
    source word's the sum. A target word is aligned to the source word it looks at most, unless it looks more at the
    end of the sentence.
    """
    source_words, target_words = split_words(source), split_words(target)
    to_source = _membership(source_words, source_pieces)
    to_target = _membership(target_words, target_pieces)
    to_target /= np.maximum(to_target.sum(axis=1, keepdims=True), 1)
    rows = to_target @ weights[: len(target_pieces)]
    matrix = rows[:, : len(source_pieces)] @ to_source.T
    links = []
    if source_words:
        for index, row in enumerate(matrix):
            if row.max() > 0 and row.max() >= rows[index, -1]:
                links.append((int(row.argmax()), index))
    words = AttentionMatrix([word.text for word in source_words], [word.text for word in target_words], matrix)
    return words, sorted(links)


def _membership(words: Sequence[Word], pieces: Sequence[Piece]) -> Weights:
    """(words, pieces): 1 where a piece lies in a word; a piece over two words counts for the one it covers most.

    A piece without characters of its own (a space, the first bytes of a character spelt in bytes) goes with the next.
    """
    member = np.zeros((len(words), len(pieces)), np.float32)
    for index, piece in enumerate(pieces):
        end = piece.end + 1 if piece.text == SPACE else max(piece.end, piece.start + 1)
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


def pharaoh(links: Sequence[tuple[int, int]]) -> str:
    """`0-0 1-2 2-1`: source-target, counted from 0."""
    return " ".join(f"{source}-{target}" for source, target in links)


def draw(matrix: AttentionMatrix, width: int = 100) -> str:
    """The matrix as text: source words above, target words on the left, in as many blocks as the width needs."""
    left = max((_width(word) for word in matrix.target), default=0) + 1
    lines: list[str] = []
    start = 0
    while start < len(matrix.source):
        end, room = start, width - left
        while end < len(matrix.source) and (room := room - _column(matrix.source[end])) >= 0:
            end += 1
        end = max(end, start + 1)
        lines.append(" " * left + "".join(_spaces(_column(word), word) + word for word in matrix.source[start:end]))
        for word, row in zip(matrix.target, matrix.weights, strict=True):
            cells = (f"{_cell(float(row[i])):>{_column(matrix.source[i])}}" for i in range(start, end))
            lines.append(word + _spaces(left, word) + "".join(cells))
        start = end
        if start < len(matrix.source):
            lines.append("")
    return "\n".join(lines)


def _column(word: str) -> int:
    return max(_width(word), 4) + 1


def _spaces(width: int, word: str) -> str:
    """What fills a word up to a width."""
    return " " * (width - _width(word))


def _width(word: str) -> int:
    """Columns of a terminal: 2 for a Chinese or Korean character, 0 for a combining mark."""
    return sum(_columns(character) for character in word)


def _columns(character: str) -> int:
    if unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _cell(weight: float) -> str:
    return f"{weight:.2f}" if weight >= 0.005 else "·"
