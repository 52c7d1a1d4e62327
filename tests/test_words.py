"""What counts as a word: a golden table."""

import pytest

from nmt.data.words import split_words
from nmt.errors import ConfigError

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
    ("👍🏽 ok 👨‍👩‍👧 🇫🇷🇩🇪", ["👍🏽", "ok", "👨‍👩‍👧", "🇫🇷", "🇩🇪"]),  # a sequence of emoji is one
    # scripts without spaces between words: a word for each character, with what combines with it
    ("我们看iPhone手机。", ["我", "们", "看", "iPhone", "手", "机", "。"]),
    ("コーヒーを3杯飲む", ["コ", "ー", "ヒ", "ー", "を", "3", "杯", "飲", "む"]),
    ("รักน้ำ ๑๒", ["รั", "ก", "น้ำ", "๑๒"]),
    ("ໂຕນ້ຳ", ["ໂ", "ຕ", "ນ້ຳ"]),
    ("ខ្ញុំស្រ", ["ខ្ញុំ", "ស្រ"]),
    ("မြန်မာ", ["မြ", "န်", "မာ"]),
    ("བོད་ཡིག", ["བོད་", "ཡིག"]),  # by syllable
    ("می\u200cخواهم هندی", ["می\u200cخواهم", "هندی"]),
    ("हिन्दी में", ["हिन्दी", "में"]),
    ("<s> ||| ▁", ["<", "s", ">", "|", "|", "|", "▁"]),
]


def test_words_between_spaces() -> None:
    assert [word.text for word in split_words("l'eau vive , 你好  ok.", "spaces")] == [
        "l'eau",
        "vive",
        ",",
        "你好",
        "ok.",
    ]
    assert split_words(" \t", "spaces") == ()
    with pytest.raises(ConfigError, match=r"^words: 'x' must be one of scripts, spaces$"):
        split_words("a", "x")


@pytest.mark.parametrize(("line", "words"), TABLE, ids=[ascii(line) for line, _ in TABLE])
def test_words(line: str, words: list[str]) -> None:
    found = split_words(line)
    assert [word.text for word in found] == words
    assert [line[word.start : word.end] for word in found] == words
