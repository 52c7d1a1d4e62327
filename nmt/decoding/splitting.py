"""Lines that hold more than the lines of training: split at sentence ends, translated in parts, and joined again."""

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
    """What a line may hold to be translated as a whole."""

    sentences: int  # 0: any number
    pieces: int  # of several sentences
    longest: int  # pieces of a single sentence; 0: any number

    def holds_sentences(self, sentences: int) -> bool:
        return not self.sentences or sentences <= max(self.sentences, 1)

    def holds(self, sentences: int, pieces: int) -> bool:
        if sentences == 1:
            return not self.longest or pieces <= self.longest
        return self.holds_sentences(sentences) and pieces <= self.pieces


def capacity(statistics: TrainingStatistics) -> Capacity:
    """As much as the lines of training usually held; a single sentence as much as the longest of them."""
    return Capacity(statistics.usual_sentences, statistics.usual_source, statistics.longest_source)


class Parts(NamedTuple):
    """`texts`, and whether a space stood between each and the one before it."""

    texts: list[str]
    spaced: list[bool]


def split_line(line: str, size: Callable[[str], int], most: Capacity) -> Parts:
    """As few parts as possible that hold no more than `most`; `size` counts the pieces of a text.

    A part is whole sentences. A sentence that is longer by itself is split at commas and the like, or else at spaces.
    """
    parts, spaced_before = Parts([], []), False
    for text in _grouped(split_sentences(line), size, most):
        for piece in _shortened(text, size, most.longest):
            if not piece.strip():
                continue
            parts.texts.append(piece.strip())
            parts.spaced.append(spaced_before or piece != piece.lstrip())
            spaced_before = piece != piece.rstrip()
    if not parts.texts:
        return Parts([line], [False])
    parts.spaced[0] = False
    return parts


def _grouped(sentences: list[str], size: Callable[[str], int], most: Capacity) -> list[str]:
    """Sentences in groups that a line may hold. Sizes are added, not counted anew for each group."""
    if most.sentences == 1:
        return sentences
    groups: list[list[str]] = []
    total = 0
    for sentence in sentences:
        pieces = size(sentence.rstrip())
        full = not groups or (most.sentences and len(groups[-1]) >= most.sentences) or total + pieces > most.pieces
        if full:
            groups.append([])
            total = 0
        groups[-1].append(sentence)
        total += pieces
    return ["".join(group) for group in groups]


def _shortened(text: str, size: Callable[[str], int], longest: int) -> list[str]:
    """A text in parts of at most `longest` pieces, as equal as its commas and spaces allow; whole if it has none."""
    if not longest or size(text.strip()) <= longest:
        return [text]
    first, last = len(text) - len(text.lstrip()), len(text.rstrip())
    middle, edge = len(text) // 2, len(text) // 5
    for separator, low, high in ((_CLAUSE, edge, len(text) - edge), (_SPACE, first, last)):
        ends = [match.end() for match in separator.finditer(text, low, high) if first < match.end() < last]
        if ends:
            nearest = min(ends, key=lambda end: abs(end - middle))
            return _shortened(text[:nearest], size, longest) + _shortened(text[nearest:], size, longest)
    return [text]


def join(texts: Sequence[str], spaced: Sequence[bool]) -> str:
    """The texts with the spaces that stood between them. One that is empty leaves no space of its own."""
    joined: list[str] = []
    begun = False
    for text, space in zip(texts, spaced, strict=True):
        joined.append(f" {text}" if space and text and begun else text)
        begun = begun or bool(text)
    return "".join(joined)
