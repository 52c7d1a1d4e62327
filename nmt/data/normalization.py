"""Unicode normalisation of text before it is cut into subwords, with places in the text as it was.

`nfc` composes characters that can be written in several ways (canonical equivalence, Unicode Standard Annex 15) and
leaves all others alone. All normalisations but `identity` also remove invisible characters where they have no meaning:
soft hyphens, zero-width spaces, byte order marks, bidirectional marks and the like, which text from web pages is full
of. Joiners stay where they change what is read: between letters of scripts such as Persian and Hindi, and in emoji.
"""

import functools
import re
import unicodedata
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import regex

NAMES = ("nfc", "nmt_nfkc", "nfkc", "identity")

# Scripts in which a joiner or non-joiner changes the shape or the meaning of its neighbours.
_JOINED = (
    *("Arabic", "Syriac", "Mandaic", "Mongolian", "Nko", "Phags_Pa", "Manichaean", "Adlam", "Hanifi_Rohingya"),
    *("Sogdian", "Devanagari", "Bengali", "Gurmukhi", "Gujarati", "Oriya", "Tamil", "Telugu", "Kannada", "Malayalam"),
    *("Sinhala", "Tibetan", "Myanmar", "Khmer", "Balinese", "Javanese", "Newa", "Tirhuta", "Grantha"),
)
# Scripts without spaces, in which a zero-width space tells words apart.
_UNSPACED = ("Khmer", "Lao", "Thai", "Myanmar")


def _any_of(scripts: tuple[str, ...]) -> str:
    return "[" + "".join(rf"\p{{Script_Extensions={script}}}" for script in scripts) + "]"


_LETTER, _UNSPACED_LETTER = _any_of(_JOINED), _any_of(_UNSPACED)
_EMOJI = r"[\p{Extended_Pictographic}\p{Emoji_Modifier}\ufe0f\u20e3]"

# What is removed, except where a rule keeps it.
_REMOVED = "\u00ad\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\U000e0001\U000e0020-\U000e007f"
_INVISIBLE = re.compile(f"[{_REMOVED}]")
_MEANINGLESS = regex.compile(
    rf"(?<={_LETTER})[\u200c\u200d]+(?={_LETTER})(*SKIP)(*FAIL)"  # Persian, Hindi
    rf"|(?<={_LETTER})\u200d(*SKIP)(*FAIL)"  # a joining form at the end of a word
    rf"|(?<={_EMOJI})\u200d(?=\p{{Extended_Pictographic}})(*SKIP)(*FAIL)"  # a family of several emoji
    rf"|(?<={_UNSPACED_LETTER})\u200b(?={_UNSPACED_LETTER})(*SKIP)(*FAIL)"
    r"|\U0001f3f4[\U000e0020-\U000e007e]+\U000e007f(*SKIP)(*FAIL)"  # the flag of a region
    rf"|[{_REMOVED}]"
)


class Normalized(NamedTuple):
    """A text after normalisation. `places[i]` is where its character i begins in the text as it was; None: at i."""

    text: str
    places: npt.NDArray[np.int64] | None = None

    def original(self, start: int, end: int) -> tuple[int, int]:
        """Return the span in the text as it was of the characters from `start` to `end`, `end` excluded."""
        if self.places is None:
            return start, end
        return int(self.places[start]), int(self.places[end]) if end > start else int(self.places[start])


def clean(text: str, normalization: str) -> str:
    """Return what of a text the subwords see, apart from spaces and from what SentencePiece itself normalises."""
    if normalization == "identity":
        return text
    if not text.isascii() and _INVISIBLE.search(text):
        text = _MEANINGLESS.sub("", text)
    if normalization == "nfc" and not text.isascii():
        return unicodedata.normalize("NFC", text)
    return text


def normalized(text: str, normalization: str) -> Normalized:
    """Return `clean(text, normalization)` with the places of its characters."""
    result = clean(text, normalization)
    if result == text:
        return Normalized(text)
    places: list[int] = []
    kept = _without_meaningless(text)
    composed: list[str] = []
    start = 0
    while start < len(kept):  # segments that compose on their own
        end = start + 1
        while end < len(kept) and _follows(text[kept[end]]):
            end += 1
        segment = "".join(text[index] for index in kept[start:end])
        segment = unicodedata.normalize("NFC", segment) if normalization == "nfc" else segment
        composed.append(segment)
        # Characters of a segment that changes share its beginning; the next segment begins after it.
        whole = len(segment) != end - start
        places += [kept[start] if whole else kept[start + offset] for offset in range(len(segment))]
        start = end
    assert "".join(composed) == result, "segments compose differently from the whole"
    return Normalized(result, np.array([*places, len(text)], np.int64))


def _without_meaningless(text: str) -> list[int]:
    """Return the places of the characters that stay."""
    removed = {match.start() for match in _MEANINGLESS.finditer(text)} if _INVISIBLE.search(text) else set()
    return [index for index in range(len(text)) if index not in removed]


def _follows(character: str) -> bool:
    """Whether a character can change what stands before it: marks, and the few others that compose with it."""
    first = unicodedata.normalize("NFD", character)[0]
    return unicodedata.combining(first) > 0 or first in _second_parts()


@functools.cache
def _second_parts() -> frozenset[str]:
    """Return the characters without combining class that are second in a canonical composition."""
    seconds = {chr(code) for code in (*range(0x1161, 0x1176), *range(0x11A8, 0x11C3))}  # vowels and finals of Hangul
    for code in range(0x110000):
        parts = unicodedata.decomposition(chr(code)).split()
        if len(parts) == 2 and not parts[0].startswith("<"):
            seconds.add(chr(int(parts[1], 16)))
    return frozenset(character for character in seconds if not unicodedata.combining(character))
