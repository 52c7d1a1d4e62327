"""Render attention as text, for a terminal."""

import unicodedata

from nmt.inference.alignment import Attention
from nmt.shown import shown


def draw(matrix: Attention, width: int = 100) -> str:
    """Render the matrix as text: source words above, target words on the left, in as many blocks as the width needs.

    A line that was translated in segments has a matrix for each segment.
    """
    drawn: list[str] = []
    for part in matrix.parts:
        source, target = [*map(shown, part.source)], [*map(shown, part.target)]
        left = max((_width(word) for word in target), default=0) + 1
        blocks: list[str] = []
        start = 0
        while start < len(source):
            # As many columns as the width has room for, and at least one.
            end, room = start, width - left
            while end < len(source) and (room := room - _column(source[end])) >= 0:
                end += 1
            end = max(end, start + 1)
            lines = [" " * left + "".join(_spaces(_column(word), word) + word for word in source[start:end])]
            for word, row in zip(target, part.weights, strict=True):
                cells = (f"{_cell(float(row[i])):>{_column(source[i])}}" for i in range(start, end))
                lines.append(word + _spaces(left, word) + "".join(cells))
            blocks.append("\n".join(lines))
            start = end
        drawn.append("\n\n".join(blocks))
    return "\n\n".join(drawn)


def _column(word: str) -> int:
    return max(_width(word), 4) + 1


def _spaces(width: int, word: str) -> str:
    """Return the spaces that fill a word up to a width."""
    return " " * (width - _width(word))


def _width(word: str) -> int:
    """Return the columns that a word takes in a terminal: 2 for a Chinese or Korean character, 0 for a combining
    mark."""
    return sum(_columns(character) for character in word)


def _columns(character: str) -> int:
    if unicodedata.category(character) in {"Mn", "Me", "Cf"}:
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _cell(weight: float) -> str:
    return f"{weight:.2f}" if weight >= 0.005 else "·"
