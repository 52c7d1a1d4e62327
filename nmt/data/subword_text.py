"""The lines that a subword model learns from, as SentencePiece can take them: not too long, with the characters that it
is to know."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator

MAX_BYTES = 4192  # SentencePiece silently leaves out longer lines


def cut_long(line: str) -> Iterator[str]:
    """Yield the line, or parts of it that are short enough: cut at a space, or anywhere if there is none."""
    size = MAX_BYTES // 4  # characters: each has at most four bytes
    if len(line) <= size or len(line.encode()) <= MAX_BYTES:
        yield line
        return
    start = 0
    while len(line) - start > size:
        space = line.rfind(" ", start + size // 2, start + size)
        end = space if space > 0 else start + size
        yield line[start:end]
        start = end + (space > 0)
    yield line[start:]


def common_characters(lines: Iterable[str], *, share: float = 1.0, most: int = 0) -> set[str]:
    """Return the most frequent characters: those that cover `share` of the text, or at most `most` of them."""
    counts: Counter[str] = Counter()
    for line in lines:
        counts.update(line)
    del counts[" "]
    wanted, found = share * counts.total(), 0
    common: set[str] = set()
    for character, count in sorted(counts.items(), key=lambda item: (-item[1], item[0])):
        if found >= wanted or (most and len(common) >= most):
            break
        common.add(character)
        found += count
    return common


def cut_at_others(lines: Iterable[str], common: set[str]) -> list[str]:
    """Return the stretches of the lines that hold no other than these characters and spaces."""
    others = re.compile(f"[^ {re.escape(''.join(sorted(common)))}]+")
    return [part for line in lines for part in others.split(line) if part.strip()]
