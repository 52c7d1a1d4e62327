"""Which lines a model cannot give back: text that does not survive being cut into tokens and put together again."""

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from nmt.data.invisible import INVISIBLE, visible
from nmt.data.subword import STAND_IN, UNK_ID, Subword

NAMED = 4  # characters that a note names
_SPACES = re.compile(f"^ |  |[\x00-\x1f\x7f-\x9f\u2028\u2029{STAND_IN}]")
_CONTROLS = re.compile(f"[\x00-\x08\x0a-\x1f\x7f{STAND_IN}]")


class RoundTrip:
    """Counts the lines of one side that do not survive, and what they lose. Differences that no reader sees are none:
    invisible characters without a meaning, canonically equivalent ones, spaces at the end."""

    def __init__(self, subword: Subword) -> None:
        self.subword = subword
        self.lines = self.invisible = 0
        self.lost: Counter[str] = Counter()

    def add(self, texts: Sequence[str], ids: Sequence[np.ndarray]) -> None:
        """Compare lines with their tokens. Only those lines are decoded that could differ."""
        name = self.subword.normalizer.name
        if name != "identity" and INVISIBLE.search("\n".join(texts)):
            self.invisible += sum(visible(text) != text for text in texts)
        if self.subword.side == "source" or self.subword.kind == "word":
            self.lines += 0 if self.subword.has_bytes else sum(bool((each == UNK_ID).any()) for each in ids)
            return
        suspect = _CONTROLS if name == "identity" else _SPACES
        maps = name in {"nfkc", "nmt_nfkc"}
        for text, own in zip(texts, ids, strict=True):
            unknown = 0 if self.subword.has_bytes else int((own == UNK_ID).sum())
            if unknown or (maps and not text.isascii()) or suspect.search(text):
                expected = self.subword.normalizer.same(text).rstrip()
                decoded = self.subword.decode(own.tolist(), [""] * unknown)
                if expected != decoded.rstrip():
                    self.lines += 1
                    self.lost.update(Counter(expected) - Counter(decoded))

    def found(self) -> list[Any]:
        """Return the counts, as JSON has them."""
        return [self.lines, self.invisible, dict(self.lost)]

    def include(self, found: Sequence[Any]) -> None:
        """Add the counts of other lines."""
        self.lines, self.invisible = self.lines + found[0], self.invisible + found[1]
        self.lost.update(found[2])

    def notes(self) -> Counter[str]:
        """Return what the user should know, and of how many lines."""
        side = self.subword.side
        found: Counter[str] = Counter()
        if self.invisible:
            found[f"{side} lines with invisible characters that have no meaning, which are removed"] = self.invisible
        if self.lines:
            what = "hold unknown words" if self.subword.kind == "word" else "hold unknown characters"
            if side == "target" and self.subword.kind != "word":
                lost = ", ".join(
                    f"U+{ord(character):04X} {unicodedata.name(character, 'control character')}"
                    for character, _ in self.lost.most_common(NAMED)
                )
                what = f"cannot come out as they are{f', because of {lost}' if lost else ''}"
            normalization = self.subword.normalizer.name
            if not self.subword.has_bytes:
                remedy = {
                    "word": "raise subword.vocab_size, or set subword.model_type=unigram",
                    "char": "set subword.character_coverage=1",
                }.get(self.subword.kind, "set subword.byte_fallback=true")
            elif normalization == "identity":
                remedy = "remove these characters from the text"
            else:
                remedy = f"set subword.{side}_normalization={'identity' if normalization == 'nfc' else 'nfc'}"
            found[f"{side} lines that {what}; {remedy}"] = self.lines
        return found
