"""From attention over pieces to attention and alignment over words, and how good an alignment is."""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt

from nmt.data.corpus import is_blank, read_lines
from nmt.data.subword import SPACE_MARK, Piece, Subword
from nmt.data.words import Word, split_words
from nmt.errors import DataError

if TYPE_CHECKING:
    from nmt.decoding.translator import Translator

Weights = npt.NDArray[np.floating]
Link = tuple[int, int]  # source word, target word, from 0
END = "</s>"


@dataclass(frozen=True)
class AttentionMatrix:
    """`weights` (target, source): how much each target token looked at each source token. Rows sum to 1 or less."""

    source: list[str]
    target: list[str]
    weights: Weights


# Attention -> alignment ----------------------------------------------------------------------------------------------


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


class Aligned(NamedTuple):
    words: AttentionMatrix
    links: list[Link]
    cut: bool  # a side was longer than `decoding.max_source` and only its beginning was read


def align(translator: "Translator", pairs: Sequence[tuple[str, str]]) -> list[Aligned]:
    """The alignment of given translations: the model reads (source, target) and its attention is looked at.

    Pieces beyond `decoding.max_source`, on either side, are not read and have no links.
    """
    subwords, limit = translator.subwords, translator.settings.max_source
    sources = [[] if is_blank(source) else subwords.source.encode(source) for source, _ in pairs]
    targets = [[] if is_blank(target) else subwords.target.encode(target) for _, target in pairs]
    order = sorted(range(len(pairs)), key=lambda index: -len(targets[index]))
    found: dict[int, Aligned] = {}
    for start in range(0, len(order), translator.settings.batch_size):
        batch = order[start : start + translator.settings.batch_size]
        read = [(sources[index][:limit], targets[index][:limit]) for index in batch]
        weights = translator.attention([source for source, _ in read], [target for _, target in read])
        for index, matrix, ids in zip(batch, weights, read, strict=True):
            pieces = map(_places, subwords, pairs[index], ids)
            cut = max(len(sources[index]), len(targets[index])) > limit
            found[index] = Aligned(*word_attention(matrix, *pairs[index], *pieces), cut)
    return [found[index] for index in range(len(pairs))]


def _places(subword: Subword, text: str, ids: list[int]) -> list[Piece]:
    return subword.pieces(text, len(ids)) if ids else []


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


# Alignments as text, and against gold ones ---------------------------------------------------------------------------


def pharaoh(links: Sequence[Link]) -> str:
    """`0-0 1-2 2-1`: source-target, counted from 0."""
    return " ".join(f"{source}-{target}" for source, target in links)


class Gold(NamedTuple):
    """What people linked: surely, and possibly, which the sure ones are too."""

    sure: frozenset[Link]
    possible: frozenset[Link]


_LINK = re.compile(r"(\d+)([-p?])(\d+)")


def read_gold(path: Path, pairs: Sequence[tuple[str, str]]) -> list[Gold]:
    """A line per pair: `0-0` is sure, `0p0` or `0?0` possible. Raises DataError where it does not fit the pairs."""
    lines = list(read_lines(path))
    if len(lines) != len(pairs):
        raise DataError(f"{path}: has {len(lines)} lines, and the texts have {len(pairs)}; it needs one for each pair")
    return [_read_links(line, f"{path}:{number}", *pairs[number - 1]) for number, line in enumerate(lines, start=1)]


def _read_links(line: str, place: str, source: str, target: str) -> Gold:
    sure, possible = set(), set()
    sizes = (len(split_words(source)), len(split_words(target)))
    for text in line.split():
        match = _LINK.fullmatch(text)
        if not match:
            raise DataError(f"{place}: {text[:20]!r} is not a link; write 0-0 (0p0 if it is only possible), from 0")
        link = (int(match[1]), int(match[3]))
        if link[0] >= sizes[0] or link[1] >= sizes[1]:
            raise DataError(
                f"{place}: {text} is outside the {sizes[0]} and {sizes[1]} words of this pair; "
                "punctuation marks are words, and an apostrophe ends one"
            )
        possible.add(link)
        if match[2] == "-":
            sure.add(link)
    return Gold(frozenset(sure), frozenset(possible))


class Agreement(NamedTuple):
    """Of an alignment A with gold links S and P, added up over sentences: |A & S|, |A & P|, |A|, |S|."""

    sure_found: int | float
    possible_found: int | float
    found: int | float
    sure: int | float

    @property
    def error_rate(self) -> float:
        """AER = 1 - (|A & S| + |A & P|) / (|A| + |S|), 0 to 1 (Och & Ney 2003)."""
        return 1 - (self.sure_found + self.possible_found) / (self.found + self.sure) if self.found + self.sure else 0.0

    @property
    def precision(self) -> float:
        return self.possible_found / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        return self.sure_found / self.sure if self.sure else 1.0


def agreement(links: Sequence[Link], gold: Gold) -> Agreement:
    found = set(links)
    return Agreement(len(found & gold.sure), len(found & gold.possible), len(found), len(gold.sure))


# Drawing -------------------------------------------------------------------------------------------------------------


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
