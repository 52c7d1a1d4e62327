"""Unicode normalisation against Python's own, and the places of characters in the text as it was."""

import random
import unicodedata

import pytest

from nmt.data.normalization import clean, normalized

NFC_MATTERS = [
    chr(code) for code in range(0x110000) if unicodedata.decomposition(chr(code)) or unicodedata.combining(chr(code))
]
OTHERS = [*"aeo \u00ad\u200b\u200c가각eẹ", "\u1100", "\u1161", "\u11a8"]


def test_nfc_is_that_of_unicode_and_places_rise() -> None:
    chance = random.Random(1)
    for _ in range(3000):
        text = "".join(chance.choice(NFC_MATTERS + OTHERS * 200) for _ in range(chance.randrange(12)))
        found = normalized(text, "nfc")
        assert found.text == clean(text, "nfc") == unicodedata.normalize("NFC", found.text)
        if found.places is not None:
            assert len(found.places) == len(found.text) + 1
            assert found.places.tolist() == sorted(found.places.tolist())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("soft\u00adhyphen", "softhyphen"),
        ("\ufefftext\u200b with\u2060out", "text without"),
        ("\u200eabc\u200f \u202bdef\u202c \u2067ghi\u2069", "abc def ghi"),
        ("a\u200cb a\u200db", "ab ab"),
        ("می‌روم", "می‌روم"),
        ("می\u200c روم", "می روم"),
        ("क्‍ष क्‌ष", "क्‍ष क्‌ष"),
        ("👨‍👩‍👧 👩🏽‍💻 ❤️", "👨‍👩‍👧 👩🏽‍💻 ❤️"),
        ("🏴󠁧󠁢󠁳󠁣󠁴󠁿 a\U000e0067", "🏴󠁧󠁢󠁳󠁣󠁴󠁿 a"),
        ("ខ្ញុំ\u200bទៅ a\u200bb", "ខ្ញុំ\u200bទៅ ab"),
        ("e\u0301 \u1112\u1161\u11ab", "é 한"),
        ("ẹ\u0301 e\u0301\u0323", "ẹ\u0301 ẹ\u0301"),
        ("，ﬁ²\u202f\u0e33", "，ﬁ²\u202f\u0e33"),
    ],
    ids=ascii,
)
def test_invisible_characters_go_where_they_have_no_meaning(text: str, expected: str) -> None:
    assert clean(text, "nfc") == expected
    assert clean(expected, "nfc") == expected
    assert clean(text, "identity") == text


def test_places_by_hand() -> None:
    found = normalized("a\u00adbe\u0301 c", "nfc")  # a, soft hyphen, b, e, acute, space, c
    assert found.text == "abé c"
    assert [found.original(place, place + 1) for place in range(5)] == [(0, 2), (2, 3), (3, 5), (5, 6), (6, 7)]
