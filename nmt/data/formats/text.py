"""Two text files, aligned line by line; also with the marks that IWSLT and eBible put into them."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from nmt.data.corpus import Pair, ParallelFiles, read_pairs
from nmt.errors import DataError

RANGE = "<range>"  # eBible: this verse is part of the one before
IWSLT_TAG = re.compile(
    r"\s*</?(?:url|keywords|speaker|talkid|title|description|translator|reviewer|doc|mteval|refset|srcset|file)\b[^>]*>"
)
_NO_CHARACTER = re.compile("[\0\ud800-\udfff]")
_BREAK = re.compile(r"[ \t]*[\r\n]+[ \t\r\n]*")
SHARE_OF_MARKUP = 0.01  # of the pairs of a text; more are warned of
_MARKUP = re.compile(r"\s*</?[A-Za-z][\w:.-]*(?:\s[^<>]*)?/?>(?:.*>)?\s*$|\s*<[?!].*>\s*$")


def read_text(
    files: tuple[Path, ...], languages: tuple[str, str], columns: tuple[str, ...], notes: Counter[str], encoding: str
) -> Iterator[Pair]:
    """Read two text files; line N of one translates line N of the other.

    Where a line is `<range>` on either side, what stands there belongs to the pair before. The pair keeps the number
    of its first line.
    """
    previous: Pair | None = None
    pairs = markup = 0
    for pair in read_pairs(ParallelFiles(*files), notes, encoding):
        pairs += 1
        markup += is_markup(pair.source) or is_markup(pair.target)
        if RANGE in {pair.source, pair.target}:
            notes["lines with <range> joined to the line before"] += 1
            if not previous:
                continue
            source, target = ("" if text == RANGE else text for text in (pair.source, pair.target))
            previous = Pair(previous.line, f"{previous.source} {source}".strip(), f"{previous.target} {target}".strip())
            continue
        if previous:
            yield previous
        previous = pair
    if previous:
        yield previous
    if markup > SHARE_OF_MARKUP * pairs:
        notes["lines that are markup, not sentences; name their format or remove them"] += markup


def read_iwslt(
    files: tuple[Path, ...], languages: tuple[str, str], columns: tuple[str, ...], notes: Counter[str], encoding: str
) -> Iterator[Pair]:
    """Read `train.tags.en-de.en` and `.de`: text lines between lines such as `<url>...</url>`, which are left out."""
    for pair in read_pairs(ParallelFiles(*files), notes, encoding):
        tagged = [bool(IWSLT_TAG.match(text)) for text in (pair.source, pair.target)]
        if any(tagged):
            notes["lines of markup left out" if all(tagged) else "lines of markup on one side only left out"] += 1
            continue
        yield Pair(pair.line, pair.source.strip(), pair.target.strip())


def one_line(text: str) -> str:
    """Return a text without line breaks: each becomes a space, together with the spaces around it."""
    return _BREAK.sub(" ", text).strip(" ") if "\n" in text or "\r" in text else text


def checked(text: str, place: str) -> str:
    """Return a text out of a format with escapes. Raise DataError for characters that no text in UTF-8 has."""
    if found := _NO_CHARACTER.search(text):
        raise DataError(f"{place}: holds U+{ord(found[0]):04X}, which is not a character of text; remove it")
    return text


def is_markup(line: str) -> bool:
    """Return whether a line begins with a tag and ends with one, such as `<seg id="1">` or `<url>...</url>`."""
    return "<" in line[:8] and line != RANGE and bool(_MARKUP.match(line))
