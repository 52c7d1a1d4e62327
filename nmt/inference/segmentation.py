"""Segment lines that hold more than the training lines: at sentence ends, each segment translated by itself."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import regex

from nmt.data.sentences import split_sentences
from nmt.data.statistics import TrainingStatistics

_CLAUSE = regex.compile(
    r"[\u060c\u061b\u104a\u1363-\u1366\u3001\uff0c\uff1a\uff1b][\p{Pe}\p{Pf}\"']*\s*"
    r"|[,;:][\p{Pe}\p{Pf}\"']*\s+|\s[\u2013\u2014-]\s+"
)
_SPACE = regex.compile(r"\s+")


class Capacity(NamedTuple):
    """Hold the limits within which a line is translated as a whole."""

    sentences: int  # 0: any number
    pieces: int  # of several sentences
    longest: int  # pieces of a single sentence; 0: any number

    def holds_sentences(self, sentences: int) -> bool:
        """Return whether a line of this number of sentences is translated as a whole."""
        return not self.sentences or sentences <= max(self.sentences, 1)

    def holds(self, sentences: int, pieces: int) -> bool:
        """Return whether a line of this number of sentences and subwords is translated as a whole."""
        if sentences == 1:
            return not self.longest or pieces <= self.longest
        return self.holds_sentences(sentences) and pieces <= self.pieces


def capacity(statistics: TrainingStatistics) -> Capacity:
    """Return what training lines usually held; a single sentence may be as long as the longest of them."""
    return Capacity(statistics.usual_sentences, statistics.usual_source, statistics.longest_source)


class Segments(NamedTuple):
    """Hold the segments of a line, and the white space before each of them."""

    texts: list[str]
    spaces: list[str]


def split_line(line: str, size: Callable[[str], int], most: Capacity, verbatim: bool = False) -> Segments:
    """Split a line into as few segments as possible within the limits `most`; `size` counts the subwords of a text.

    A segment holds whole sentences. A sentence that is too long is split at commas and the like, or else at spaces.
    White space between segments becomes one space, unless `verbatim`; then the indentation of the line stays too.
    """
    groups: list[list[str]] = []
    total = 0  # subwords of the last group: sizes are added, not counted again for each group
    for sentence in split_sentences(line):
        pieces = 0 if most.sentences == 1 else size(sentence.rstrip())
        if not groups or (most.sentences and len(groups[-1]) >= most.sentences) or total + pieces > most.pieces:
            groups.append([])
            total = 0
        groups[-1].append(sentence)
        total += pieces
    segments, before = Segments([], []), ""
    for group in groups:
        for segment in _split_long("".join(group), size, most.longest):
            text = segment.strip()
            if not text:
                before += segment
                continue
            start = segment.index(text)
            segments.texts.append(text)
            segments.spaces.append(before + segment[:start])
            before = segment[start + len(text) :]
    if not segments.texts:
        return Segments([line], [""])
    if not verbatim:
        return Segments(segments.texts, ["", *(" " if space else "" for space in segments.spaces[1:])])
    return segments


def _split_long(text: str, size: Callable[[str], int], longest: int) -> list[str]:
    """Split a text into segments of at most `longest` subwords, as equal as its commas and spaces allow; return it
    whole if it has none."""
    if not longest or size(text.strip()) <= longest:
        return [text]
    first, last = len(text) - len(text.lstrip()), len(text.rstrip())
    middle, edge = len(text) // 2, len(text) // 5
    for separator, low, high in ((_CLAUSE, edge, len(text) - edge), (_SPACE, first, last)):
        ends = [match.end() for match in separator.finditer(text, low, high) if first < match.end() < last]
        if ends:
            nearest = min(ends, key=lambda end: abs(end - middle))
            return _split_long(text[:nearest], size, longest) + _split_long(text[nearest:], size, longest)
    return [text]


def join(texts: Sequence[str], spaces: Sequence[str]) -> str:
    """Join the texts with the white space that stood between them. An empty text adds none."""
    joined: list[str] = []
    for text, space in zip(texts, spaces, strict=True):
        if text:
            joined += [space if joined else spaces[0], text]
    return "".join(joined)
