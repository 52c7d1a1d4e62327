"""What counts as a word: a golden table."""

import pytest

from nmt.data.words import split_words

TABLE = [
    ("", []),
    ("   ", []),
    ("Hello", ["Hello"]),
    ("Je t'aime.", ["Je", "t'", "aime", "."]),
    ("l’eau, s’il te plaît !", ["l’", "eau", ",", "s’", "il", "te", "plaît", "!"]),
    ("don't", ["don'", "t"]),
    ("'quoted'", ["'", "quoted", "'"]),
    ("dogs' tails", ["dogs", "'", "tails"]),
    ("2 000,50 €", ["2", "000", ",", "50", "€"]),
    ("snake_case well-known", ["snake_case", "well", "-", "known"]),
    ("...", [".", ".", "."]),
    ("cafe\u0301 nai\u0308f", ["cafe\u0301", "nai\u0308f"]),  # combining marks belong to their word
    ("나는 학교에 간다.", ["나는", "학교에", "간다", "."]),
    ("a\u2028b\u00a0c\u200bd\te", ["a", "b", "c", "d", "e"]),  # spaces and invisible characters separate
    ("👍🏽 ok", ["👍", "🏽", "ok"]),
    ("<s> ||| ▁", ["<", "s", ">", "|", "|", "|", "▁"]),
]


@pytest.mark.parametrize(("line", "words"), TABLE, ids=[ascii(line) for line, _ in TABLE])
def test_words(line: str, words: list[str]) -> None:
    found = split_words(line)
    assert [word.text for word in found] == words
    assert [line[word.start : word.end] for word in found] == words
