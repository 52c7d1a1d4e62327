"""Invisible characters: which of them mean something, and where.

Text from web pages is full of characters that nobody sees: soft hyphens, zero-width spaces, byte order marks, marks of
the direction of writing. To a model they are characters like any other, and one of them inside a word makes it an
unknown word. Some have a meaning in some places, as between two Persian letters or in the middle of an emoji.
"""

import functools
import re
from collections.abc import Iterator
from typing import NamedTuple

import regex

Span = tuple[int, int]  # of characters in a line; the end is excluded

# Scripts in which a joiner or non-joiner changes what is seen.
_JOINING = "Arabic Syriac Nko Mandaic Mongolian Phags_Pa Manichaean Psalter_Pahlavi Hanifi_Rohingya Sogdian Adlam"
_INDIC = (
    "Devanagari Bengali Gurmukhi Gujarati Oriya Tamil Telugu Kannada Malayalam Sinhala Tibetan Khmer Myanmar Javanese "
    "Balinese Sundanese Meetei_Mayek Chakma Grantha Newa Tirhuta Brahmi Kaithi Sharada Tai_Tham Limbu Lepcha Batak Cham"
)
_WITHOUT_SPACES = "Thai Lao Khmer Myanmar Tai_Le New_Tai_Lue Tai_Tham Tai_Viet Tibetan Javanese Balinese"


def _script(names: str) -> str:
    return "[" + "".join(rf"\p{{Script={name}}}" for name in names.split()) + "]"


class Rule(NamedTuple):
    """Say when an invisible character is removed."""

    characters: str  # inside the brackets of a character class
    kept: str  # a pattern of the places where they mean something; "" where they never do
    meaning: str


_LETTER = _script(f"{_JOINING} {_INDIC}")
_NEVER = "\u00ad\ufeff\u2060-\u2064\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f\ufff9-\ufffb"  # see the first rules
_AFTER = rf"(?<={_LETTER}\p{{M}}{{0,4}}[{_NEVER}]{{0,8}})"
_EMOJI = r"[\p{Extended_Pictographic}\p{Emoji_Modifier}]"

RULES = (
    Rule("\u00ad", "", "soft hyphen: where a word may be broken"),
    Rule("\ufeff", "", "byte order mark, or zero-width no-break space"),
    Rule("\u2060-\u2064", "", "word joiner, invisible operators of formulas"),
    Rule("\u061c\u200e\u200f\u202a-\u202e\u2066-\u206f", "", "direction of writing, and controls out of use"),
    Rule("\ufff9-\ufffb", "", "borders of annotations"),
    Rule(
        "\u200b",
        rf"(?<={_script(_WITHOUT_SPACES)})\u200b(?={_script(_WITHOUT_SPACES)})",
        "zero-width space: the border of words in scripts without spaces",
    ),
    Rule(
        "\u200c",
        rf"(?<=[\p{{L}}\p{{M}}\p{{N}}][{_NEVER}]{{0,8}})\u200c(?=[{_NEVER}\u200c]{{0,8}}{_LETTER})|(?<={_script(_INDIC)})\u200c",
        "zero-width non-joiner: between letters that would join; after the virama of an Indic consonant",
    ),
    Rule(
        "\u200d",
        rf"{_AFTER}\u200d|\u200d(?={_LETTER})|(?<={_EMOJI}[\ufe0e\ufe0f]?)\u200d(?={_EMOJI})",
        "zero-width joiner: forms of Arabic and Indic letters; emoji of several parts",
    ),
    Rule(
        "\ufe00-\ufe0f",
        r"(?<=[\p{S}\p{P}\p{N}\p{Ideographic}\p{Emoji}\p{Script=Mongolian}\p{Script=Phags_Pa}\p{Script=Myanmar}"
        r"\p{Script=Manichaean}])[\ufe00-\ufe0f]",
        "variation selectors: how an emoji, a symbol or an ideograph is drawn",
    ),
    Rule("\U000e0100-\U000e01ef", r"(?<=\p{Ideographic})[\U000e0100-\U000e01ef]", "variants of ideographs"),
    Rule(
        "\u180b-\u180f",
        rf"(?<={_script('Mongolian Phags_Pa')}\p{{M}}{{0,4}})[\u180b-\u180f]",
        "variants and vowels of Mongolian letters",
    ),
    Rule(
        "\U000e0001\U000e0020-\U000e007f",
        r"(?<=\U0001f3f4[\U000e0020-\U000e007e]{0,8})[\U000e0020-\U000e007f]",
        "tags: the flags of Scotland, Wales and the like",
    ),
    Rule(
        "\u115f\u1160\u3164\uffa0",
        r"(?<=[\u1100-\u11ff\ua960-\ua97f\ud7b0-\ud7ff])[\u115f\u1160]|[\u115f\u1160](?=[\u1100-\u11ff\ud7b0-\ud7ff])",
        "fillers of Hangul syllables",
    ),
)

# Egyptian, musical and shorthand controls, Khmer inherent vowels and the combining grapheme joiner stay: they are rare,
# and have a meaning wherever they are written.


INVISIBLE = re.compile("[" + "".join(rule.characters for rule in RULES) + "]")


@functools.cache
def _places() -> dict[str, "regex.Pattern[str]"]:
    """Return where each invisible character that has a meaning keeps it. Compiled when first needed."""
    places: dict[str, regex.Pattern[str]] = {}
    for rule in RULES:
        # The characters are those of a character class, such as `ac-e`.
        for first, last in regex.findall(r"(.)(?:-(.))?", rule.characters) if rule.kept else ():
            members = map(chr, range(ord(first), ord(last or first) + 1))
            places |= dict.fromkeys(members, regex.compile(rule.kept))
    return places


def meaningless(line: str) -> Iterator[Span]:
    """Yield where the invisible characters without a meaning are, in order."""
    for match in INVISIBLE.finditer(line):
        place = _places().get(match.group())
        if place is None or not place.match(line, match.start()):
            yield match.span()


def visible(line: str) -> str:
    """Return the line without its invisible characters that have no meaning where they are."""
    if not INVISIBLE.search(line):
        return line
    start, parts = 0, []
    for first, end in meaningless(line):
        parts.append(line[start:first])
        start = end
    return "".join([*parts, line[start:]])
