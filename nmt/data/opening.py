"""Open the bytes of a text: a file, standard input (`-`) or a pipe; plain or compressed.

A compressed text is recognised by its first bytes, so it needs no particular ending and may come through a pipe.
Archives, pictures and other binary files are refused.
"""

import bz2
import errno
import gzip
import io
import lzma
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from nmt.data.encodings import wide_encoding
from nmt.data.zipped import open_member, zip_member
from nmt.errors import DataError, extra

BLOCK = 1 << 16  # bytes read at once; what a text is, is told by the first of these blocks
STANDARD_INPUT = {"-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0"}


class Compression(NamedTuple):
    """Say how a kind of compressed file is recognised and opened."""

    name: str
    magic: bytes  # the first bytes of such a file
    open: Callable[[io.BufferedReader], Any]


def shown(path: Path | str) -> str:
    """Return what messages call an input."""
    return "standard input" if str(path) in STANDARD_INPUT else str(path)


def open_binary(path: Path | str) -> io.BufferedReader:
    """Open a text for reading, `-` as standard input, and decompress it.

    The stream has `read`, `read1`, and the `fileno` of what it is read from. Raises DataError in one line, also while
    the stream is read, if the text is not there, cannot be read, is damaged, or is no text.
    """
    name = shown(path)
    with _reading(name):
        raw = _open_raw(path)
    try:
        with _reading(name):
            head = raw.read(BLOCK) or b""
            # More is read only if this could be the beginning of a compressed text: a pipe gives what is there.
            magics = [each.magic for each in COMPRESSIONS.values()]
            while head and any(len(head) < len(magic) and magic.startswith(head) for magic in magics):
                block = raw.read(BLOCK)
                if not block:
                    break
                head += block
        compression = _compression_of(head, Path(path), name)
        if compression is None:
            _check_text(head, name)
            return _stream(head, raw, name)
        packed = _stream(head, raw, name)
        unpacked = compression.open(packed)
        with _reading(name):
            start = unpacked.read1(BLOCK)
        _check_text(start, name)
        return _stream(start, unpacked, name, packed)
    except BaseException:
        raw.close()
        raise


def check_regular(path: Path | str) -> None:
    """Raise DataError for a pipe or a device, which could be endless, and which gives its text only once."""
    if str(path) == "-" or (Path(path).exists() and not Path(path).is_file() and not Path(path).is_dir()):
        raise DataError(
            f"{shown(path)}: a pipe or device, and the texts of a config are read several times; write it into a file"
        )


def _open_raw(path: Path | str) -> Any:
    if str(path) == "-":
        return io.FileIO(0, "rb", closefd=False)
    path = Path(path)
    if path.is_dir():
        raise DataError(f"{path}: a folder; name a text file")
    try:
        return io.FileIO(path, "rb")
    except (FileNotFoundError, NotADirectoryError):
        missing = f"{path}: no such file; name a text file"
    if member := zip_member(path):
        return open_member(member)
    raise DataError(missing)


def _stream(head: bytes, rest: Any, name: str, *below: io.BufferedReader) -> io.BufferedReader:
    """Put `head`, which has been read already, before the rest."""
    return io.BufferedReader(_Stream(head, rest, name, below), BLOCK)


class _Stream(io.RawIOBase):
    def __init__(self, head: bytes, rest: Any, name: str, below: tuple[io.BufferedReader, ...]) -> None:
        self.head, self.rest, self.name, self.below = memoryview(head), rest, name, below

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        block: Any
        if self.head:
            block, self.head = self.head[: len(buffer)], self.head[len(buffer) :]
        else:
            with _reading(self.name):
                block = self.rest.read1(len(buffer)) if hasattr(self.rest, "read1") else self.rest.read(len(buffer))
        buffer[: len(block)] = block
        return len(block)

    def fileno(self) -> int:
        return int(self.rest.fileno())

    def close(self) -> None:
        for stream in (self.rest, *self.below):
            stream.close()
        super().close()


@contextmanager
def _reading(name: str) -> Iterator[None]:
    """Turns what can go wrong with a file into a DataError."""
    try:
        yield
    except (EOFError, zlib.error, gzip.BadGzipFile, lzma.LZMAError, zipfile.BadZipFile, _Damaged):
        raise DataError(f"{name}: damaged or cut short; download or compress the file again") from None
    except OSError as error:
        if error.errno is None:  # bz2
            raise DataError(f"{name}: damaged or cut short; download or compress the file again") from None
        closed = error.errno == errno.EBADF and name == "standard input"
        raise DataError(f"{name}: {'closed; give a file' if closed else f'cannot read: {error.strerror}'}") from None


# Compressed ----------------------------------------------------------------------------------------------------------


class _Damaged(Exception):
    pass


class _Zstandard(io.RawIOBase):
    """Decompress frame after frame; raises _Damaged where a frame is damaged or lacks its end."""

    def __init__(self, file: io.BufferedReader) -> None:
        try:
            import zstandard
        except ImportError:
            raise DataError(f".zst files need zstandard, which is not installed: {extra('data')}") from None
        self.file, self.library = file, zstandard
        self.frame: Any = None
        self.waiting = b""  # compressed
        self.unpacked = b""

    def readable(self) -> bool:
        return True

    def read1(self, size: int) -> bytes:
        while not self.unpacked:
            block = self.waiting or self.file.read1(4096)
            self.waiting = b""
            if not block:
                if self.frame is not None:
                    raise _Damaged
                return b""
            self.frame = self.frame or self.library.ZstdDecompressor().decompressobj()
            try:
                self.unpacked = self.frame.decompress(block)
            except self.library.ZstdError:
                raise _Damaged from None
            if self.frame.eof:
                self.waiting, self.frame = self.frame.unused_data, None
        found, self.unpacked = self.unpacked[:size], self.unpacked[size:]
        return found

    def fileno(self) -> int:
        return self.file.fileno()


COMPRESSIONS: dict[str, Compression] = {
    ".gz": Compression("gzip", b"\x1f\x8b", gzip.open),
    ".bz2": Compression("bzip2", b"BZh", bz2.BZ2File),
    ".xz": Compression("xz", b"\xfd7zXZ\x00", lzma.LZMAFile),
    ".zst": Compression("zstandard", b"\x28\xb5\x2f\xfd", _Zstandard),
}


def _compression_of(head: bytes, path: Path, name: str) -> Compression | None:
    """Return how a text is compressed, by its first bytes. Plain text is read whatever its ending says."""
    for each in COMPRESSIONS.values():
        if head.startswith(each.magic):
            return each
    promised = COMPRESSIONS.get(path.suffix)
    if promised is None:
        return None
    try:
        head.decode("utf-8")
        valid = True
    except UnicodeDecodeError as error:
        valid = error.end == len(head) and error.start > len(head) - 4  # the last character is cut by the block's end
    if not head or kind_of(head) or b"\0" in head or not valid:
        raise DataError(f"{name}: damaged or cut short: not {promised.name} data; download or compress the file again")
    return None


# No text -------------------------------------------------------------------------------------------------------------

_KINDS: dict[bytes, str] = {
    b"PK\x03\x04": "a zip archive",
    b"PK\x05\x06": "an empty zip archive",
    b"%PDF-": "a PDF document",
    b"{\\rtf": "an RTF document",
    b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1": "an old Word, Excel or PowerPoint document",
    b"\x89PNG\r\n\x1a\n": "a PNG picture",
    b"\xff\xd8\xff": "a JPEG picture",
    b"GIF87a": "a GIF picture",
    b"GIF89a": "a GIF picture",
    b"II*\x00": "a TIFF picture",
    b"MM\x00*": "a TIFF picture",
    b"RIFF": "a sound, video or WebP file",
    b"OggS": "a sound file",
    b"ID3": "a sound file",
    b"fLaC": "a sound file",
    b"\x7fELF": "a program",
    b"\xca\xfe\xba\xbe": "a program",
    b"\xcf\xfa\xed\xfe": "a program",
    b"SQLite format 3\x00": "an SQLite database",
    b"PAR1": "a parquet table",
    b"ARROW1": "an Arrow table",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive",
    b"Rar!\x1a\x07": "a rar archive",
    b"\x93NUMPY": "a numpy array",
    b"\x89HDF\r\n\x1a\n": "an HDF5 file",
    b"\x80\x02": "a Python pickle",
    b"\x80\x04\x95": "a Python pickle",
    **{each.magic: f"{each.name} data, compressed twice" for each in COMPRESSIONS.values()},
}
_PACKED_DOCUMENTS = {b"word/": "a Word document", b"xl/": "an Excel table", b"ppt/": "a PowerPoint document"}
# Words that a text may begin with: it has no control characters.
_TEXT_LIKE = {b"RIFF", b"ID3", b"OggS", b"fLaC", b"PAR1", b"GIF87a", b"GIF89a", b"ARROW1"}
_CONTROLS = bytes({*range(32), 127} - {*b"\t\n\v\f\r\x1b\x1c\x1d\x1e\x1f"})
MANY, SHARE = 16, 0.05  # control characters that no text has


def kind_of(head: bytes) -> str:
    """Return what a file is if it is no text, by its first block; else "". UTF-16 and UTF-32 count as text."""
    controls = len(head) - len(head.translate(None, _CONTROLS))
    for magic, kind in _KINDS.items():
        if head.startswith(magic) and (controls or magic not in _TEXT_LIKE):
            if magic == b"PK\x03\x04":
                return next((name for part, name in _PACKED_DOCUMENTS.items() if part in head), kind)
            return kind
    if head[257:262] == b"ustar":
        return "a tar archive"
    if controls >= MANY and controls >= SHARE * len(head) and not wide_encoding(head):
        return "a Windows program" if head.startswith(b"MZ") else "binary data"
    return ""


def _check_text(head: bytes, name: str) -> None:
    """Raise DataError if these first bytes are those of something else than text."""
    if kind := kind_of(head):
        raise DataError(f"{name}: {kind}, not text; name a text file")


# Pipes ---------------------------------------------------------------------------------------------------------------


def check_distinct(*paths: Path | str | None) -> None:
    """Raise DataError if two inputs are the same pipe, or both standard input: it can be read only once."""
    seen: set[object] = set()
    for path in paths:
        if path is None:
            continue
        # What is equal for two names of one pipe.
        identity: object = "-"
        if str(path) not in STANDARD_INPUT:
            try:
                status = Path(path).stat()
            except OSError:
                continue
            if not stat.S_ISFIFO(status.st_mode):  # can be read several times
                continue
            identity = (status.st_dev, status.st_ino)
        if identity in seen:
            raise DataError(f"{shown(str(path))}: is given twice, but can be read only once; name a file")
        seen.add(identity)
