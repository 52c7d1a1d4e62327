"""What counts as a word when people look at alignments: `t'aime.` is `t'`, `aime`, `.`"""

import unicodedata
from typing import NamedTuple

from nmt.data.corpus import is_blank

APOSTROPHES = "'\u2019"


class Word(NamedTuple):
    text: str
    start: int  # offsets in the line, in characters; `end` is excluded
    end: int


def split_words(line: str) -> list[Word]:
    """Runs of letters, marks and digits; any other visible character alone.

    An apostrophe inside a run ends the word on its left and belongs to it.
    """
    words: list[Word] = []
    start = -1
    for index, character in enumerate(line):
        if _in_word(character):
            start = index if start < 0 else start
            continue
        if start >= 0:
            elided = character in APOSTROPHES and index + 1 < len(line) and _in_word(line[index + 1])
            words.append(Word(line[start : index + elided], start, index + elided))
            start = -1
            if elided:
                continue
        if not is_blank(character):
            words.append(Word(character, index, index + 1))
    if start >= 0:
        words.append(Word(line[start:], start, len(line)))
    return words


def _in_word(character: str) -> bool:
    return character.isalnum() or character == "_" or unicodedata.category(character)[0] == "M"
