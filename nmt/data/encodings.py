"""Recognise the encoding of a text by its first block. UTF-8, UTF-16 and UTF-32 are read; errors name others."""

import codecs
import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import NamedTuple

AUTO = "auto"
UTF8 = "utf-8"
INVALID = "\udcff"  # in the place of bytes that cannot be decoded; as UTF-8 it is invalid, and so found line by line

codecs.register_error("nmt.invalid", lambda error: (INVALID, error.end))  # type: ignore[attr-defined]


def encoding_of(head: bytes, given: str = AUTO) -> str:
    """Return the encoding to read a text with, by its first block.

    `given` is what the user says files that are not UTF-8 are in: a byte order mark, or text that is evidently UTF-8,
    says otherwise.
    """
    if wide := wide_encoding(head):
        return wide
    if given == AUTO or head.startswith(codecs.BOM_UTF8):
        return UTF8
    # In encodings of two bytes, a few characters may look like UTF-8 by chance.
    beyond_ascii = sum(character > "\x7f" for character in _decode(head, UTF8) or "")
    needed = 3 if _decode(b"\xb0\xa1", given) in {"가", "啊", "亜", "陛"} else 1
    return UTF8 if beyond_ascii >= needed else given


def to_utf8(blocks: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """Decode a text block by block. Bytes that are invalid in `encoding` become bytes that are invalid in UTF-8."""
    if encoding == UTF8:
        yield from blocks
        return
    decoder = codecs.getincrementaldecoder(encoding)("nmt.invalid")
    for block in blocks:
        yield decoder.decode(block).encode(UTF8, "surrogatepass")
    if rest := decoder.decode(b"", True):
        yield rest.encode(UTF8, "surrogatepass")


# UTF-16 and UTF-32 ---------------------------------------------------------------------------------------------------

_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",  # after UTF-32, whose mark begins with the same bytes
    codecs.BOM_UTF16_BE: "utf-16",
}
_WITHOUT_MARK = ("utf-32-le", "utf-32-be", "utf-16-le", "utf-16-be")
_NOT_IN_TEXT = {"Cc", "Cn", "Co", "Cs"}


def wide_encoding(head: bytes) -> str:
    """Return the encoding of UTF-16 or UTF-32 text, by its mark or its zero bytes; "" if it is neither."""
    for mark, encoding in _MARKS.items():
        if head.startswith(mark):
            return encoding
    if b"\0" not in head or _share_of_nonsense(head, UTF8) < 0.05:
        return ""
    # A few zero bytes in plain text are NUL characters. Where UTF-16 has few, its other bytes are no plain text:
    # those of Devanagari, U+0900 and on, are full of tabs.
    other = head.replace(b"\0", b"")
    plain = _share_of_nonsense(other, UTF8) < 0.05 and other.count(b"\t") < len(other) / 4
    if plain and head.count(0) < len(head) / 4:
        return ""
    return next((encoding for encoding in _WITHOUT_MARK if _share_of_nonsense(head, encoding) < 0.02), "")


def _share_of_nonsense(head: bytes, encoding: str) -> float:
    """Return the share of characters that no text has; 1 if the bytes are invalid, or no newline is one."""
    text = _decode(head, encoding)
    if text is None or len(text) < 2 or (b"\n" in head and "\n" not in text):
        return 1.0
    return sum(unicodedata.category(each) in _NOT_IN_TEXT and each not in "\t\n\r\f\v" for each in text) / len(text)


def _decode(head: bytes, encoding: str) -> str | None:
    """Decode all but a character that the end of the block cuts; None if the bytes are invalid."""
    try:
        return codecs.getincrementaldecoder(encoding)().decode(head)
    except UnicodeDecodeError:
        return None


# Others --------------------------------------------------------------------------------------------------------------


class _Legacy(NamedTuple):
    description: str
    expected: frozenset[str] | range  # common letters beyond ASCII; of two bytes: the first byte of common characters


def _letters(lower: str) -> frozenset[str]:
    return frozenset(lower + lower.upper())


_CYRILLIC = frozenset("абвгдежзийклмнопрстуфхцчшщъыьэюяёіїєґўђјљњћџѓќѕ")  # small ones: others' capitals are not
_CENTRAL = _letters("ąćęłńóśźżáčďéěíňřšťúůýžőűöüäôâîăşţë")
_LEGACY: dict[str, _Legacy] = {
    "cp949": _Legacy("Korean, EUC-KR", range(0xB0, 0xC9)),
    "gb18030": _Legacy("Chinese, GBK or GB2312", range(0xB0, 0xD8)),
    "big5": _Legacy("Chinese, Big5", range(0xA4, 0xC7)),
    "shift_jis": _Legacy("Japanese, Shift_JIS", range(0x82, 0x98)),
    "euc_jp": _Legacy("Japanese, EUC-JP", range(0xA4, 0xD0)),
    "windows-1252": _Legacy("Western European, latin-1", _letters("àâäáåãæçðèéêëìíîïñòóôöøœùúüßþ")),
    "windows-1254": _Legacy("Turkish", _letters("çğıöşüâîû") | {"İ"}),
    "windows-1250": _Legacy("Central European", _CENTRAL),
    "iso-8859-2": _Legacy("Central European, latin-2", _CENTRAL),
    "windows-1257": _Legacy("Baltic", _letters("āčēģīķļņšūžąęėįųõäöü")),
    "windows-1255": _Legacy("Hebrew", frozenset(map(chr, range(0x5D0, 0x5EB)))),  # small letters in the next
    "windows-1251": _Legacy("Cyrillic", _CYRILLIC),
    "koi8-u": _Legacy("Cyrillic, KOI8-R or KOI8-U", _CYRILLIC),
    "iso-8859-5": _Legacy("Cyrillic", _CYRILLIC),
    "cp866": _Legacy("Cyrillic, DOS", _CYRILLIC),
    "windows-1253": _Legacy("Greek", frozenset("αβγδεζηθικλμνξοπρσςτυφχψωάέήίόύώϊϋΐΰ")),
    "windows-1256": _Legacy("Arabic", frozenset(map(chr, range(0x621, 0x653))) | set("پچژگکی")),
    "cp874": _Legacy("Thai, TIS-620", frozenset(map(chr, range(0xE01, 0xE5B)))),
}
_LATIN = {"windows-1252", "windows-1254", "windows-1250", "iso-8859-2", "windows-1257"}
_WORDS = re.compile(rb"[A-Za-z\x80-\xff]+")
LIKELY = 0.8


def likely_encoding(head: bytes) -> str:
    """Return the legacy encoding that text which is not UTF-8 most likely has; "" if none makes sense of it."""
    words = _WORDS.findall(head)
    mixed = b"".join(word for word in words if not word.isascii())
    if not mixed:
        return ""
    count = len(mixed.translate(None, bytes(range(128))))  # of bytes beyond ASCII
    high = count / len(mixed)
    rare = count < 0.2 * sum(map(len, words))  # single letters such as `à` among words of ASCII
    scores: dict[str, float] = {}
    for name, (_, expected) in _LEGACY.items():
        latin = name in _LATIN
        if not (high < 0.9 or rare if latin else high >= 0.5):  # words of other scripts have no ASCII letters
            continue
        # The characters beyond ASCII, punctuation apart, and how many of them are common in texts of this encoding.
        text = _decode(head, name) or ""
        letters = [
            each
            for before, each in zip(f" {text}", text, strict=False)
            if each > "\x7f"
            and unicodedata.category(each)[0] not in "PZ"
            and (latin or before.isalpha() or not each.isupper())  # a capital says little of Cyrillic
        ]
        of_bytes = isinstance(expected, range)
        common = sum((each.encode(name)[0] if of_bytes else each) in expected for each in letters)
        few = 1 if latin else 4  # in words of ASCII letters, one of the common ones is no chance
        scores[name] = common / max(few, len(letters))
    best = max(scores, key=lambda name: scores[name], default="")
    return best if best and scores[best] >= LIKELY else ""


def is_evidently_legacy(head: bytes) -> bool:
    """Return whether text has a legacy encoding, and is not UTF-8 with a few bad bytes."""
    bad = good = 0
    for line in head.split(b"\n"):
        if not line.isascii():
            valid = _decode(line, UTF8) is not None
            bad, good = bad + (not valid), good + valid
    return bad > good and (bad >= 3 or bool(likely_encoding(head)))


def remedy(head: bytes) -> str:
    """Return what to do about text that is not UTF-8."""
    name = likely_encoding(head)
    if not name:
        return "not UTF-8; convert it, or name its encoding: data.encoding=NAME in training, --encoding NAME elsewhere"
    return (
        f"not UTF-8; it looks like {name} ({_LEGACY[name].description}): set data.encoding={name} in training, "
        f"give --encoding {name} elsewhere, or convert it to UTF-8"
    )
