"""Text from elsewhere, made safe to show: what a terminal would obey is spelled out instead.

Names and texts out of runs, corpora and file systems may hold escape sequences, line breaks that forge a message, or
characters that turn the reading direction around. Whatever shows such text calls `shown`.
"""

import functools
import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any, ParamSpec

P = ParamSpec("P")

LONGEST = 4000  # characters of a line that are shown; a path has at most 4,096 bytes

# Controls (C0, DEL, C1), line and paragraph separators, marks that change the reading direction, and lone surrogates,
# which stand for bytes of a file name that are not UTF-8.
_UNSAFE = re.compile("[\0-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]")
# How they are spelled, if not as \uXXXX. A byte that is not UTF-8 is a surrogate, as `os.fsdecode` gives it.
_SPELLED = {
    **{chr(code): f"\\x{code:02x}" for code in range(0x100)},
    **{chr(0xDC00 + byte): f"\\x{byte:02x}" for byte in range(0x80, 0x100)},
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
}


def shown(text: str, longest: int = LONGEST) -> str:
    """Return `text` as one line that a terminal prints as it is; the middle of a very long one becomes `...`."""
    if len(text) > longest:
        half = (longest - 3) // 2
        text = f"{text[:half]}...{text[-half:]}"
    return _UNSAFE.sub(lambda match: _SPELLED.get(match[0]) or f"\\u{ord(match[0]):04x}", text)


def counted(note: str, count: int) -> str:
    """Return a note and how often it is true, before the remedy if it names one.

    >>> counted("lines of markup; remove them", 1200)
    'lines of markup: 1,200; remove them'
    """
    what, separator, remedy = note.partition("; ")
    return f"{what}: {count:,}{separator}{remedy}"


def amount(count: int | float, thing: str, things: str = "") -> str:
    """Return a number of things in words; `things` is the plural where it is not made with an s.

    >>> amount(1, "line"), amount(1200, "line"), amount(0, "batch", "batches")
    ('1 line', '1,200 lines', '0 batches')
    """
    return f"{count:,} {thing if count == 1 else things or f'{thing}s'}"


def each_shown(describe: Callable[P, Iterable[str]]) -> Callable[P, Iterator[str]]:
    """Make every line that a function yields safe to show, by `shown`: a decorator."""

    @functools.wraps(describe)
    def described(*args: P.args, **kwargs: P.kwargs) -> Iterator[str]:
        return map(shown, describe(*args, **kwargs))

    return described


def number(value: int | float | None) -> str:
    """Return a number in at most 20 digits or so; Python refuses to write an integer of more than 4,300."""
    if isinstance(value, int) and abs(value) >= 10**20:
        return "a number of more than 20 digits"
    return f"{value:g}" if isinstance(value, float) else str(value)


def json_line(value: Any) -> str:
    """Return JSON in one line, other scripts as they are and everything unsafe escaped; it reads back as `value`."""
    return _UNSAFE.sub(lambda match: f"\\u{ord(match[0]):04x}", json.dumps(value, ensure_ascii=False))
