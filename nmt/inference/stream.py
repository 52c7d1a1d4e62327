"""Lines as they arrive: a line typed at a terminal at once, a big file in windows, memory constant."""

import select
from collections import Counter
from collections.abc import Iterator
from io import UnsupportedOperation

from nmt.data.corpus import BOM, Text, decode
from nmt.data.encodings import UTF8, is_evidently_legacy, remedy
from nmt.errors import DataError

PATIENCE = 0.02  # seconds to wait for more lines before those at hand are translated


def windows(text: Text, size: int, notes: Counter[str]) -> Iterator[list[str]]:
    """Lists of at most `size` lines: as many as are there without waiting. The final newline is optional.

    Bytes that are invalid become U+FFFD and NUL a space; both are counted in `notes`. Raises DataError for a text that
    evidently has another encoding than it is read as.
    """
    if text.encoding == UTF8 and is_evidently_legacy(text.head):
        raise DataError(f"{text.name}: {remedy(text.head)}")
    lines: list[bytes] = []
    for complete in text.lines(Counter()):
        lines += complete
        while lines and (len(lines) >= size or not _more_now(text)):
            yield [_repaired(line, text.encoding, notes) for line in lines[:size]]
            lines = lines[size:]
    if lines:
        yield [_repaired(line, text.encoding, notes) for line in lines]


def _more_now(text: Text) -> bool:
    try:
        return bool(select.select([text.file], [], [], PATIENCE)[0])
    except UnsupportedOperation:  # a file within an archive is all there
        return True


def _repaired(raw: bytes, encoding: str, notes: Counter[str]) -> str:
    line, fault = decode(raw)
    if fault and not fault.nul:
        notes[f"lines with bytes that are not {encoding.upper()}, shown as U+FFFD"] += 1
    if "\0" in line:
        notes["lines with NUL characters, read as spaces"] += 1
    return line.replace("\0", " ").removeprefix(BOM)
