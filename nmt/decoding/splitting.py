"""Lines longer than what a model was trained on: split at sentence ends, translated in parts, and joined again."""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from nmt.decoding.alignment import AttentionMatrix, Link

# An end of a sentence with what closes it, then space; or the full stop of a script that has no spaces.
END = re.compile(r"[.!?…]+[\"'”’»)\]]*\s+|[。！？]+[”’」』）]*\s*")


class Parts(NamedTuple):
    """`texts`, and whether a space stood between each and the one before it."""

    texts: list[str]
    spaced: list[bool]


def split_line(line: str, size: Callable[[str], int], longest: int) -> Parts:
    """As few parts as possible of at most `longest` pieces each (`size` counts them); a part is whole sentences, and a
    sentence that is longer by itself stays one part."""
    sentences = _sentences(line)
    sizes = [size(sentence.rstrip()) for sentence in sentences]
    parts, start, spaced_before = Parts([], []), 0, False
    while start < len(sentences):
        end = _end(sentences, sizes, start, size, longest)
        text = "".join(sentences[start:end])
        parts.texts.append(text.strip())
        parts.spaced.append(spaced_before)
        start, spaced_before = end, text != text.rstrip()
    return parts


def _end(sentences: list[str], sizes: list[int], start: int, size: Callable[[str], int], longest: int) -> int:
    """Where the part ends that begins at sentence `start`: guessed by the sum of `sizes`, then counted, since a line of
    a hundred thousand sentences must not be encoded anew for each of them."""

    def fits(end: int) -> bool:
        return size("".join(sentences[start:end]).rstrip()) <= longest

    end, total = start + 1, sizes[start]
    while end < len(sentences) and total + sizes[end] <= longest:
        end, total = end + 1, total + sizes[end]
    while end < len(sentences) and fits(end + 1):
        end += 1
    while end > start + 1 and not fits(end):
        end -= 1
    return end


def _sentences(line: str) -> list[str]:
    """Sentences with the spaces that follow them: together they are the line."""
    ends = [match.end() for match in END.finditer(line)]
    starts = [0, *(end for end in ends if end < len(line))]
    return [line[start:end] for start, end in zip(starts, [*starts[1:], len(line)], strict=True)]


def join(texts: Sequence[str], spaced: Sequence[bool]) -> str:
    return "".join(f" {text}" if space else text for text, space in zip(texts, spaced, strict=True))


def join_attention(matrices: Sequence[AttentionMatrix | None]) -> AttentionMatrix | None:
    """Each part looks only at itself. None if a part has none."""
    known = [matrix for matrix in matrices if matrix is not None]
    if not known or len(known) < len(matrices):
        return None
    source, target = [w for m in known for w in m.source], [w for m in known for w in m.target]
    weights = np.zeros((len(target), len(source)), known[0].weights.dtype)
    row = column = 0
    for matrix in known:
        rows, columns = matrix.weights.shape
        weights[row : row + rows, column : column + columns] = matrix.weights
        row, column = row + rows, column + columns
    return AttentionMatrix(source, target, weights)


def join_links(links: Sequence[Sequence[Link]], matrices: Sequence[AttentionMatrix | None]) -> list[Link]:
    """Alignments of the parts, counted from the beginning of the whole."""
    joined: list[Link] = []
    source = target = 0
    for part, matrix in zip(links, matrices, strict=True):
        joined += [(source + one, target + other) for one, other in part]
        if matrix is not None:
            source, target = source + len(matrix.source), target + len(matrix.target)
    return joined
