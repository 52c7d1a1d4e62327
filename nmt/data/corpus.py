"""Text: lines in, lines checked. A line ends at `\\n` and nowhere else.

A lone `\\r`, U+2028, U+0085 and their like are text. `\\r\\n` is accepted, a byte order mark dropped, a final newline
optional. Invalid bytes, NUL and unequal line counts are errors that name the place.
"""

import hashlib
import itertools
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator
from io import BufferedReader
from pathlib import Path
from typing import NamedTuple

from nmt.data.encodings import AUTO, UTF8, encoding_of, is_evidently_legacy, remedy, to_utf8
from nmt.data.opening import BLOCK, COMPRESSIONS, check_distinct, check_regular, open_binary, shown
from nmt.data.zipped import open_member, zip_member
from nmt.errors import DataError
from nmt.shown import amount

BOM = "\ufeff"
LONGEST_LINE = 32_000_000  # bytes; a line longer than that is no line, but a file without line ends
_INVISIBLE = {"Zs", "Zl", "Zp", "Cc", "Cf"}  # not Cn and Co: a character too new for this Python may well be visible


class Pair(NamedTuple):
    """Hold a source text, its translation, and where they were read."""

    line: int  # 1-based, in both files
    source: str
    target: str


class ParallelFiles(NamedTuple):
    """Hold the two files of one part of a corpus, aligned line by line."""

    source: Path
    target: Path


def parallel_files(folder: str | Path, stem: str, source: str, target: str) -> ParallelFiles:
    """Find STEM.LANGUAGE in a folder, perhaps compressed. Raises DataError if one is missing."""
    if not Path(folder).is_dir():
        raise DataError(f"{folder}: data.folder: no such folder; paths in a config are relative to the config file")
    return ParallelFiles(_text_file(Path(folder), stem, source), _text_file(Path(folder), stem, target))


def _text_file(folder: Path, stem: str, language: str) -> Path:
    plain = folder / f"{stem}.{language}"
    for path in (plain, *(plain.with_name(f"{plain.name}{ending}") for ending in COMPRESSIONS)):
        if path.exists():
            return path
    others = ", ".join(sorted(path.name for path in folder.glob(f"*.{language}*"))[:5])
    raise DataError(f"{plain}: no such file" + (f"; the folder has {others}" if others else ""))


def is_blank(line: str) -> bool:
    """Return whether a line shows nothing: only spaces of any kind, controls, and zero-width characters."""
    return all(unicodedata.category(character) in _INVISIBLE for character in line)


def read_lines(path: Path | str, notes: Counter[str] | None = None, encoding: str = AUTO) -> Iterator[str]:
    """Yield the lines of a text: of a file, a pipe, or standard input (`-`); plain or compressed.

    `encoding` is that of text that is neither UTF-8 nor marked UTF-16 or UTF-32. Counts in `notes` what was repaired.
    Raises DataError with file, line and byte.
    """
    notes = Counter() if notes is None else notes
    with open_text(path, encoding) as text:
        for number, raw in enumerate(itertools.chain.from_iterable(text.lines(notes)), start=1):
            line, fault = decode(raw)
            if fault:
                raise DataError(f"{text.name}:{number}: {text.explain(fault, raw)}")
            if number == 1 and line.startswith(BOM):
                line = line[1:]
                notes["byte order mark dropped"] += 1
            yield line


class Fault(NamedTuple):
    """Hold the first thing in a line that is not text."""

    byte: int  # from 1
    nul: bool  # a NUL character, and no byte that is invalid


def decode(raw: bytes) -> tuple[str, Fault | None]:
    """Return a line of UTF-8 without its line end; what is invalid in it becomes U+FFFD, and is told."""
    try:
        line = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        return raw.decode("utf-8", errors="replace"), Fault(error.start + 1, nul=False)
    return line, Fault(raw.index(b"\0") + 1, nul=True) if "\0" in line else None


class Text:
    """Read an open text in blocks as they arrive."""

    def __init__(self, file: BufferedReader, name: str, encoding: str) -> None:
        self.file, self.name, self.given = file, name, encoding
        self.head = b""  # the first block
        self.encoding = UTF8  # what the text is read as, known with the first block

    def __enter__(self) -> "Text":
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def lines(self, notes: Counter[str]) -> Iterator[list[bytes]]:
        """Yield, for each block, the lines that it completes, in UTF-8, without `\\n` or `\\r\\n`."""
        rest: list[bytes] = []
        size = number = 0  # of what is in `rest`, and of the lines before it
        for block in self.utf8():
            first, *others = block.split(b"\n")
            rest.append(first)
            size += len(first)
            if size > LONGEST_LINE:
                raise DataError(
                    f"{self.name}:{number + 1}: a line of more than {LONGEST_LINE:,} bytes; is this text in lines?"
                )
            if not others:
                yield []
                continue
            size, number = len(others[-1]), number + len(others)
            complete = [b"".join(rest), *others[:-1]]
            rest = [others[-1]]
            yield [_without_return(line, notes) for line in complete]
        if last := b"".join(rest):
            notes["no newline at the end of the file"] += 1
            yield [_without_return(last, notes)]

    def peek(self) -> bytes:
        """Read the first block, and find out the encoding."""
        self.head = self.file.read1(BLOCK)
        self.encoding = encoding_of(self.head, self.given)
        return self.head

    def utf8(self) -> Iterator[bytes]:
        """Yield the text in UTF-8, block by block, at least one."""
        yield from to_utf8(self._blocks(), self.encoding)

    def _blocks(self) -> Iterator[bytes]:
        yield self.head
        while block := self.file.read1(BLOCK):
            yield block

    def explain(self, fault: Fault, raw: bytes) -> str:
        """Return what is wrong with a line, and what to do about it."""
        if fault.nul:
            return f"byte {fault.byte}: a NUL character; is this a text file?"
        if self.encoding == UTF8:
            return f"byte {fault.byte}: {remedy(self.head if is_evidently_legacy(self.head) else raw)}"
        return f"not {self.encoding}; name the right encoding, or repair the line"


def open_text(path: Path | str, encoding: str = AUTO) -> Text:
    """Open a text for reading. Raises DataError if it is not there, or no text."""
    text = Text(open_binary(path), shown(path), encoding)
    text.peek()
    return text


def _without_return(line: bytes, notes: Counter[str]) -> bytes:
    if not line.endswith(b"\r"):
        return line
    notes["line ending \\r\\n read as \\n"] += 1
    return line[:-1]


def read_pairs(files: ParallelFiles, notes: Counter[str] | None = None, encoding: str = AUTO) -> Iterator[Pair]:
    """Yield every pair of lines, blank ones too. Raises DataError, after the last common line, if the counts differ."""
    check_distinct(*files)
    notes = Counter() if notes is None else notes
    source_notes: Counter[str] = Counter()
    target_notes: Counter[str] = Counter()
    sources, targets = (
        read_lines(path, found, encoding) for path, found in zip(files, (source_notes, target_notes), strict=True)
    )
    for number, (source, target) in enumerate(itertools.zip_longest(sources, targets), start=1):
        if source is None or target is None:
            rest = 1 + sum(1 for _ in (targets if source is None else sources))
            counts = (number - 1, number - 1 + rest) if source is None else (number - 1 + rest, number - 1)
            check_counts(files.source, counts[0], files.target, counts[1])
            return
        yield Pair(number, source, target)
    for path, found in ((files.source, source_notes), (files.target, target_notes)):
        for note, count in found.items():
            notes[f"{path.name}: {note}"] += count


def check_counts(source: Path, source_lines: int, target: Path, target_lines: int) -> None:
    """Raise DataError if two texts that belong together have different numbers of lines."""
    if source_lines != target_lines:
        raise DataError(
            f"{shown(source)} has {amount(source_lines, 'line')} and {shown(target)} has {target_lines:,}; "
            "line N of one must translate line N of the other"
        )


def usable_pairs(pairs: Iterable[Pair], notes: Counter[str]) -> Iterator[Pair]:
    """Leaves out, and counts, pairs with a blank side."""
    for pair in pairs:
        if is_blank(pair.source) or is_blank(pair.target):
            notes["pairs with a blank side left out"] += 1
        else:
            yield pair


def file_hash(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    if not path.is_file():
        if member := zip_member(path):
            with open_member(member) as inside:
                return hashlib.file_digest(inside, "sha256").hexdigest()
        check_regular(path)
        raise DataError(f"{path}: {'a folder' if path.is_dir() else 'no such file'}; name a text file")
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path}: cannot read: {error.strerror}") from None
