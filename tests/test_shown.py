"""Text from elsewhere is shown as one line that a terminal does not obey."""

import json
import unicodedata

import pytest

from nmt.errors import ConfigError, DataError
from nmt.shown import amount, json_line, number, shown


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain text, Zürich, 東京, العربية", "plain text, Zürich, 東京, العربية"),
        ("a\x1b[2Jb", r"a\x1b[2Jb"),
        ("\x1b]52;c;ZXZpbA==\x07", r"\x1b]52;c;ZXZpbA==\x07"),
        ("one\ntwo\r\tthree\0", r"one\ntwo\r\tthree\x00"),
        ("\x9b2J\x85\x7f", r"\x9b2J\x85\x7f"),
        ("safe\u202egnp.exe\u2066", r"safe\u202egnp.exe\u2066"),
        ("a\u2028b\ufeff", r"a\u2028b\ufeff"),
        ("not-utf8-\udcff", r"not-utf8-\xff"),
        ("\ud800", r"\ud800"),
    ],
)
def test_what_a_terminal_would_obey_is_spelled_out(text: str, expected: str) -> None:
    assert shown(text) == expected
    assert shown(expected) == expected


def test_nothing_that_controls_is_left() -> None:
    everything = "".join(map(chr, range(0x110000)))
    for character in shown(everything, 10**9):
        assert unicodedata.category(character) not in {"Cc", "Cs", "Zl", "Zp"}


def test_a_long_text_keeps_its_ends() -> None:
    assert shown("a" * 50 + "b" * 50, 11) == "aaaa...bbbb"


def test_json_reads_back() -> None:
    value = {"a\x9b": ["\x1b[2J\n\u202e\u2028", "東京 é", 1.5, None]}
    line = json_line(value)
    assert json.loads(line) == value
    assert "東京 é" in line and shown(line) == line


def test_numbers_are_short() -> None:
    assert [number(3), number(0.001), number(None)] == ["3", "0.001", "None"]
    assert number(10**5000) == "a number of more than 20 digits"


@pytest.mark.parametrize(
    ("count", "words", "expected"),
    [
        (1, ("line",), "1 line"),
        (0, ("line",), "0 lines"),
        (1200, ("usable pair",), "1,200 usable pairs"),
        (1, ("batch", "batches"), "1 batch"),
        (2, ("batch", "batches"), "2 batches"),
    ],
)
def test_an_amount_has_its_plural(count: int, words: tuple[str, ...], expected: str) -> None:
    assert amount(count, *words) == expected


def test_every_message_of_an_error_is_safe() -> None:
    error = ConfigError("a\x1b[2J", "b\nerror: forged")
    assert error.problems == (r"a\x1b[2J", r"b\nerror: forged")
    assert str(DataError(f"{error.problems[0]}; left out")) == r"a\x1b[2J; left out"
