"""Lines as they arrive: a line typed at a terminal at once, a big file in windows, memory constant."""

import select
from collections import Counter
from collections.abc import Iterator
from typing import BinaryIO

BLOCK = 1 << 16
PATIENCE = 0.02  # seconds to wait for more lines before those at hand are translated


def windows(file: BinaryIO, size: int, notes: Counter[str]) -> Iterator[list[str]]:
    """Lists of at most `size` lines: as many as are there without waiting. The final newline is optional.

    `file` is unbuffered, so that what has not been read can be waited for. Bytes that are not UTF-8 become U+FFFD
    and NUL a space; both are counted in `notes`.
    """
    rest = b""
    lines: list[bytes] = []
    while True:
        if lines and (len(lines) >= size or not _more_now(file)):
            yield [_text(line, notes) for line in lines[:size]]
            lines = lines[size:]
            continue
        block = file.read(BLOCK)
        if not block:
            break
        *complete, rest = (rest + block).split(b"\n") if b"\n" in block else (rest + block,)
        lines.extend(complete)
    lines.extend([rest] if rest else [])
    for start in range(0, len(lines), size):
        yield [_text(line, notes) for line in lines[start : start + size]]


def _more_now(file: BinaryIO) -> bool:
    return bool(select.select([file], [], [], PATIENCE)[0])


def _text(raw: bytes, notes: Counter[str]) -> str:
    raw = raw.removesuffix(b"\r")
    try:
        line = raw.decode("utf-8")
    except UnicodeDecodeError:
        line = raw.decode("utf-8", errors="replace")
        notes["lines with bytes that are not UTF-8, shown as U+FFFD"] += 1
    if "\0" in line:
        notes["lines with NUL characters, read as spaces"] += 1
    return line.replace("\0", " ").removeprefix("\ufeff")
