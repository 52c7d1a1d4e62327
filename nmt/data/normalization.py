"""Unicode normalisation of text before it is cut into subwords, with places in the raw text.

NFC makes one sequence of code points out of those that are the same text: `e` and a combining acute accent are `é`,
conjoining jamo are a Hangul syllable. It keeps every difference that a reader sees: full-width commas, superscripts,
ligatures and no-break spaces stay as they are. NFKC (`nfkc`, and `nmt_nfkc` with SentencePiece's own changes) maps them
to plain characters. `identity` changes nothing at all.
"""

import functools
import itertools
import re
import unicodedata
from collections.abc import Iterable
from typing import Literal, NamedTuple

import regex
import sentencepiece as spm

from nmt.config import SubwordSettings
from nmt.data.invisible import meaningless, visible

Side = Literal["source", "target"]
SIDES: tuple[Side, Side] = ("source", "target")

_CONTROLS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")  # a space each; no line holds \n
_SPACES = re.compile("^ +| +$|(?<= ) +")
_LONGEST = 256  # marks on one letter; more are put in order in parts, as sorting them takes quadratic time
_MARKS = regex.compile(rf"\p{{M}}{{{_LONGEST}}}")


class Mapped(NamedTuple):
    """Hold text, and the places of each of its characters in the raw text."""

    text: str
    starts: list[int]
    ends: list[int]  # excluded

    @classmethod
    def of(cls, text: str) -> "Mapped":
        """Return a text that stands for itself, character by character."""
        return cls(text, list(range(len(text))), list(range(1, len(text) + 1)))

    def replace(self, spans: Iterable[tuple[int, int, str]]) -> "Mapped":
        """Return it with other text in some spans, given in order: every new character stands for its whole span."""
        parts: list[str] = []
        starts: list[int] = []
        ends: list[int] = []
        place = 0
        for first, end, text in [*spans, (len(self.text), len(self.text), "")]:
            parts += [self.text[place:first], text]
            starts += self.starts[place:first]
            ends += self.ends[place:first]
            if text:
                starts += [self.starts[first]] * len(text)
                ends += [self.ends[end - 1]] * len(text)
            place = end
        return Mapped("".join(parts), starts, ends)


class Normalizer:
    """Normalise the text of one side.

    `alone`: whether all of it happens here, and none in SentencePiece, as in a joint vocabulary whose two sides are
    normalised differently.
    """

    def __init__(self, name: str, alone: bool = False) -> None:
        self.name, self.alone = name, alone
        self._compatibility: spm.SentencePieceNormalizer | None = None
        if alone and name in {"nfkc", "nmt_nfkc"}:
            self._compatibility = spm.SentencePieceNormalizer(
                rule_name=name, add_dummy_prefix=False, escape_whitespaces=False, remove_extra_whitespaces=True
            )

    def __call__(self, text: str) -> str:
        if self.name == "identity":
            return text
        text = visible(text)
        if self.name == "nfc":
            text = _CONTROLS.sub(" ", text)
            if not unicodedata.is_normalized("NFC", text):
                text = _nfc(text)
        elif self._compatibility:
            text = self._compatibility.normalize(text)
        return _SPACES.sub("", text) if self.alone else text

    def many(self, texts: list[str]) -> list[str]:
        """Return all of the texts normalised; a quick look at them together tells most often that they are."""
        if self.name == "identity":
            return texts
        together = "\n".join(texts)
        if not self.alone and together.isascii() and (self.name != "nfc" or together.replace("\n", "a").isprintable()):
            return texts
        return [self(text) for text in texts]

    def mapped(self, text: str) -> Mapped:
        """Return what calling it does, with the place of each character in the raw text."""
        found = Mapped.of(text)
        if self(text) == text:
            return found
        found = found.replace((first, end, "") for first, end in meaningless(text))
        if self.name == "nfc":
            found = found.replace((match.start(), match.end(), " ") for match in _CONTROLS.finditer(found.text))
            found = found.replace(_changed_segments(found.text))
        elif self._compatibility:
            changed, starts = self._compatibility.normalize(found.text, with_offsets=True)
            ends = [max(starts[index], starts[index + 1] - 1) for index in range(len(changed))]
            found = Mapped(
                changed,
                [found.starts[starts[index]] for index in range(len(changed))],
                [found.ends[end] for end in ends],
            )
        if self.alone:
            found = found.replace((match.start(), match.end(), "") for match in _SPACES.finditer(found.text))
        return found

    def composed(self, text: str) -> str:
        """Return output as this normalisation has it: a model may spell a letter and its accent apart."""
        return _nfc(text) if self.name == "nfc" and not unicodedata.is_normalized("NFC", text) else text

    def composing(self, text: str) -> Mapped:
        """Return output that is composed, with the places of its characters before that."""
        return Mapped.of(text).replace(_changed_segments(text))

    def visible(self, text: str) -> str:
        """Return the text without the invisible characters that no output has: what references are compared as."""
        return text if self.name == "identity" else visible(text)

    def same(self, text: str) -> str:
        """Return the text without any differences that are none to a reader."""
        return self.composed(self.visible(text))


def _nfc(text: str) -> str:
    if not _MARKS.search(text):
        return unicodedata.normalize("NFC", text)
    return "".join(unicodedata.normalize("NFC", text[first:end]) for first, end in _stretches(text))


def _stretches(text: str) -> list[tuple[int, int]]:
    """Return spans that together are the text, cut within runs of too many marks."""
    cuts = [match.end() for match in _MARKS.finditer(text)]
    return list(zip([0, *cuts], [*cuts, len(text)], strict=True))


def _changed_segments(text: str) -> Iterable[tuple[int, int, str]]:
    """Yield the segments that NFC changes: parts of the text that do not combine with what is around them."""
    for first, last in _stretches(text):
        borders = [first, *(place for place in range(first + 1, last) if _stands_alone(text[place])), last]
        for start, end in itertools.pairwise(borders):
            segment = text[start:end]
            if (normalized := unicodedata.normalize("NFC", segment)) != segment:
                yield start, end, normalized


@functools.cache
def _stands_alone(character: str) -> bool:
    """Return whether a character never combines with one before it."""
    first = unicodedata.normalize("NFD", character)[0]
    return not unicodedata.combining(first) and first not in _combining_starters()


@functools.cache
def _combining_starters() -> frozenset[str]:
    """Return the characters without a combining class that compose with one before them: vowel signs and jamo."""
    jamo = {chr(code) for first, last in ((0x1161, 0x1175), (0x11A8, 0x11C2)) for code in range(first, last + 1)}
    composed = (chr(code) for code in range(0xC0, 0x20000) if not 0xAC00 <= code < 0xE000)
    pairs = (unicodedata.decomposition(character).split() for character in composed)
    return frozenset(jamo | {chr(int(pair[1], 16)) for pair in pairs if len(pair) == 2 and pair[0][0] != "<"})


# Names ---------------------------------------------------------------------------------------------------------------


def of_settings(settings: SubwordSettings) -> dict[Side, str]:
    """Return the name of each side's normalisation."""
    return {
        "source": settings.source_normalization or settings.normalization,
        "target": settings.target_normalization or settings.normalization,
    }


def name_of(names: Iterable[str]) -> str:
    """Return what a model's file says: one name, or that of the source and that of the target."""
    return "|".join(dict.fromkeys(names))


def read_name(name: str, side: Side) -> Normalizer:
    """Return the normaliser of a side that a model's file names."""
    names = name.split("|")
    return Normalizer(names[-1] if side == "target" else names[0], alone=len(names) > 1)
