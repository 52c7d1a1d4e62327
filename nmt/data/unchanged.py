"""Text that must stay as it is while it is read: what was hashed is what is encoded, or nothing is kept of it."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

from nmt.data.corpus import file_hash
from nmt.data.zipped import zip_member
from nmt.errors import DataError

State = tuple[int, ...]  # device, inode, size, and the times of the last changes, in nanoseconds


class FileHash(str):
    """Hold the SHA-256 of a file, and the state of the file that has it."""

    __slots__ = ("state",)
    state: State


def hash_of(path: Path) -> FileHash:
    """Hash a file. Raises DataError if it cannot be read, or changes meanwhile."""
    before = _state(path)
    found = FileHash(file_hash(path))
    found.state = before
    if _state(path) != before:
        raise _changed(path)
    return found


def check_unchanged(hashes: Mapping[Path, str], paths: Iterable[Path]) -> None:
    """Raise DataError, which names the file, if one was written to or replaced since it was hashed.

    Compares the content as well, since some file systems have coarse times; and the state as well, since other content
    may have been there in between.
    """
    for path in dict.fromkeys(paths):
        known = hashes[path]
        if _state(path) != getattr(known, "state", None) or file_hash(path) != known:
            raise _changed(path)


def checker(hashes: Mapping[Path, str], paths: Iterable[Path]) -> Callable[[], None]:
    """Return `check_unchanged` for these files, to be called when they are read."""
    chosen = tuple(paths)
    return lambda: check_unchanged(hashes, chosen)


def _state(path: Path) -> State:
    """Return the state of a file, or of the archive that it is in."""
    member = zip_member(path)
    try:
        found = (member.archive if member else path).stat()
    except OSError:
        return ()  # reading it will say what is wrong
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


def _changed(path: Path) -> DataError:
    return DataError(
        f"{path}: changed while it was read, so nothing was made of it; start again when the text is complete"
    )
