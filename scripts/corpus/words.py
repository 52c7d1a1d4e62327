"""Words with link identifiers, raw text from words, and word alignments from identifiers."""

import re
from functools import cache
from typing import NamedTuple

WORD = re.compile(r"[^\W_]+'(?=[^\W\d_])|[^\W_]+|\S")
GLUED_LEFT = {",", "."}
GLUED_LEFT_ENGLISH = {",", ".", "?", "!", ";", ":"}


class Tok(NamedTuple):
    """A word of one side; two words of different sides correspond when they share an identifier."""

    text: str
    ids: frozenset[str] = frozenset()
    kind: str = ""


class Bi(NamedTuple):
    """An aligned piece: the words of both sides."""

    en: tuple[Tok, ...]
    fr: tuple[Tok, ...]


@cache
def pieces(text: str) -> tuple[str, ...]:
    """The words of a short text, remembered."""
    return tuple(WORD.findall(text))


def split_words(text: str) -> list[str]:
    """Words of raw text: runs of letters and digits (with an apostrophe that elides), else one character."""
    return WORD.findall(text)


def toks(text: str, *ids: str, kind: str = "") -> list[Tok]:
    """The words of `text`, all carrying the same identifiers."""
    if not text:
        return []
    marks = frozenset(ids)
    return [Tok(word, marks, kind) for word in pieces(text)]


def glued(before: str, word: str, french: bool) -> bool:
    """Whether no space separates two neighbouring words."""
    marks = GLUED_LEFT if french else GLUED_LEFT_ENGLISH
    return before == "-" or word == "-" or word in marks or before.endswith("'")


def join(words: list[Tok], french: bool) -> str:
    """Raw text of a sentence, with its first letter in upper case."""
    text = ""
    for index, word in enumerate(words):
        spaced = index > 0 and not glued(words[index - 1].text, word.text, french)
        text += (" " if spaced else "") + word.text
    return text[:1].upper() + text[1:]


def links(english: list[Tok], french: list[Tok]) -> list[tuple[int, int]]:
    """Pairs of positions whose words share an identifier, in source order."""
    places: dict[str, list[int]] = {}
    for j, word in enumerate(french):
        for mark in word.ids:
            places.setdefault(mark, []).append(j)
    found = [sorted({j for mark in word.ids for j in places.get(mark, [])}) for word in english]
    return [(i, j) for i, targets in enumerate(found) for j in targets]
