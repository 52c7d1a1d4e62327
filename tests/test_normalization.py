"""Unicode normalisation against Python's own, invisible characters, and the places of characters in the raw text."""

import random
import unicodedata

import pytest

from nmt.data.invisible import visible
from nmt.data.normalization import Normalizer, read_name

COMPOSING = [
    chr(code)
    for code in range(0x30000)
    if not 0xD800 <= code < 0xE000 and (unicodedata.decomposition(chr(code)) or unicodedata.combining(chr(code)))
]
OTHERS = [*"aeo \u00ad\u200b\u200c\u200d가각eẹ\u0301\u0323\u0e33\u093c\u0928", "\u1100", "\u1161", "\u11a8"]
NFC = Normalizer("nfc")


def test_nfc_is_that_of_unicode_and_places_rise() -> None:
    chance = random.Random(1)
    for _ in range(1500):
        text = "".join(chance.choice(COMPOSING + OTHERS * 100) for _ in range(chance.randrange(12)))
        found = NFC.mapped(text)
        assert found.text == NFC(text) == unicodedata.normalize("NFC", visible(text))
        assert len(found.starts) == len(found.ends) == len(found.text)
        assert found.starts == sorted(found.starts)
        assert all(start < end for start, end in zip(found.starts, found.ends, strict=True))


@pytest.mark.parametrize("part", range(4))
def test_every_character_with_a_decomposition_is_composed(part: int) -> None:
    hangul = [chr(code) for code in range(0xAC00, 0xD7A4, 7)]
    for character in (COMPOSING + hangul)[part::4]:
        for text in (unicodedata.normalize("NFD", character), f"a{character}\u0323\u0301"):
            assert NFC.mapped(text).text == NFC(text) == unicodedata.normalize("NFC", visible(text))


INVISIBLE = [
    ("soft\u00adhyphen", "softhyphen"),
    ("\ufefftext\u200b with\u2060out", "text without"),
    ("\u200eabc\u200f \u202bdef\u202c \u2067ghi\u2069", "abc def ghi"),
    ("a\u200cb a\u200db", "ab ab"),
    ("שלום\u200f!", "שלום!"),
    ("می‌روم", "می‌روم"),
    ("می\u200c\u200cروم", "می‌روم"),
    ("می\u00ad\u200cروم", "می‌روم"),
    ("می\u200c روم", "می روم"),
    ("PDF‌ها", "PDF‌ها"),
    ("ه\u200d.", "ه\u200d."),
    ("क्‍ष क्‌ष", "क्‍ष क्‌ष"),
    ("ന്‍", "ന്‍"),
    ("👨‍👩‍👧 👩🏽‍💻 ❤️ 1️⃣ 🏳️‍🌈 👁️‍🗨️", "👨‍👩‍👧 👩🏽‍💻 ❤️ 1️⃣ 🏳️‍🌈 👁️‍🗨️"),
    ("🏴󠁧󠁢󠁳󠁣󠁴󠁿 a\U000e0067", "🏴󠁧󠁢󠁳󠁣󠁴󠁿 a"),
    ("a\ufe0f", "a"),
    ("ខ្ញុំ\u200bទៅ a\u200bb", "ខ្ញុំ\u200bទៅ ab"),
    ("葛\U000e0100", "葛\U000e0100"),
]


@pytest.mark.parametrize(("text", "expected"), INVISIBLE, ids=ascii)
def test_invisible_characters_go_where_they_have_no_meaning(text: str, expected: str) -> None:
    assert NFC(text) == NFC.mapped(text).text == expected
    assert NFC(expected) == expected
    assert Normalizer("identity")(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("e\u0301 \u1112\u1161\u11ab", "é 한"),
        ("e\u0301\u0323 e\u0323\u0302", "ẹ\u0301 ệ"),
        ("，ﬁ²\u202f\u0e33", "，ﬁ²\u202f\u0e33"),
        ("a\tb\u2028c", "a b c"),
    ],
    ids=ascii,
)
def test_what_nfc_changes(text: str, expected: str) -> None:
    assert NFC(text) == NFC.mapped(text).text == expected


def test_places_by_hand() -> None:
    found = NFC.mapped("a\u00adbe\u0301 c")  # a, soft hyphen, b, e, acute, space, c
    assert found.text == "abé c"
    assert list(zip(found.starts, found.ends, strict=True)) == [(0, 1), (2, 3), (3, 5), (5, 6), (6, 7)]


def test_two_sides_of_one_vocabulary() -> None:
    source, target = (read_name("nmt_nfkc|identity", side) for side in ("source", "target"))
    assert source("  ﬁne   day ") == source.mapped("  ﬁne   day ").text == "fine day"
    assert source.mapped("ﬁne").ends == [1, 1, 2, 3]
    assert target("  ﬁne   day ") == "  ﬁne   day "


def test_marks_without_end_take_no_quadratic_time() -> None:
    """A hundred thousand marks to put in order would take minutes."""
    text = "a" + "\u0301\u0323" * 50_000
    assert NFC(text) == NFC.mapped(text).text
