"""Text files: lines in, lines checked. A line ends at `\\n` and nowhere else.

A lone `\\r`, U+2028, U+0085 and their like are text. `\\r\\n` is accepted, a byte order mark dropped, a final newline
optional, `.gz` read. Invalid UTF-8, NUL and unequal line counts are errors that name the place.
"""

import gzip
import hashlib
import io
import itertools
import unicodedata
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from nmt.data.zipped import open_member, zip_member
from nmt.errors import DataError

BOM = "\ufeff"
_INVISIBLE = {"Zs", "Zl", "Zp", "Cc", "Cf"}  # not Cn and Co: a character too new for this Python may well be visible


class Pair(NamedTuple):
    line: int  # 1-based, in both files
    source: str
    target: str


class ParallelFiles(NamedTuple):
    """The two files of one part of a corpus, aligned line by line."""

    source: Path
    target: Path


def parallel_files(folder: str | Path, stem: str, source: str, target: str) -> ParallelFiles:
    """STEM.LANGUAGE or STEM.LANGUAGE.gz in a folder. Raises DataError if one is missing."""
    if not Path(folder).is_dir():
        raise DataError(f"{folder}: data.folder: no such folder; paths in a config are relative to the config file")
    return ParallelFiles(_text_file(Path(folder), stem, source), _text_file(Path(folder), stem, target))


def _text_file(folder: Path, stem: str, language: str) -> Path:
    plain = folder / f"{stem}.{language}"
    for path in (plain, plain.with_name(f"{plain.name}.gz")):
        if path.exists():
            return path
    others = ", ".join(sorted(path.name for path in folder.glob(f"*.{language}*"))[:5])
    raise DataError(f"{plain}: no such file" + (f"; the folder has {others}" if others else ""))


def is_blank(line: str) -> bool:
    """Whether a line shows nothing: only spaces of any kind, controls, and zero-width characters."""
    return all(unicodedata.category(character) in _INVISIBLE for character in line)


def read_lines(path: Path, notes: Counter[str] | None = None) -> Iterator[str]:
    """The lines of a file. Counts in `notes` what was mended on the way. Raises DataError with file, line and byte."""
    notes = Counter() if notes is None else notes
    for number, raw in enumerate(_raw_lines(path, notes), start=1):
        if raw.endswith(b"\r"):
            raw = raw[:-1]
            notes["line ending \\r\\n read as \\n"] += 1
        line = _decode(raw, path, number)
        if number == 1 and line.startswith(BOM):
            line = line[1:]
            notes["byte order mark dropped"] += 1
        yield line


def _decode(raw: bytes, path: Path, number: int) -> str:
    try:
        line = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}:{number}: byte {error.start + 1}: not UTF-8; convert the file to UTF-8") from None
    if "\0" in line:
        byte = len(line[: line.index("\0")].encode()) + 1
        raise DataError(f"{path}:{number}: byte {byte}: a NUL character; is this a text file?")
    return line


def _raw_lines(path: Path, notes: Counter[str]) -> Iterator[bytes]:
    try:
        with open_binary(path) as file:
            raw = b""
            for raw in file:
                yield raw.removesuffix(b"\n")
            if raw and not raw.endswith(b"\n"):
                notes["no newline at the end of the file"] += 1
    except (EOFError, zlib.error, gzip.BadGzipFile):
        raise DataError(f"{path}: damaged or cut short; make the .gz file again") from None
    except OSError as error:
        raise DataError(f"{path}: cannot read: {error.strerror or error}") from None


def open_binary(path: Path) -> io.BufferedIOBase:
    """The bytes of a text file, decompressed. Raises DataError if there is no such file."""
    if not path.is_file():
        if member := zip_member(path):
            return open_member(member)
        kind = "a folder" if path.is_dir() else "not a regular file" if path.exists() else "no such file"
        raise DataError(f"{path}: {kind}; name a text file")
    return gzip.open(path) if path.suffix == ".gz" else path.open("rb")


def read_pairs(files: ParallelFiles, notes: Counter[str] | None = None) -> Iterator[Pair]:
    """Every pair of lines, blank ones too. Raises DataError, after the last common line, if the counts differ."""
    notes = Counter() if notes is None else notes
    source_notes: Counter[str] = Counter()
    target_notes: Counter[str] = Counter()
    sources, targets = read_lines(files.source, source_notes), read_lines(files.target, target_notes)
    for number, (source, target) in enumerate(itertools.zip_longest(sources, targets), start=1):
        if source is None or target is None:
            rest = 1 + sum(1 for _ in (targets if source is None else sources))
            counts = (number - 1, number - 1 + rest) if source is None else (number - 1 + rest, number - 1)
            raise DataError(
                f"{files.source} has {counts[0]} lines and {files.target} has {counts[1]}; "
                "line N of one must translate line N of the other"
            )
        yield Pair(number, source, target)
    for path, found in ((files.source, source_notes), (files.target, target_notes)):
        for note, count in found.items():
            notes[f"{path.name}: {note}"] += count


def usable_pairs(pairs: Iterable[Pair], notes: Counter[str]) -> Iterator[Pair]:
    """Leaves out, and counts, pairs with a blank side."""
    for pair in pairs:
        if is_blank(pair.source) or is_blank(pair.target):
            notes["pairs with a blank side left out"] += 1
        else:
            yield pair


def file_hash(path: Path) -> str:
    """SHA-256 of a file's bytes, in hexadecimal."""
    if not path.is_file():
        if member := zip_member(path):
            with open_member(member) as inside:
                return hashlib.file_digest(inside, "sha256").hexdigest()
        raise DataError(f"{path}: not a regular file; name a text file")
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path}: cannot read: {error.strerror}") from None
