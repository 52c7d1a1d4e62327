"""Lines that hold more than the lines of training: split at sentence ends, translated in parts, and joined again."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import regex

from nmt.data.sentences import split_sentences
from nmt.data.statistics import TrainingStatistics

_CLAUSE = regex.compile(r"[,;:\u060c\u061b\u0964\u104a\u1363-\u1366\u3001\uff0c\uff1a\uff1b\u2013\u2014][\p{Pe}\p{Pf}\"']*\s*|\s+[\u2013\u2014-]\s+")
_SPACE = regex.compile(r"\s+")


class Capacity(NamedTuple):
    """What a line may hold to be translated as a whole."""

    sentences: int  # 0: any number
    pieces: int  # of several sentences
    longest: int  # pieces of a single sentence; 0: any number


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
    if not longest or len(text) <= longest or size(text.strip()) <= longest:
        return [text]
    middle = len(text) // 2
    for separator in (_CLAUSE, _SPACE):
        ends = [match.end() for match in separator.finditer(text) if text[match.end() :].strip()]
        ends = [end for end in ends if text[:end].strip()]
        if separator is _CLAUSE:
            ends = [end for end in ends if len(text) // 5 <= end <= len(text) - len(text) // 5]
        if ends:
            nearest = min(ends, key=lambda end: abs(end - middle))
            return _shortened(text[:nearest], size, longest) + _shortened(text[nearest:], size, longest)
    return [text]


def join(texts: Sequence[str], spaced: Sequence[bool]) -> str:
    return "".join(f" {text}" if space and text else text for text, space in zip(texts, spaced, strict=True))
