"""Finished sentences: text of both sides, links, and the word pairs they were built from."""

from typing import NamedTuple

from .english import an, cannot
from .french import sound
from .meaning import piece
from .words import Bi, join, links, split_words


class Sentence(NamedTuple):
    """An aligned sentence pair."""

    en: str
    fr: str
    links: tuple[tuple[int, int], ...]
    pairs: tuple[tuple[str, str], ...] = ()
    plan: str = ""

    def pharaoh(self) -> str:
        """The links as text."""
        return " ".join(f"{i}-{j}" for i, j in self.links)


STOP, ASK, SHOUT, COMMA = ".", "?", "!", ","


def mark(sign: str) -> Bi:
    """An aligned punctuation mark."""
    return piece(sign, sign)


def finish(parts: Bi, sign: str = STOP, pairs: list[tuple[str, str]] | None = None, plan: str = "") -> Sentence:
    """Writes a sentence out and reads its alignment off."""
    end = mark(sign)
    en, fr = an(cannot([*parts.en, *end.en])), sound([*parts.fr, *end.fr])
    texts = join(en, False), join(fr, True)
    for text, words in zip(texts, (en, fr), strict=True):
        found = split_words(text)
        assert [w.lower() for w in found] == [w.text.lower() for w in words], (text, found)
    return Sentence(*texts, tuple(links(en, fr)), tuple(pairs or ()), plan)
