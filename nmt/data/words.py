"""What counts as a word when people look at alignments, attention, flags and lengths.

`t'aime.` is `t'`, `aime`, `.`; in scripts without spaces between words each character is one. Text that is tokenised
already, and the links of other tools, count what spaces separate.
"""

import functools
import re
import unicodedata
from bisect import bisect_right
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import regex

from nmt.data.corpus import is_blank
from nmt.data.subword import SPACE_MARK, Piece
from nmt.errors import ConfigError

APOSTROPHES = "'\u2019"
TSHEG = "\u0f0b\u0f0c"  # ends a syllable of Tibetan

# Scripts that are written without spaces between words. Their digits are words as everywhere.
_ALONE = (
    r"[[\p{scx=Han}\p{scx=Hiragana}\p{scx=Katakana}\p{scx=Bopomofo}\p{Yi}\p{Thai}\p{Lao}\p{Khmer}\p{Myanmar}\p{Tai_Le}"
    r"\p{New_Tai_Lue}\p{Tai_Tham}\p{Tai_Viet}\p{Javanese}\p{Balinese}]&&\p{L}]"
)
# Signs that stack the next letter below the one before it, so that both are one character to the eye.
_STACKERS = "\u17d2\u1039\u1a60\ua9c0\u1b44"
_CLUSTER = rf"\X(?:(?<=[{_STACKERS}])\X)*\p{{M}}*"
_PLAIN = re.compile(r"[\x00-\u02ff\u0370-\u052f\u1e00-\u1fff\u2010-\u2027\u20a0-\u20bf\uac00-\ud7a3]*")


@functools.cache
def _compiled(pattern: str, flags: int = 0) -> "regex.Pattern[str]":
    """Compile a pattern when it is first needed, which takes milliseconds."""
    return regex.compile(pattern, flags)


class Word(NamedTuple):
    """Hold a word and where it stands in its line."""

    text: str
    start: int  # offsets in the line, in characters; `end` is excluded
    end: int
    alone: bool = False  # one character of a script that does not separate words


@functools.lru_cache(maxsize=16)  # attention and details of a line split it again; few, since a line may be long
def split_words(line: str, kind: str = "scripts") -> tuple[Word, ...]:
    """Split a line into words, by one of WORDS. Raises ConfigError for another name."""
    if kind not in WORDS:
        raise ConfigError(f"words: {kind!r} must be one of {', '.join(WORDS)}")
    return tuple(WORDS[kind](line))


def words_of_scripts(line: str) -> list[Word]:
    """Runs of letters, marks and digits; any other visible character alone, an emoji sequence too.

    An apostrophe inside a run ends the word on its left and belongs to it. In scripts without spaces between words,
    each character is a word, with the marks that combine with it; in Tibetan, each syllable.
    """
    plain = _PLAIN.fullmatch(line) is not None  # every character is a cluster by itself
    clusters = line if plain else _compiled(_CLUSTER).findall(line)
    words: list[Word] = []
    start, index = -1, 0  # of the run of letters, if there is one
    for place, cluster in enumerate(clusters):
        first, before = cluster[0], index
        index += len(cluster)
        alone = not plain and _compiled(_ALONE, regex.V1).match(first) is not None
        if not alone and _in_word(first):
            start = before if start < 0 else start
            continue
        if start >= 0:
            following = clusters[place + 1][0] if place + 1 < len(clusters) else " "
            elided = first in TSHEG or (first in APOSTROPHES and _in_word(following))
            end = index if elided else before
            words.append(Word(line[start:end], start, end))
            start = -1
            if elided:
                continue
        if alone or not is_blank(cluster):
            words.append(Word(cluster, before, index, alone))
    if start >= 0:
        words.append(Word(line[start:], start, len(line)))
    return words


def words_between_spaces(line: str) -> list[Word]:
    """Split a line at spaces and tabs, as tokenised text is split."""
    return [Word(match[0], match.start(), match.end()) for match in regex.finditer(r"[^ \t\r\n]+", line)]


def _in_word(character: str) -> bool:
    return character.isalnum() or character == "_" or unicodedata.category(character)[0] == "M"


def tokens_of_words(
    words: Sequence[Word], pieces: Sequence[Piece]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Return (piece, word, share of the piece's weight), an entry for each piece in a word.

    A piece over two words counts for the one it covers most. Over several characters that are words, as in Chinese, it
    counts for each of them, and its weight is shared. A piece without characters of its own (a space, the first bytes
    of a character spelt in bytes) goes with the next.
    """
    ends = [word.end for word in words]
    entries: list[tuple[int, int, float]] = []
    for index, piece in enumerate(pieces):
        end = piece.end + 1 if piece.text == SPACE_MARK else max(piece.end, piece.start + 1)
        first = last = bisect_right(ends, piece.start)
        while last < len(words) and words[last].start < end:
            last += 1
        if first == last:
            continue
        covered = [min(words[place].end, end) - max(words[place].start, piece.start) for place in range(first, last)]
        most = first + covered.index(max(covered))
        alone = [place for place in range(first, last) if words[place].alone] if words[most].alone else [most]
        entries += [(index, place, 1 / len(alone)) for place in alone]
    places = np.array([entry[:2] for entry in entries], np.int64).reshape(-1, 2)
    return places[:, 0], places[:, 1], np.array([share for *_, share in entries], np.float32)


WORDS: dict[str, Callable[[str], list[Word]]] = {
    "scripts": words_of_scripts,
    "spaces": words_between_spaces,
}
