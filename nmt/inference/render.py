"""Render attention as text, for a terminal."""

import unicodedata
from dataclasses import replace

from nmt.inference.alignment import Attention, AttentionMatrix
from nmt.shown import shown


def draw(matrix: Attention, width: int = 100) -> str:
    """Render the matrix as text: source words above, target words on the left, in as many blocks as the width needs.

    A line that was translated in segments has a matrix for each segment.
    """
    return "\n\n".join(_draw_part(part, width) for part in matrix.parts)


def _draw_part(matrix: AttentionMatrix, width: int) -> str:
    matrix = replace(matrix, source=[*map(shown, matrix.source)], target=[*map(shown, matrix.target)])
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
